//! Which disk to install to: a path, or conditions that exactly one disk must meet, such as
//! `transport=nvme,size>=500GB,smallest`.

mod condition;
mod describe;
mod size;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, anyhow};
use nestos_host::disks::{Disk, DiskIdentity, Obstacle, Offer};
use nestos_host::term::WithHint;
use thiserror::Error;

use condition::{Condition, KEYS};

/// What the help of a command says about selectors.
pub const HELP: &str = "\
A path, a name such as sda, or a selector: conditions, joined by commas, that
exactly one disk must meet. Quote it, for the shell. Conditions:
  serial=S  wwn=W  model=M   as the maker names it; case does not matter, and
                             * ? [a-z] match as in file names
  path=P  id=I               device path or udev's by-path name; by-id name
  size>=N  size<=N  size=N   bytes, or with K M G T (powers of 1024) or KB MB
                             GB TB (powers of 1000); with a unit, size= takes
                             what differs by less than 1 %
  transport=nvme             or sata, sas, scsi, usb, virtio, mmc, ...
  rotational=no  removable=no  empty
  smallest  largest          of those that meet all other conditions";

/// How a disk to install to is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceSpec {
    /// By its path, or the name of a node in `/dev`.
    Path(PathBuf),
    /// By what it is.
    Selector(Selector),
}

/// Conditions that one disk must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    conditions: Vec<Condition>,
    pick: Option<Pick>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    Smallest,
    Largest,
}

/// Why a selector cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// A condition nobody knows.
    #[error("unknown condition `{0}`{1}")]
    Unknown(String, String),
    /// A value that its condition cannot have.
    #[error("`{condition}`: {why}")]
    Value {
        /// The condition as written.
        condition: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing at all.
    #[error("no disk is named")]
    Empty,
}

/// What is done about disks that somebody uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Busy {
    /// They cannot be selected.
    #[default]
    Refuse,
    /// They can: they will be released.
    Release,
}

/// A disk that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its path.
    pub path: PathBuf,
    /// What to recognise it by once it is claimed; nothing for regular files.
    pub identity: Option<DiskIdentity>,
}

impl DeviceSpec {
    /// Finds the disk among `disks`, which [`nestos_host::disks::all`] lists.
    pub fn resolve(&self, disks: &[Disk]) -> Result<PathBuf> {
        Ok(self.choose(disks, Busy::Refuse)?.path)
    }

    /// Finds the disk, and what to recognise it by. A disk named by its path is taken as it is:
    /// claiming it says what is wrong with it.
    pub fn choose(&self, disks: &[Disk], busy: Busy) -> Result<Chosen> {
        match self {
            Self::Path(path) => chosen_by_path(path),
            Self::Selector(selector) => {
                let disk = selector.only(disks, busy)?;
                Ok(Chosen { path: PathBuf::from(&disk.device), identity: Some(disk.identity()) })
            }
        }
    }
}

fn chosen_by_path(path: &Path) -> Result<Chosen> {
    let text = path.to_string_lossy();
    let node = Path::new("/dev").join(path);
    let bare = !text.contains('/') && !path.exists();
    let near = nestos_butane::closest(&text, KEYS).filter(|_| bare && !node.exists());
    if let Some(word) = near {
        return Err(anyhow!("there is neither a file nor a disk named {text}"))
            .hint(format!("did you mean the condition `{word}`?"));
    }
    let path = if bare && node.exists() { node } else { path.to_owned() };
    let identity = DiskIdentity::of(&path, Path::new("/sys"));
    Ok(Chosen { path, identity })
}

impl FromStr for DeviceSpec {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(SelectorError::Empty);
        }
        let first = trimmed.split(',').next().unwrap_or_default().trim();
        let compares = trimmed.contains(['=', '<', '>']);
        let path = trimmed.starts_with(['/', '.']) || !(compares || condition::is_word(first));
        if path {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        trimmed.parse().map(Self::Selector)
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Selector(selector) => f.write_str(&selector.text),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut selector = Self { text: text.to_owned(), conditions: Vec::new(), pick: None };
        for word in text.split(',').map(str::trim) {
            let pick = match word.to_ascii_lowercase().as_str() {
                "smallest" => Pick::Smallest,
                "largest" => Pick::Largest,
                _ => {
                    selector.conditions.push(word.parse()?);
                    continue;
                }
            };
            if selector.pick.replace(pick).is_some_and(|other| other != pick) {
                return Err(SelectorError::Value {
                    condition: word.to_owned(),
                    why: "a disk is not asked to be both the smallest and the largest".to_owned(),
                });
            }
        }
        Ok(selector)
    }
}

impl Selector {
    /// Returns the one disk that meets the conditions and can be used.
    fn only<'d>(&self, disks: &'d [Disk], busy: Busy) -> Result<&'d Disk> {
        let met: Vec<&Disk> = disks.iter().filter(|d| self.considers(d) && self.meets(d)).collect();
        let (usable, unusable): (Vec<&Disk>, Vec<&Disk>) =
            met.into_iter().partition(|d| is_usable(d, busy));
        match *self.picked(&usable) {
            [only] => Ok(only),
            [] if unusable.is_empty() => self.nothing(disks),
            [] => self.only_unusable(&unusable),
            ref several => self.several(several),
        }
    }

    /// Devices that only stand for a disk where somebody says so are looked at if they are named.
    fn considers(&self, disk: &Disk) -> bool {
        let mut names = self.conditions.iter().filter(|c| c.names_device());
        disk.offer == Offer::Shown || names.any(|c| c.is_met_by(disk))
    }

    fn meets(&self, disk: &Disk) -> bool {
        self.conditions.iter().all(|c| c.is_met_by(disk))
    }

    fn picked<'d>(&self, disks: &[&'d Disk]) -> Vec<&'d Disk> {
        let sizes = disks.iter().map(|d| d.size);
        let size = match self.pick {
            None => return disks.to_vec(),
            Some(Pick::Smallest) => sizes.min(),
            Some(Pick::Largest) => sizes.max(),
        };
        disks.iter().filter(|d| Some(d.size) == size).copied().collect()
    }

    fn nothing<T>(&self, disks: &[Disk]) -> Result<T> {
        let mut text = format!("no disk matches {}", self.text);
        let shown: Vec<&Disk> = disks.iter().filter(|d| self.considers(d)).collect();
        for disk in &shown {
            text.push_str(&describe::disk(disk));
            let failed = self.conditions.iter().filter(|c| !c.is_met_by(disk));
            let failed: Vec<String> = failed.map(ToString::to_string).collect();
            text.push_str(&format!("\n        does not match: {}", failed.join(", ")));
        }
        if shown.is_empty() {
            return Err(anyhow!("{text}: this machine has no disks"))
                .hint("the driver of their controller may be missing: see lsblk and dmesg");
        }
        Err(anyhow!(text)).hint("change the conditions, or give the path of the disk")
    }

    fn only_unusable<T>(&self, disks: &[&Disk]) -> Result<T> {
        let text = match disks {
            [_] => format!("the only disk that matches {} cannot be used", self.text),
            _ => format!("none of the disks that match {} can be used", self.text),
        };
        let listed: String = disks.iter().map(|d| describe::disk(d)).collect();
        let busy = disks.iter().any(|d| matches!(d.obstacle, Some(Obstacle::Busy(_))));
        Err(anyhow!("{text}{listed}")).hint(if busy {
            "choose another disk, or have its users ended with --release-holders"
        } else {
            "choose another disk"
        })
    }

    fn several<T>(&self, disks: &[&Disk]) -> Result<T> {
        let equally = match self.pick {
            None => format!("{} disks match {}", disks.len(), self.text),
            Some(Pick::Smallest) => format!("{} disks are equally small", disks.len()),
            Some(Pick::Largest) => format!("{} disks are equally large", disks.len()),
        };
        let listed: String = disks.iter().map(|d| describe::disk(d)).collect();
        let apart = describe::telling_apart(disks);
        Err(anyhow!("{equally}; exactly one must{listed}"))
            .hint(format!("add what only the one you mean has, such as {apart}"))
    }
}

fn is_usable(disk: &Disk, busy: Busy) -> bool {
    match &disk.obstacle {
        None => true,
        Some(Obstacle::Busy(_)) => busy == Busy::Release,
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
