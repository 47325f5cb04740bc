//! What the first boot is given besides a config: the machine's name, network settings, kernel
//! arguments for that boot alone.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term;
use thiserror::Error;

/// Longest name that the kernel keeps (`HOST_NAME_MAX`).
const LONGEST_NAME: usize = 64;
/// Longest part between dots (RFC 1123, 2.1).
const LONGEST_LABEL: usize = 63;
/// Most bytes of one settings file: certificates may be embedded.
const LARGEST_SETTINGS: u64 = 1024 * 1024;

/// The name of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hostname(String);

/// Why a text is no name of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostnameError {
    /// Nothing, or too much.
    #[error("a host name has 1 to {LONGEST_NAME} characters, not {0}")]
    Length(usize),
    /// A part between dots.
    #[error(
        "{0:?} cannot be part of a host name: use letters, digits and dashes, no dash at an end, \
         at most {LONGEST_LABEL}"
    )]
    Label(String),
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        if !(1..=LONGEST_NAME).contains(&text.len()) {
            return Err(HostnameError::Length(text.chars().count()));
        }
        let bad = text.split('.').find(|label| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !(1..=LONGEST_LABEL).contains(&label.len())
                || !label.bytes().all(allowed)
                || label.starts_with('-')
                || label.ends_with('-')
        });
        match bad {
            Some(label) => Err(HostnameError::Label(label.to_owned())),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kernel arguments that GRUB adds while `/boot/ignition.firstboot` exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstbootArgs(String);

/// A text that cannot stand in GRUB's `set NAME="..."`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("arguments of the first boot may hold neither quotes, $, backslashes nor line breaks")]
pub struct FirstbootArgsError;

impl FromStr for FirstbootArgs {
    type Err = FirstbootArgsError;

    fn from_str(text: &str) -> Result<Self, FirstbootArgsError> {
        let changed = |c: char| "\"'$\\`".contains(c) || c.is_control();
        if text.contains(changed) { Err(FirstbootArgsError) } else { Ok(Self(text.to_owned())) }
    }
}

impl FirstbootArgs {
    /// Returns the line for `ignition.firstboot`.
    pub fn grub_line(&self) -> String {
        format!("set ignition_network_kcmdline=\"{}\"\n", self.0)
    }
}

impl fmt::Display for FirstbootArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Files of NetworkManager for the first boot; never printed, they hold passwords.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings(Vec<(String, Vec<u8>)>);

impl fmt::Debug for NetworkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl NetworkSettings {
    /// Reads the regular files of a directory.
    pub fn read(dir: &Path) -> Result<Self> {
        let read = || -> Result<Vec<(String, Vec<u8>)>> {
            let mut files = Vec::new();
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    files.push(one(&entry)?);
                }
            }
            files.sort();
            Ok(files)
        };
        let files = read()
            .with_context(|| format!("cannot read the network settings in {}", dir.display()))?;
        if files.is_empty() {
            // A machine on plain DHCP has none.
            term::warning(format!("{} holds no network settings to copy", dir.display()));
        }
        Ok(Self(files))
    }

    /// Returns the names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns names and contents.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.0
    }
}

fn one(entry: &fs::DirEntry) -> Result<(String, Vec<u8>)> {
    let path = entry.path();
    let name = entry.file_name().into_string();
    let name = name.map_err(|name| anyhow!("{} is not named in UTF-8", name.display()))?;
    if entry.metadata()?.len() > LARGEST_SETTINGS {
        bail!("{} is longer than {LARGEST_SETTINGS} bytes: no settings", path.display());
    }
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_those_of_rfc_1123() {
        let long = "a".repeat(63);
        for good in ["node1", "3com", "a.b-c.example", &long] {
            assert!(good.parse::<Hostname>().is_ok(), "{good}");
        }
        let longer = "a".repeat(64);
        for bad in ["", ".", "a.", "-a", "a-", "a_b", "a b", "ä", &longer, &"a.".repeat(40)] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_grub_would_change_cannot_be_a_first_boot_argument() {
        let args: FirstbootArgs = "rd.neednet=1 ip=dhcp".parse().unwrap();
        assert_eq!(args.grub_line(), "set ignition_network_kcmdline=\"rd.neednet=1 ip=dhcp\"\n");
        for bad in ["a\"b", "$x", "a\nb", "a\\", "'"] {
            assert!(bad.parse::<FirstbootArgs>().is_err(), "{bad}");
        }
    }

    #[test]
    fn network_settings_are_the_regular_files_of_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(NetworkSettings::read(&dir.path().join("missing")).is_err());
        assert_eq!(NetworkSettings::read(dir.path()).unwrap(), NetworkSettings::default());
        fs::write(dir.path().join("eth0.nmconnection"), "[connection]").unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let settings = NetworkSettings::read(dir.path()).unwrap();
        assert_eq!(settings.names().collect::<Vec<_>>(), ["eth0.nmconnection"]);
    }
}
