//! Dates of versions and timestamps, UTC. Pure: the time is an argument.

use std::time::SystemTime;

use anyhow::{Result, bail};
use nestos_host::clock::unix_seconds;

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = unix_seconds(time);
        // Days since 0000-03-01, so that the leap day is the last day of a year.
        let days = seconds / 86_400 + 719_468;
        let (era, in_era) = (days / 146_097, days % 146_097);
        let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        let day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Self { year, month, day, second_of_day: seconds % 86_400 }
    }
}

impl Moment {
    /// Prints RFC 3339, to the second.
    pub(crate) fn rfc3339(self) -> String {
        let (h, m, s) = self.clock();
        format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}Z", self.year, self.month, self.day)
    }

    /// Returns a version prefix with its date. A version becomes a folder, file names and the title
    /// of a boot entry.
    pub(crate) fn version_prefix(self, prefix: &str) -> Result<String> {
        let version = self.expand(prefix)?;
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.+~".contains(c);
        if version.starts_with(|c: char| c.is_ascii_alphanumeric()) && version.chars().all(fine) {
            return Ok(version);
        }
        bail!(
            "automatic-version-prefix gives {version:?}; a version starts with a letter or digit \
             and holds only letters, digits, \"-\", \"_\", \".\", \"+\" and \"~\""
        )
    }

    /// Replaces `<date:FORMAT>` in a version prefix; FORMAT knows %Y %m %d %H %M %S.
    fn expand(self, prefix: &str) -> Result<String> {
        let Some((before, rest)) = prefix.split_once("<date:") else {
            return Ok(prefix.to_owned());
        };
        let Some((format, after)) = rest.split_once('>') else {
            bail!("automatic-version-prefix {prefix:?}: \"<date:\" without \">\"");
        };
        Ok(format!("{before}{}{}", self.format(format)?, self.expand(after)?))
    }

    fn format(self, format: &str) -> Result<String> {
        let (hour, minute, second) = self.clock();
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('Y') => out.push_str(&format!("{:04}", self.year)),
                Some('m') => out.push_str(&format!("{:02}", self.month)),
                Some('d') => out.push_str(&format!("{:02}", self.day)),
                Some('H') => out.push_str(&format!("{hour:02}")),
                Some('M') => out.push_str(&format!("{minute:02}")),
                Some('S') => out.push_str(&format!("{second:02}")),
                other => bail!("date format {format:?}: %{} is not known", other.unwrap_or(' ')),
            }
        }
        Ok(out)
    }

    fn clock(self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

/// Returns the next version with this prefix: `PREFIX.N`, N one more than the highest there is.
pub(crate) fn next_version<'a>(prefix: &str, existing: impl Iterator<Item = &'a str>) -> String {
    let number = |id: &'a str| -> Option<u64> {
        let rest = id.strip_prefix(prefix)?.strip_prefix('.')?;
        rest.split('-').next()?.parse().ok()
    };
    let next = existing.filter_map(number).max().map_or(0, |n| n + 1);
    format!("{prefix}.{next}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> Moment {
        Moment::from(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(at(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400).rfc3339(), "2000-02-29T00:00:00Z");
        assert_eq!(at(951_868_800).rfc3339(), "2000-03-01T00:00:00Z");
        assert_eq!(at(1_735_689_599).rfc3339(), "2024-12-31T23:59:59Z");
    }

    #[test]
    fn a_prefix_takes_the_date() {
        let moment = at(1_725_321_600);
        assert_eq!(moment.expand("1.0.<date:%Y%m%d>").unwrap(), "1.0.20240903");
        assert_eq!(moment.expand("1.0").unwrap(), "1.0");
        assert!(moment.expand("<date:%q>").is_err());
        assert!(moment.expand("<date:%Y").is_err());
    }

    #[test]
    fn a_version_is_a_file_name() {
        assert_eq!(at(0).version_prefix("24.03-LTS.<date:%Y>").unwrap(), "24.03-LTS.1970");
        for bad in ["", "../x", "a/b", "a b", ".a", "é"] {
            assert!(at(0).version_prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_count_up_within_a_prefix() {
        let ids = ["1.0.20240903.2", "1.0.20240903.10-1", "1.0.20240902.50", "1.0.20240903.x"];
        assert_eq!(next_version("1.0.20240903", ids.into_iter()), "1.0.20240903.11");
        assert_eq!(next_version("2", ids.into_iter()), "2.0");
    }
}
