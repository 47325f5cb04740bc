//! How often and how long a download is tried.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How often a download starts again after failures in a row that brought nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// So many times.
    Finite(u32),
    /// Until it works.
    Infinite,
}

/// A text that is no number of retries.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is neither a number nor \"infinite\"")]
pub struct RetriesError(String);

impl Retries {
    /// Returns whether another try is due after `failures` in a row.
    pub(super) fn allow(self, failures: u32) -> bool {
        match self {
            Self::Finite(most) => failures <= most,
            Self::Infinite => true,
        }
    }
}

impl From<u32> for Retries {
    fn from(most: u32) -> Self {
        Self::Finite(most)
    }
}

impl FromStr for Retries {
    type Err = RetriesError;

    fn from_str(text: &str) -> Result<Self, RetriesError> {
        if text == "infinite" {
            return Ok(Self::Infinite);
        }
        let number = text.parse().map_err(|_not_a_number| RetriesError(text.to_owned()));
        number.map(Self::Finite)
    }
}

impl fmt::Display for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(most) => most.fmt(f),
            Self::Infinite => f.write_str("infinite"),
        }
    }
}

/// How long a download waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the other side may be silent.
    pub silence: Duration,
    /// Pause before the second try; it doubles with each failure.
    pub first_pause: Duration,
    /// Longest pause between two tries.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(600),
        }
    }
}

impl Patience {
    /// Returns the pause after so many failures in a row; a server may ask for a longer one.
    pub(super) fn pause(self, failures: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let pause = self.first_pause.saturating_mul(doubled);
        pause.max(asked.unwrap_or_default()).min(self.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_number_or_infinite() {
        assert_eq!("3".parse(), Ok(Retries::Finite(3)));
        assert_eq!("infinite".parse(), Ok(Retries::Infinite));
        assert_eq!(Retries::Infinite.to_string(), "infinite");
        for wrong in ["", "-1", "many", "4294967296"] {
            assert!(wrong.parse::<Retries>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = |failures| Patience::default().pause(failures, None).as_secs();
        assert_eq!([1, 2, 3, 10, 11, u32::MAX].map(seconds), [1, 2, 4, 512, 600, 600]);
        let asked = |s| Patience::default().pause(2, Some(Duration::from_secs(s))).as_secs();
        assert_eq!([0, 30, 86_400].map(asked), [2, 30, 600]);
    }
}
