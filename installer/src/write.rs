//! Writes an image so that the disk boots nothing before all of it is verified.
//!
//! [`Unsealed`] is a disk whose table holds nothing but saved partitions and whose body is being
//! written; the image's first MiB stays in memory and its backup table is dropped. Sealing takes a
//! [`Verified`]. What is written when is decided by [`Layout`]; each stage is synced.

use anyhow::{Context, Result};
use nestos_host::blockdev::{ClaimedDisk, Reread};
use nestos_host::gpt_disk::Table;
use nestos_host::term;

use crate::saved::{Layout, Patch, Stage};
use crate::trust::Verified;

/// What a disk does for the one who writes it; a claimed disk, or the record of a test.
pub trait Medium {
    /// Returns the size in bytes.
    fn size(&self) -> u64;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes `length` bytes at `offset` read as zeros.
    fn zero(&self, offset: u64, length: u64) -> Result<()>;
    /// Starts to bring what was written to the medium and does not wait for it; `false` while
    /// an earlier call is still at work.
    fn start_flush(&self) -> Result<bool> {
        Ok(true)
    }
    /// Waits until everything written is on the medium.
    fn sync(&self) -> Result<()>;
}

impl Medium for ClaimedDisk {
    fn size(&self) -> u64 {
        self.size()
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_at(bytes, offset)
    }

    fn zero(&self, offset: u64, length: u64) -> Result<()> {
        self.zero(offset, length)
    }

    fn start_flush(&self) -> Result<bool> {
        self.start_flush()
    }

    fn sync(&self) -> Result<()> {
        self.sync()
    }
}

/// A disk that boots nothing, on which a body is being written.
#[derive(Debug)]
pub struct Unsealed<'a, M> {
    pub(crate) disk: Below<'a, M>,
    pub(crate) table: &'a Table,
    layout: &'a Layout,
}

impl<'a, M: Medium> Unsealed<'a, M> {
    /// Erases the tables of the disk but for saved partitions: the point of no return.
    pub fn begin(disk: &'a M, layout: &'a Layout) -> Result<Self> {
        perform(disk, &layout.begin).context("cannot erase the tables of the disk")?;
        Ok(Self { disk: Below { disk, limit: layout.limit }, table: &layout.image, layout })
    }

    /// Makes the disk bootable, as planned when it was begun.
    pub fn seal(self, _verified: &Verified) -> Result<()> {
        self.disk.sync()?;
        perform(self.disk.disk, &self.layout.seal).context("cannot write the partition table")
    }
}

/// Makes a disk boot nothing after anything went wrong; saved partitions stay.
pub fn abandon(disk: &impl Medium, layout: &Layout) -> Result<()> {
    perform(disk, &layout.abandon).context("cannot erase the tables of the disk")
}

fn perform(disk: &impl Medium, stages: &[Stage]) -> Result<()> {
    for stage in stages {
        for patch in stage {
            match patch {
                Patch::Write { at, bytes } => disk.write_at(bytes, *at)?,
                Patch::Zero { at, length } => disk.zero(*at, *length)?,
            }
        }
        disk.sync()?;
    }
    Ok(())
}

/// The part of a disk before its first saved partition: what is written beyond is dropped. The
/// partitions of an image end before; its backup table need not.
#[derive(Debug)]
pub(crate) struct Below<'a, M> {
    disk: &'a M,
    limit: u64,
}

impl<M: Medium> Medium for Below<'_, M> {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let room = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        match &bytes[..bytes.len().min(room)] {
            [] => Ok(()),
            below => self.disk.write_at(below, offset),
        }
    }

    fn zero(&self, offset: u64, length: u64) -> Result<()> {
        match length.min(self.limit.saturating_sub(offset)) {
            0 => Ok(()),
            below => self.disk.zero(offset, below),
        }
    }

    fn start_flush(&self) -> Result<bool> {
        self.disk.start_flush()
    }

    fn sync(&self) -> Result<()> {
        self.disk.sync()
    }
}

impl<M> Below<'_, M> {
    /// Returns the first byte that is not written.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }
}

/// Lets the kernel see the partitions as they are now; the installation does not depend on it.
pub fn announce_partitions(disk: &ClaimedDisk) {
    match disk.reread_partitions() {
        Ok(Reread::Done | Reread::NotNeeded) => {}
        Err(e) => term::warning(format!(
            "the kernel did not read the partition table of {} again ({e:#}); it will at the \
             next boot",
            disk.path().display()
        )),
    }
}

#[cfg(test)]
mod tests;
