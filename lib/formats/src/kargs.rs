//! Kernel arguments, in the one spelling that every reader of a boot entry takes the same way.
//!
//! A BLS `options` line is read by GRUB's `blscfg` and by our sourced fallback as GRUB script
//! text, by systemd-boot as plain text, by libostree as words, and in the end by the kernel
//! (`next_arg` in lib/cmdline.c). [`Karg`] keeps the meaning (what the kernel sees) and prints a
//! spelling on which all of them agree, or refuses: double quotes around anything GRUB might
//! interpret, and no byte that one of the readers cannot carry. GRUB itself drops the quotes and
//! puts new ones around an argument that holds a space, which the kernel reads back.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Expanded by our GRUB configuration on the first boot, the only variable an entry may name.
pub const FIRSTBOOT_VARIABLE: &str = "$ignition_firstboot";

/// Longest kernel command line on x86, its terminating NUL included (`COMMAND_LINE_SIZE`).
pub const MAX_COMMAND_LINE: usize = 2048;

/// Why a text is no kernel argument we can write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KargError {
    /// A byte that GRUB, the kernel or the entry's other readers would change.
    #[error(
        "kernel argument {arg:?} contains {found:?}, which the boot loader would change before \
         the kernel sees it"
    )]
    Character {
        /// The argument as it was given.
        arg: String,
        /// The first offending character.
        found: char,
    },
    /// A double quote that does not enclose a whole value or argument.
    #[error(
        "kernel argument {arg:?} has a misplaced double quote: write key=\"value with spaces\""
    )]
    Quote {
        /// The argument as it was given.
        arg: String,
    },
    /// An argument without a name.
    #[error("kernel argument {arg:?} has no name before \"=\"")]
    Name {
        /// The argument as it was given.
        arg: String,
    },
    /// All arguments together do not fit.
    #[error("kernel arguments take {length} bytes; the kernel reads at most {MAX_COMMAND_LINE}")]
    Length {
        /// Bytes needed, NUL included.
        length: usize,
    },
}

/// One kernel argument: `name` or `name=value`, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Karg(String);

impl Karg {
    /// Returns the part before `=`.
    pub fn name(&self) -> &str {
        self.0.split_once('=').map_or(self.0.as_str(), |(name, _)| name)
    }

    /// Returns the part after `=`, if there is one.
    pub fn value(&self) -> Option<&str> {
        self.0.split_once('=').map(|(_, value)| value)
    }

    /// Returns the argument as the kernel sees it: no quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(arg: &str, meaning: &str) -> Result<(), KargError> {
        if meaning == FIRSTBOOT_VARIABLE {
            return Ok(());
        }
        let carried = |c: char| (' '..='~').contains(&c) && !"\"'\\$`".contains(c);
        if let Some(found) = meaning.chars().find(|&c| !carried(c)) {
            return Err(KargError::Character { arg: arg.to_owned(), found });
        }
        let name = meaning.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(' ') {
            return Err(KargError::Name { arg: arg.to_owned() });
        }
        Ok(())
    }
}

impl FromStr for Karg {
    type Err = KargError;

    /// Reads one argument in the kernel's spelling: `name`, `name=value`, `name="a b"` or
    /// `"name=a b"`.
    fn from_str(arg: &str) -> Result<Self, KargError> {
        let misplaced = || KargError::Quote { arg: arg.to_owned() };
        let unquote = |text: &str| -> Result<String, KargError> {
            let inner = match text.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"').ok_or_else(misplaced)?,
                None if text.contains(char::is_whitespace) => {
                    let found = text.chars().find(|c| c.is_whitespace()).unwrap_or(' ');
                    return Err(KargError::Character { arg: arg.to_owned(), found });
                }
                None => text,
            };
            if inner.contains('"') { Err(misplaced()) } else { Ok(inner.to_owned()) }
        };
        let meaning = match arg.split_once('=') {
            Some((name, value)) if !name.contains('"') => {
                format!("{}={}", unquote(name)?, unquote(value)?)
            }
            _ => unquote(arg)?,
        };
        Self::check(arg, &meaning)?;
        Ok(Self(meaning))
    }
}

impl fmt::Display for Karg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What stands for itself in GRUB script, in a shell and on a kernel command line.
        let plain = |text: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.,:/+@%".contains(c))
        };
        if plain(&self.0) || self.0 == FIRSTBOOT_VARIABLE {
            return f.write_str(&self.0);
        }
        match self.0.split_once('=') {
            Some((name, value)) if plain(name) => write!(f, "{name}=\"{value}\""),
            _ => write!(f, "\"{}\"", self.0),
        }
    }
}

/// The arguments of one boot entry, in order; repeated names are kept, as the kernel does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelArgs(Vec<Karg>);

impl KernelArgs {
    /// Returns the arguments in order.
    pub fn iter(&self) -> impl Iterator<Item = &Karg> {
        self.0.iter()
    }

    /// Adds `arg` at the end.
    pub fn append(&mut self, arg: Karg) {
        self.0.push(arg);
    }

    /// Adds `arg` at the end unless an equal one is there.
    pub fn append_if_missing(&mut self, arg: Karg) {
        if !self.0.contains(&arg) {
            self.0.push(arg);
        }
    }

    /// Removes every argument equal to `arg` (name and value) and returns how many there were.
    pub fn delete(&mut self, arg: &Karg) -> usize {
        let before = self.0.len();
        self.0.retain(|a| a != arg);
        before - self.0.len()
    }

    /// Replaces every argument equal to `old` in its place and returns how many there were.
    pub fn replace(&mut self, old: &Karg, new: &Karg) -> usize {
        let mut count = 0;
        for arg in self.0.iter_mut().filter(|a| *a == old) {
            *arg = new.clone();
            count += 1;
        }
        count
    }

    /// Returns the value of the last argument called `name`; `None` also for a bare flag.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|a| a.name() == name).and_then(Karg::value)
    }

    /// Refuses a list that the kernel would cut off.
    pub fn check_length(&self) -> Result<(), KargError> {
        let length = self.to_string().len() + 1;
        if length > MAX_COMMAND_LINE { Err(KargError::Length { length }) } else { Ok(()) }
    }
}

impl FromStr for KernelArgs {
    type Err = KargError;

    /// Splits at white space outside double quotes, as the kernel does, and reads each argument.
    fn from_str(line: &str) -> Result<Self, KargError> {
        split(line).into_iter().map(str::parse).collect()
    }
}

impl FromIterator<Karg> for KernelArgs {
    fn from_iter<I: IntoIterator<Item = Karg>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl Extend<Karg> for KernelArgs {
    fn extend<I: IntoIterator<Item = Karg>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for KernelArgs {
    type Item = Karg;
    type IntoIter = std::vec::IntoIter<Karg>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for KernelArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.0.iter().enumerate() {
            write!(f, "{}{arg}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Splits a command line into words at white space outside double quotes.
fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quoted = false;
    for (i, c) in line.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        if c.is_whitespace() && !quoted {
            if let Some(begin) = start.take() {
                words.push(&line[begin..i]);
            }
        } else if start.is_none() {
            start = Some(i);
        }
    }
    words.extend(start.map(|begin| &line[begin..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn plain_arguments_keep_their_spelling() {
        for text in
            ["rw", "root=LABEL=root", "console=ttyS0,115200n8", "a=b=c", "$ignition_firstboot"]
        {
            assert_eq!(text.parse::<Karg>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_grub_would_interpret_is_quoted() {
        for (given, printed) in [
            ("x=a;b", "x=\"a;b\""),
            ("x=\"a;b c\"", "x=\"a;b c\""),
            ("\"x=a;b c\"", "x=\"a;b c\""),
            ("x={y}", "x=\"{y}\""),
            ("x=*", "x=\"*\""),
            ("a|b", "\"a|b\""),
            ("x=\"plain\"", "x=plain"),
        ] {
            assert_eq!(given.parse::<Karg>().unwrap().to_string(), printed, "{given}");
        }
    }

    #[test]
    fn what_cannot_reach_the_kernel_unchanged_is_refused() {
        for given in [
            "x=$y", "x=a'b", "x=a\\b", "x=`id`", "x=\n", "x=\u{e9}", "x=a\"b", "\"x", "=y",
            "x=\"a\"b",
        ] {
            assert!(given.parse::<Karg>().is_err(), "{given:?}");
        }
    }

    #[test]
    fn a_line_is_split_as_the_kernel_splits_it() {
        let args: KernelArgs = " rw  x=\"a;b c\" \"y=1 2\" z ".parse().unwrap();
        let words: Vec<&str> = args.iter().map(Karg::as_str).collect();
        assert_eq!(words, ["rw", "x=a;b c", "y=1 2", "z"]);
        assert_eq!(args.to_string(), "rw x=\"a;b c\" y=\"1 2\" z");
    }

    #[test]
    fn deleting_and_replacing_match_whole_arguments() {
        let mut args: KernelArgs = "a=1 a=2 b a=1".parse().unwrap();
        assert_eq!(args.delete(&"a=1".parse().unwrap()), 2);
        assert_eq!(args.replace(&"b".parse().unwrap(), &"c=3".parse().unwrap()), 1);
        assert_eq!(args.to_string(), "a=2 c=3");
        assert_eq!(args.value_of("c"), Some("3"));
    }

    #[test]
    fn a_line_the_kernel_would_cut_is_refused() {
        let long: KernelArgs = format!("x={}", "a".repeat(2045)).parse().unwrap();
        assert!(long.check_length().is_ok());
        let longer: KernelArgs = format!("x={}", "a".repeat(2046)).parse().unwrap();
        assert_eq!(longer.check_length(), Err(KargError::Length { length: 2049 }));
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(line in "[ -~]{0,60}") {
            if let Ok(args) = line.parse::<KernelArgs>() {
                prop_assert_eq!(args.to_string().parse::<KernelArgs>().unwrap(), args);
            }
        }
    }
}
