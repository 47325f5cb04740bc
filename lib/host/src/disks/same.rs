//! Whether the disk that was claimed is the one that was chosen: between the two, a name such as
//! `/dev/sdb` may pass to another disk.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use nix::sys::stat::{major, minor};

use super::{DeviceNumber, Disk, identity};
use crate::blockdev::ClaimedDisk;
use crate::disk_use::read_trimmed;
use crate::term::WithHint;

/// What tells one disk from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskIdentity {
    /// Numbers the kernel gave it.
    pub number: DeviceNumber,
    /// Size in bytes.
    pub size: u64,
    /// Serial number.
    pub serial: Option<String>,
}

impl Disk {
    /// Returns what this disk is recognised by.
    pub fn identity(&self) -> DiskIdentity {
        DiskIdentity { number: self.number.clone(), size: self.size, serial: self.serial.clone() }
    }
}

impl DiskIdentity {
    /// Reads the identity of the block device behind a path, if there is one.
    pub fn of(path: &Path, sysfs: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok().filter(|m| m.file_type().is_block_device())?;
        Some(Self::read(meta.rdev(), sysfs))
    }

    fn read(rdev: u64, sysfs: &Path) -> Self {
        let device = format!("{}:{}", major(rdev), minor(rdev));
        let dir: PathBuf = sysfs.join("dev/block").join(&device);
        let number = |p: &str| read_trimmed(&dir.join(p)).parse::<u64>().ok();
        Self {
            number: DeviceNumber { device, sequence: number("diskseq") },
            size: number("size").unwrap_or(0).saturating_mul(512),
            serial: identity::serial(&dir),
        }
    }

    /// Fails if the claimed disk is another one.
    pub fn check(&self, claimed: &ClaimedDisk) -> Result<()> {
        let rdev = claimed.file().metadata()?.rdev();
        let found = Self::read(rdev, Path::new("/sys"));
        if *self == found {
            return Ok(());
        }
        Err(anyhow!(
            "{} is no longer the disk that was chosen: that was {self}, this is {found}",
            claimed.path().display()
        ))
        .hint("a disk was attached or removed meanwhile; run the command again")
    }
}

impl fmt::Display for DiskIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.number.device)?;
        if let Some(sequence) = self.number.sequence {
            write!(f, " (disk {sequence} of this boot)")?;
        }
        write!(f, " of {} bytes", self.size)?;
        match &self.serial {
            Some(serial) => write!(f, " with the serial number {serial}"),
            None => Ok(()),
        }
    }
}
