//! Option files: YAML whose keys are the long names of `install`'s options. What they say is put
//! before what the command line says, and all of it is read as one command line: lists add up, of
//! single values the last one wins, and options that exclude each other do so across files.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, CommandFactory};
use nestos_butane::closest;
use nestos_formats::yaml::{self, Mark, Node};
use nestos_host::term::WithHint;

use crate::cli::Cli;

/// Key of the disk, which is no option.
const DEVICE: &str = "dest-device";

/// Options that make no sense in a file.
const NOT_IN_FILES: [&str; 4] = ["config-file", "firstboot-args", "help", "version"];

/// Most bytes of an option file.
const LIMIT: u64 = 1024 * 1024;

/// What option files say.
#[derive(Debug, Default)]
pub struct FileOptions {
    device: Option<String>,
    options: Vec<OsString>,
}

impl FileOptions {
    /// Reads files in order.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut all = Self::default();
        for path in paths {
            let path = path.as_ref();
            all.add(path).with_context(|| format!("cannot use {} for options", path.display()))?;
        }
        Ok(all)
    }

    /// Returns whether a file names the disk.
    pub fn names_device(&self) -> bool {
        self.device.is_some()
    }

    /// Returns a command line with these options before those of `given`, whose second word is
    /// the subcommand.
    pub fn before(self, given: &[OsString]) -> Vec<OsString> {
        let (start, own) = given.split_at(given.len().min(2));
        let mut all = start.to_vec();
        all.extend(self.options);
        all.extend(self.device.map(OsString::from));
        all.extend_from_slice(own);
        all
    }

    /// Returns the disk that a file names.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Fails when the options exclude each other.
    pub fn check_together(&self) -> Result<()> {
        let words: Vec<OsString> =
            [OsString::from("x")].into_iter().chain(self.options.clone()).collect();
        let start = ["nestos-installer", "install"].map(OsString::from);
        match install_root().try_get_matches_from(start.iter().chain(&words)) {
            Err(e) => {
                let message = e.to_string();
                let first = message.lines().next().unwrap_or_default();
                bail!("{}", first.strip_prefix("error: ").unwrap_or(first))
            }
            Ok(_) => Ok(()),
        }
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
        self.add_bytes(&bytes)
    }

    /// Adds what a file of this content says.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > LIMIT {
            bail!("it is longer than {} MiB", LIMIT / 1024 / 1024);
        }
        let root = yaml::parse(bytes)?;
        if root.is_null() {
            return Ok(());
        }
        let entries =
            root.entries().ok_or_else(|| anyhow!("it holds no keys, but {}", kind(&root)))?;
        let install = install_command();
        for (key, value) in entries {
            self.add_entry(&install, key, value)
                .with_context(|| at(key.start))
                .map_err(|e| anyhow!("{e:#}"))?;
        }
        Ok(())
    }

    fn add_entry(&mut self, install: &Command, key: &Node, value: &Node) -> Result<()> {
        let name = key.key_text().ok_or_else(|| anyhow!("a key has to be a word"))?;
        if name == DEVICE {
            let device = text(name, value)?;
            if self.device.replace(device).is_some() {
                bail!("{DEVICE} is in another option file, too");
            }
            return check(&[OsString::from(text(name, value)?)]);
        }
        let option = install
            .get_arguments()
            .find(|a| a.get_long() == Some(name) && !NOT_IN_FILES.contains(&name))
            .ok_or_else(|| unknown(install, name))?;
        for word in words(option, name, value)? {
            check(&["x".into(), word.clone()])?;
            self.options.push(word);
        }
        Ok(())
    }
}

/// Returns the words of a command line that mean the same.
fn words(option: &Arg, name: &str, value: &Node) -> Result<Vec<OsString>> {
    let word = |value: &str| OsString::from(format!("--{name}={value}"));
    match option.get_action() {
        ArgAction::SetTrue => match value.as_str() {
            Some("true") => Ok(vec![OsString::from(format!("--{name}"))]),
            Some("false") => Ok(vec![]),
            _ => bail!("{name} is true or false, not {}", kind(value)),
        },
        ArgAction::Append => match value.items() {
            Some(items) => items.iter().map(|item| Ok(word(&text(name, item)?))).collect(),
            None => Ok(vec![word(&text(name, value)?)]),
        },
        _ => Ok(vec![word(&text(name, value)?)]),
    }
}

fn text(name: &str, value: &Node) -> Result<String> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => bail!("{name} needs a value, not {}", kind(value)),
    }
}

/// Checks a value by itself, so that the message names its line.
fn check(words: &[OsString]) -> Result<()> {
    let start = ["nestos-installer", "install"].map(OsString::from);
    let parsed = install_root().try_get_matches_from(start.iter().chain(words));
    match parsed {
        Err(e)
            if [
                ErrorKind::ValueValidation,
                ErrorKind::InvalidValue,
                ErrorKind::UnknownArgument,
            ]
            .contains(&e.kind()) =>
        {
            let message = e.to_string();
            let first = message.lines().next().unwrap_or_default();
            bail!("{}", first.strip_prefix("error: ").unwrap_or(first))
        }
        _ => Ok(()),
    }
}

/// Returns the keys that files may hold.
fn known(install: &Command) -> impl Iterator<Item = &str> {
    let long = install.get_arguments().filter_map(Arg::get_long);
    long.filter(|long| !NOT_IN_FILES.contains(long)).chain([DEVICE])
}

fn unknown(install: &Command, name: &str) -> anyhow::Error {
    match closest(name, known(install)) {
        Some(near) => anyhow!("there is no option {name:?}; did you mean {near}?"),
        None => anyhow!("there is no option {name:?}; keys are the long names of options"),
    }
}

fn install_root() -> Command {
    let mut root = Cli::command();
    root.build();
    root
}

fn install_command() -> Command {
    install_root().find_subcommand("install").cloned().unwrap_or_default()
}

fn at(mark: Mark) -> String {
    format!("line {}, column {}", mark.line, mark.column)
}

fn kind(node: &Node) -> String {
    match node.as_str() {
        Some(text) => format!("{text:?}"),
        None => format!("a {}", node.kind()),
    }
}

/// Adds the options of files to a command line that was understood without them.
pub fn expand(
    given: &[OsString],
    files: &[std::path::PathBuf],
    device: bool,
) -> Result<Vec<OsString>> {
    let options = FileOptions::read(files)?;
    match (device, options.names_device()) {
        (true, true) => {
            Err(anyhow!("the disk is named by the command line and by {DEVICE} in an option file"))
                .hint("leave one of them out")
        }
        (false, false) => Err(anyhow!("no disk is named"))
            .hint(format!("give DEVICE, or {DEVICE} in an option file")),
        _ => Ok(options.before(given)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nestos_formats::live_media::INSTALLER_DIRECTIVES;

    use super::*;

    /// What files may hold and an unattended installation has no use for.
    const NOT_ON_MEDIA: [&str; 6] =
        ["dry-run", "live-root", "post-process-only", "progress", "progress-fd", "reboot"];

    #[test]
    fn images_name_every_key_that_option_files_may_hold() {
        let command = install_command();
        let mut listed = BTreeSet::from(INSTALLER_DIRECTIVES);
        listed.extend(NOT_ON_MEDIA);
        assert_eq!(listed, known(&command).collect());
    }
}
