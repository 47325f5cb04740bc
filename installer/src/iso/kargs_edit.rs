//! Changes of a line of kernel arguments. The words of the line are taken as they are: a menu may
//! hold what no tool would write.

use std::fmt;
use std::str::FromStr;

use nestos_formats::kargs::{Karg, KargError};
use thiserror::Error;

/// One argument in the place of another: `KEY=OLD=NEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    old: String,
    new: Karg,
}

/// A text that is no replacement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplacementError {
    /// Not three parts.
    #[error("write KEY=OLD=NEW")]
    Parts,
    /// The new argument cannot be written.
    #[error(transparent)]
    Karg(#[from] KargError),
}

impl FromStr for Replacement {
    type Err = ReplacementError;

    fn from_str(text: &str) -> Result<Self, ReplacementError> {
        let parts: Vec<&str> = text.split('=').collect();
        let [key, old, new] = parts[..] else { return Err(ReplacementError::Parts) };
        if key.is_empty() {
            return Err(ReplacementError::Parts);
        }
        Ok(Self { old: format!("{key}={old}"), new: format!("{key}={new}").parse()? })
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.old, self.new)
    }
}

/// What changes: first arguments are removed, then added, then replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KargsEdit {
    /// Arguments to remove.
    pub delete: Vec<String>,
    /// Arguments to add.
    pub append: Vec<Karg>,
    /// Arguments to replace.
    pub replace: Vec<Replacement>,
}

impl KargsEdit {
    /// Returns whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.append.is_empty() && self.replace.is_empty()
    }

    /// Returns the changed line, and what was to be changed and is not in it.
    pub fn apply(&self, line: &str) -> (String, Vec<String>) {
        let mut words: Vec<String> = split(line);
        let mut missing = Vec::new();
        for deleted in &self.delete {
            let before = words.len();
            words.retain(|word| !same(word, deleted));
            if words.len() == before {
                missing.push(deleted.clone());
            }
        }
        words.extend(self.append.iter().map(ToString::to_string));
        for replacement in &self.replace {
            let mut found = false;
            for word in words.iter_mut().filter(|word| same(word, &replacement.old)) {
                *word = replacement.new.to_string();
                found = true;
            }
            if !found {
                missing.push(replacement.old.clone());
            }
        }
        (words.join(" "), missing)
    }
}

/// Whether a word of the line is the argument that somebody named, whatever quotes they used.
fn same(word: &str, named: &str) -> bool {
    word.replace('"', "") == named.replace('"', "")
}

/// Splits at white space outside double quotes.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        quoted ^= c == '"';
        if c.is_whitespace() && !quoted {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(delete: &[&str], append: &[&str], replace: &[&str]) -> KargsEdit {
        KargsEdit {
            delete: delete.iter().map(ToString::to_string).collect(),
            append: append.iter().map(|arg| arg.parse().unwrap()).collect(),
            replace: replace.iter().map(|arg| arg.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn arguments_are_removed_then_added_then_replaced() {
        let edit = edit(&["b", "x=1"], &["b", "n=\"1 2\""], &["c=1=2", "n=1 2=3"]);
        let (line, missing) = edit.apply("a b  c=1 c=1 $v b=1");
        assert_eq!((line.as_str(), missing), ("a c=2 c=2 $v b=1 b n=3", vec!["x=1".to_owned()]));
    }

    #[test]
    fn a_quoted_argument_is_one_word() {
        let (line, missing) = edit(&["n=1 2"], &[], &["m=1=2"]).apply("a n=\"1 2\" z");
        assert_eq!((line.as_str(), missing), ("a z", vec!["m=1".to_owned()]));
    }

    #[test]
    fn a_replacement_has_three_parts() {
        for wrong in ["a", "a=b", "a=b=c=d", "=b=c"] {
            assert!(wrong.parse::<Replacement>().is_err(), "{wrong}");
        }
        assert_eq!("a=b=".parse::<Replacement>().unwrap().to_string(), "a=b by a=");
    }
}
