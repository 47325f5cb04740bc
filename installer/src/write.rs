//! Writes an image so that the disk boots nothing before all of it is verified.
//!
//! [`Unsealed`] is a disk whose tables are gone and whose body is being written; the image's
//! first MiB stays in memory and its backup table is dropped. Sealing takes a [`Verified`] and
//! writes, with a sync between each: the backup table at the end of this disk, the primary table,
//! and last of all the boot sector, without which neither BIOS, UEFI nor Linux sees a table.

use anyhow::{Context, Result, bail};
use nestos_host::blockdev::{ClaimedDisk, Reread};
use nestos_host::gpt_disk::{HEAD, Placed, Table};
use nestos_host::interrupt::Guard;
use nestos_host::term;

use crate::checked::Verified;
use crate::progress::Progress;
use crate::stream::{ImageStream, Piece};

/// Runs of zeros this long are made by the kernel instead of being written.
const BLOCK: usize = 64 * 1024;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Bytes after which the disk is synced, so that progress tells what is really written.
const SYNC_EVERY: u64 = 128 * 1024 * 1024;

/// A disk without tables, on which a body is being written.
#[derive(Debug)]
pub struct Unsealed<'a> {
    disk: &'a ClaimedDisk,
    table: &'a Table,
}

impl<'a> Unsealed<'a> {
    /// Erases the tables of the disk: the point of no return.
    pub fn begin(disk: &'a ClaimedDisk, table: &'a Table) -> Result<Self> {
        erase_ends(disk)?;
        // The old partitions are gone for the kernel, too: nobody can mount one meanwhile.
        announce_partitions(disk);
        Ok(Self { disk, table })
    }

    /// Writes everything of the image but its first MiB and its backup table.
    pub fn write_body(&self, stream: &ImageStream, guard: &Guard) -> Result<Verified> {
        let size = self.table.disk_size();
        let mut progress = Progress::start(size);
        let mut at = HEAD;
        let mut synced = at;
        loop {
            match stream.next(|| guard.check())? {
                Piece::Bytes(bytes) => {
                    if at + bytes.len() as u64 > size {
                        bail!(
                            "the image is longer than its partition table says ({size} bytes): \
                             it has garbage at its end"
                        );
                    }
                    self.write_piece(&bytes, at)?;
                    at += bytes.len() as u64;
                    if at - synced >= SYNC_EVERY {
                        self.disk.sync()?;
                        synced = at;
                    }
                    progress.set(at);
                }
                Piece::End(verified) => {
                    if at != size {
                        bail!("the image is cut off: it ends after {at} of {size} bytes");
                    }
                    self.disk.sync()?;
                    progress.finish(size);
                    return Ok(verified);
                }
            }
        }
    }

    /// Makes the disk bootable: `placed` is the image's table for this disk.
    pub fn seal(self, placed: &Placed, _verified: &Verified) -> Result<()> {
        let sector = self.table.sector_size().bytes() as usize;
        self.disk.sync()?;
        self.disk.write_at(&placed.backup, placed.backup_at)?;
        self.disk.sync()?;
        self.disk.write_at(&placed.head[sector..], sector as u64)?;
        self.disk.sync()?;
        self.disk.write_at(&placed.head[..sector], 0)?;
        self.disk.sync()
    }

    /// Writes one piece, runs of zeros included: nothing of the old content stays.
    fn write_piece(&self, bytes: &[u8], at: u64) -> Result<()> {
        let end = self.table.body_end();
        let mut start = 0;
        while start < bytes.len() {
            let zero = is_zero(bytes, start);
            let mut stop = start;
            while stop < bytes.len() && is_zero(bytes, stop) == zero {
                stop = (stop + BLOCK).min(bytes.len());
            }
            let (from, to) = (at + start as u64, at + stop as u64);
            // The image's own backup table would let UEFI boot an unfinished disk.
            let keep = usize::try_from(end.clamp(from, to) - at).unwrap_or(stop);
            if zero {
                self.disk.zero(from, to - from)?;
            } else {
                self.disk.write_at(&bytes[start..keep], from)?;
                if keep < stop {
                    self.disk.zero(at + keep as u64, (stop - keep) as u64)?;
                }
            }
            start = stop;
        }
        Ok(())
    }
}

/// Makes a disk boot nothing: zeros where tables and signatures are, at both ends. Used before
/// anything else is written, and after anything went wrong.
pub fn erase_ends(disk: &ClaimedDisk) -> Result<()> {
    let length = HEAD.min(disk.size());
    disk.zero(0, length)?;
    disk.zero(disk.size() - length, length)?;
    disk.sync().with_context(|| format!("cannot erase the tables of {}", disk.path().display()))
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

fn is_zero(bytes: &[u8], from: usize) -> bool {
    let block = &bytes[from..(from + BLOCK).min(bytes.len())];
    *block == ZEROS[..block.len()]
}
