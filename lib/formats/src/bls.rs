//! Boot entries below `/boot/loader/entries` (UAPI.1 Boot Loader Specification, type 1).
//!
//! libostree writes them; the builder checks them; the installer edits their kernel arguments.
//! Lines that are not edited keep their bytes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::kargs::{KargError, KernelArgs};

/// Why a text is no boot entry we can edit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlsError {
    /// No `options` line, or more than one.
    #[error("boot entry has {count} \"options\" lines; exactly one is needed")]
    Options {
        /// How many were found.
        count: usize,
    },
    /// The options cannot be read as kernel arguments.
    #[error(transparent)]
    Kargs(#[from] KargError),
}

/// One boot entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    lines: Vec<String>,
    options_at: usize,
}

impl Entry {
    /// Returns the value of the first line with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| value_of(line, key))
    }

    /// Returns the kernel arguments.
    pub fn options(&self) -> Result<KernelArgs, BlsError> {
        Ok(value_of(&self.lines[self.options_at], "options").unwrap_or_default().parse()?)
    }

    /// Replaces the kernel arguments, in the spelling of [`crate::kargs`].
    pub fn set_options(&mut self, args: &KernelArgs) -> Result<(), BlsError> {
        args.check_length()?;
        self.lines[self.options_at] = format!("options {args}");
        Ok(())
    }
}

impl FromStr for Entry {
    type Err = BlsError;

    fn from_str(text: &str) -> Result<Self, BlsError> {
        // `str::lines` would drop the CR of a CRLF.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let mut at = lines.iter().enumerate().filter(|(_, l)| value_of(l, "options").is_some());
        match (at.next(), at.count()) {
            (Some((options_at, _)), 0) => Ok(Self { options_at, lines }),
            (first, more) => Err(BlsError::Options { count: usize::from(first.is_some()) + more }),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(key)?;
    if rest.is_empty() || rest.starts_with([' ', '\t']) { Some(rest.trim()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "title NestOS 1.0 (ostree:0)\nversion 1\noptions root=LABEL=root rw\n\
                         linux /ostree/nestos-1/vmlinuz\ninitrd /ostree/nestos-1/initramfs.img\n";

    #[test]
    fn only_the_options_line_changes() {
        let mut entry: Entry = ENTRY.parse().unwrap();
        let mut args = entry.options().unwrap();
        args.append("x=a;b".parse().unwrap());
        entry.set_options(&args).unwrap();
        assert_eq!(entry.to_string(), ENTRY.replace(" rw", " rw x=\"a;b\""));
        assert_eq!(entry.get("linux"), Some("/ostree/nestos-1/vmlinuz"));
    }

    #[test]
    fn line_ends_of_other_systems_are_kept() {
        for text in ["title x\r\noptions rw\r\nlinux /v\r\n", "title x\noptions rw\n\r\n"] {
            let entry: Entry = text.parse().unwrap();
            assert_eq!(entry.to_string(), text);
            assert_eq!(entry.options().unwrap().to_string(), "rw");
        }
    }

    #[test]
    fn an_entry_needs_exactly_one_options_line() {
        assert_eq!("title x\n".parse::<Entry>(), Err(BlsError::Options { count: 0 }));
        assert_eq!("options a\noptions b\n".parse::<Entry>(), Err(BlsError::Options { count: 2 }));
        assert_eq!("optionsx a\n".parse::<Entry>(), Err(BlsError::Options { count: 0 }));
    }
}
