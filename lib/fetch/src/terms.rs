//! On what terms a file is downloaded.

use nestos_host::term;

use super::{Patience, Retries};

/// How often and how long a download is tried, whom it trusts, and who hears of failures.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How often.
    pub retries: Retries,
    /// How long.
    pub patience: Patience,
    /// Who has to vouch for a server.
    pub trust: Trust,
    /// Takes the message of each failure that is followed by another try.
    pub tell: fn(&str),
    /// What to do when the last try failed.
    pub advice: &'static str,
}

/// Who has to vouch for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A certificate authority of the system.
    Authorities,
    /// Nobody: the caller knows the digest of what it fetches.
    Anyone,
}

impl Terms {
    /// Returns the usual terms: failures are shown on stderr.
    pub fn of(retries: Retries) -> Self {
        Self {
            retries,
            patience: Patience::default(),
            trust: Trust::Authorities,
            tell: |line| term::warning(line),
            advice: "check the URL and the network, or raise --fetch-retries",
        }
    }
}
