//! Erases what is on a disk so that nothing recognises it again: partition tables and the
//! signatures of file systems, LVM, RAID, encryption, swap and ZFS at both ends of the disk and of
//! every old partition, then everything else by discarding it where the device can do that.
//!
//! A plan is made first and can be shown; ranges to keep are never touched. Tables and the boot
//! sector go first, so a wipe that is cut off leaves a disk that boots nothing.

mod old;
mod signatures;

use std::fmt;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use crate::blockdev::{ClaimedDisk, Kind};
use crate::ioctl;

/// Bytes erased at the start of the disk and of each partition: the second header of LUKS2 may lie
/// at 4 MiB, the text of an LVM volume group takes 1 MiB.
const FRONT: u64 = 8 << 20;

/// Bytes erased at their ends: the last two labels of ZFS are within 768 KiB, the second text of
/// an LVM volume group within 1 MiB, RAID superblocks within 128 KiB.
const BACK: u64 = 2 << 20;

/// Where btrfs keeps copies of its superblock, and how much of each place is erased.
const BTRFS_COPIES: [u64; 2] = [64 << 20, 256 << 30];
const BTRFS_LENGTH: u64 = 64 << 10;

/// The smallest unit that all disks write.
const BLOCK: u64 = 4096;

/// How much is discarded at a time: what is under way can be interrupted only between two.
const DISCARD_STEP: u64 = 32 << 30;

/// What a wipe is going to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What was recognised outside the kept ranges, by place.
    pub found: Vec<Signature>,
    /// Ranges that get zeros, in the order in which they are written.
    pub zeros: Vec<Range<u64>>,
    /// Everything but the kept ranges, to be discarded.
    pub discard: Vec<Range<u64>>,
}

/// Something that programs recognise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What it belongs to, such as `btrfs` or `partition table (GPT)`.
    pub what: &'static str,
    /// Its first byte on the disk.
    pub at: u64,
    /// Number of the old partition it is in; `None` for the whole disk.
    pub partition: Option<u32>,
}

/// A part of a disk that had an owner: the disk itself, or an old partition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    partition: Option<u32>,
    range: Range<u64>,
}

impl Plan {
    /// Describes what is lost, one line for the disk and for each old partition.
    pub fn lines(&self) -> Vec<String> {
        let mut places: Vec<Option<u32>> = self.found.iter().map(|s| s.partition).collect();
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .map(|place| {
                let mut names: Vec<&str> =
                    self.found.iter().filter(|s| s.partition == place).map(|s| s.what).collect();
                names.sort_unstable();
                names.dedup();
                let place = match place {
                    Some(number) => format!("partition {number}"),
                    None => "the whole disk".to_owned(),
                };
                format!("{place}: {}", names.join(", "))
            })
            .collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Finds out what a wipe of the disk or file that `disk` is open on would erase; changes nothing.
pub fn plan(mut disk: &File, kept: &[Range<u64>]) -> Result<Plan> {
    let size = disk.seek(SeekFrom::End(0)).context("cannot get the size of the disk")?;
    let mut regions = vec![Region { partition: None, range: 0..size }];
    regions.extend(old::partitions(disk, size));
    let found: Vec<Signature> = regions.iter().flat_map(|r| signatures::find(disk, r)).collect();
    Ok(laid_out(size, &regions, found, kept))
}

/// Whether a wiped disk was also told that it holds nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// It was.
    Yes,
    /// It was not, for this reason: bytes that no signature leads to are still on it.
    No(String),
}

/// Erases what a plan for this disk says; asks `go_on` again and again.
pub fn run(disk: &ClaimedDisk, plan: &Plan, go_on: impl Fn() -> Result<()>) -> Result<Discarded> {
    for (i, range) in plan.zeros.iter().enumerate() {
        disk.zero(range.start, range.end - range.start)
            .with_context(|| format!("cannot wipe {}", disk.path().display()))?;
        if i == 0 {
            // Nothing else may be gone while the disk could still boot.
            disk.sync()?;
        }
    }
    disk.sync()?;
    for range in &plan.discard {
        let mut at = range.start;
        while at < range.end {
            go_on()?;
            let length = DISCARD_STEP.min(range.end - at);
            if let Err(e) = discard(disk, at, length) {
                return Ok(Discarded::No(format!("{e:#}")));
            }
            at += length;
        }
    }
    Ok(Discarded::Yes)
}

fn discard(disk: &ClaimedDisk, at: u64, length: u64) -> Result<()> {
    match disk.kind() {
        // A hole is what discarding makes of a file.
        Kind::File => disk.zero(at, length),
        Kind::Device(_) => match ioctl::discard(disk.file(), at, length) {
            Err(Errno::EOPNOTSUPP) => bail!("the device cannot discard"),
            other => other.with_context(|| format!("discarding {length} bytes at {at}")),
        },
    }
}

fn laid_out(size: u64, regions: &[Region], found: Vec<Signature>, kept: &[Range<u64>]) -> Plan {
    // The boot sector comes first: without it neither firmware nor Linux looks at a table. Then the
    // ends of the disk, with the table and its backup.
    let boot = std::iter::once(0..BLOCK.min(size));
    let ranges = boot.chain(regions.iter().flat_map(|region| {
        let Range { start, end } = region.range;
        let front = start..end.min(start.saturating_add(FRONT));
        let back = end.saturating_sub(BACK).max(start)..end;
        let copies = BTRFS_COPIES.into_iter().map(move |copy| {
            let at = start.saturating_add(copy).min(end);
            at..end.min(at.saturating_add(BTRFS_LENGTH))
        });
        [front, back].into_iter().chain(copies)
    }));
    let mut zeros: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let done = [zeros.as_slice(), kept].concat();
        zeros.extend(without(range, &done));
    }
    let discard = without(0..size, kept).into_iter().map(|r| {
        let start = r.start.next_multiple_of(BLOCK);
        start..(r.end / BLOCK * BLOCK).max(start)
    });
    let mut found = found;
    found.retain(|s| !kept.iter().any(|k| k.contains(&s.at)));
    // What belongs to a partition is found in the disk as well where their ends meet.
    let in_partition: Vec<u64> =
        found.iter().filter(|s| s.partition.is_some()).map(|s| s.at).collect();
    found.retain(|s| s.partition.is_some() || !in_partition.contains(&s.at));
    found.sort_by_key(|s| s.at);
    Plan { found, zeros, discard: discard.filter(|r| !r.is_empty()).collect() }
}

/// Returns the parts of `range` outside all of `others`.
fn without(range: Range<u64>, others: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = vec![range];
    for other in others.iter().filter(|o| !o.is_empty()) {
        parts = parts
            .into_iter()
            .flat_map(|p| [p.start..p.end.min(other.start), p.start.max(other.end)..p.end])
            .filter(|p| !p.is_empty())
            .collect();
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests;
