//! Which partitions to keep: globs of labels and ranges of numbers.

use std::fmt;
use std::str::FromStr;

use nestos_host::gpt_disk::Partition;
use thiserror::Error;

/// A glob of partition labels: `*`, `?`, `[a-z]`, `[!a-z]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelGlob(glob::Pattern);

/// A text that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a pattern of partition labels: {why}")]
pub struct BadGlob {
    text: String,
    why: &'static str,
}

impl FromStr for LabelGlob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let bad = |e: glob::PatternError| BadGlob { text: text.to_owned(), why: e.msg };
        glob::Pattern::new(text).map(Self).map_err(bad)
    }
}

impl fmt::Display for LabelGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Partition numbers: `5`, `5-7`, `5-` or `-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexRange {
    first: Option<u32>,
    last: Option<u32>,
}

/// A text that is no range of partition numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRange {
    /// Not a number where one belongs.
    #[error("{0:?} is neither a partition number nor a range of them, such as 5, 5-7, 5- or -7")]
    Unclear(String),
    /// Number zero.
    #[error("{0:?} names partition 0; partition numbers start at 1")]
    Zero(String),
    /// A range without bounds.
    #[error("{0:?} has neither a first nor a last partition; give at least one of them")]
    Open(String),
    /// A range that ends before it starts.
    #[error("the range {0:?} of partitions ends before it starts")]
    Reversed(String),
}

impl FromStr for IndexRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let number = |part: &str| match part {
            "" => Ok(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(0) => Err(BadRange::Zero(text.to_owned())),
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(BadRange::Unclear(text.to_owned())),
            },
            _ => Err(BadRange::Unclear(text.to_owned())),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        match (first, last) {
            (None, None) => Err(BadRange::Open(text.to_owned())),
            (Some(a), Some(b)) if a > b => Err(BadRange::Reversed(text.to_owned())),
            _ => Ok(Self { first, last }),
        }
    }
}

impl fmt::Display for IndexRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
        if self.first == self.last {
            f.write_str(&end(self.first))
        } else {
            write!(f, "{}-{}", end(self.first), end(self.last))
        }
    }
}

/// One reason to keep a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Its label matches.
    Label(LabelGlob),
    /// Its number lies in the range.
    Index(IndexRange),
}

impl Filter {
    /// Returns whether the filter keeps `partition`.
    pub fn keeps(&self, partition: &Partition) -> bool {
        match self {
            Self::Label(glob) => glob.0.matches(&partition.name),
            Self::Index(IndexRange { first, last }) => {
                first.is_none_or(|n| partition.number >= n as usize)
                    && last.is_none_or(|n| partition.number <= n as usize)
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(glob) => write!(f, "label {glob:?}", glob = glob.to_string()),
            Self::Index(range) => write!(f, "number {range}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: usize, name: &str) -> Partition {
        Partition { number, name: name.to_owned(), start: 0, length: 1 }
    }

    #[test]
    fn ranges_of_numbers_may_be_open_at_one_end() {
        for (text, kept) in [
            ("5", &[5][..]),
            ("5-7", &[5, 6, 7]),
            ("5-5", &[5]),
            ("6-", &[6, 7, 8]),
            ("-2", &[1, 2]),
        ] {
            let filter = Filter::Index(text.parse().unwrap());
            let all: Vec<usize> = (1..9).filter(|n| filter.keeps(&partition(*n, ""))).collect();
            assert_eq!(all, kept, "{text}");
        }
        assert_eq!("5-5".parse::<IndexRange>().unwrap().to_string(), "5");
        assert_eq!("-7".parse::<IndexRange>().unwrap().to_string(), "-7");
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", "neither a first nor a last"),
            ("-", "neither a first nor a last"),
            ("0", "start at 1"),
            ("0-3", "start at 1"),
            ("-0", "start at 1"),
            ("7-5", "ends before it starts"),
            ("1-2-3", "neither a partition number nor a range"),
            ("+5", "neither a partition number nor a range"),
            (" 5", "neither a partition number nor a range"),
            ("x", "neither a partition number nor a range"),
            ("4294967296", "neither a partition number nor a range"),
        ] {
            let error = text.parse::<IndexRange>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn labels_match_whole_and_by_case() {
        for (glob, name, kept) in [
            ("data", "data", true),
            ("data", "data2", false),
            ("Data", "data", false),
            ("data*", "data", true),
            ("data*", "data/x", true),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("d?t[a-c]", "data", true),
            ("d?t[!a-c]", "data", false),
            ("[[]x]", "[x]", true),
        ] {
            let filter = Filter::Label(glob.parse().unwrap());
            assert_eq!(filter.keeps(&partition(1, name)), kept, "{glob} on {name}");
        }
        for wrong in ["[a", "a**b", "***"] {
            let error = wrong.parse::<LabelGlob>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
