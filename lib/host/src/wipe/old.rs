//! The partitions of whatever table a disk has, read as forgivingly as possible: a damaged table
//! still tells where signatures may be.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::Region;

const SECTORS: [u64; 2] = [512, 4096];

/// Most partitions that are looked at, of each table.
const MOST: u32 = 256;

/// Types of MBR partitions that hold more partitions.
const EXTENDED: [u8; 3] = [0x05, 0x0F, 0x85];

pub(super) fn partitions(disk: &File, size: u64) -> Vec<Region> {
    let mut found = Vec::new();
    for sector in SECTORS {
        for header in [sector, size.saturating_sub(sector)] {
            gpt(disk, header, sector, &mut found);
        }
    }
    if found.is_empty() {
        mbr(disk, &mut found);
    }
    found.retain(|r: &Region| r.range.start < r.range.end && r.range.end <= size);
    found.sort_by_key(|r| (r.range.start, r.range.end));
    found.dedup_by(|a, b| a.range == b.range);
    found
}

/// Reads `N` bytes; what cannot be read holds nothing that could be recognised.
fn bytes<const N: usize>(disk: &File, at: u64) -> Option<[u8; N]> {
    let mut buf = [0; N];
    disk.read_exact_at(&mut buf, at).ok()?;
    Some(buf)
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    u64::from(u32::from_le_bytes(word.unwrap_or_default()))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u32_at(bytes, at) | u32_at(bytes, at + 4) << 32
}

/// Adds the partitions of a GPT with its header at `at` (UEFI specification 2.10, 5.3).
fn gpt(disk: &File, at: u64, sector: u64, found: &mut Vec<Region>) {
    let Some(header) = bytes::<92>(disk, at).filter(|h| h.starts_with(b"EFI PART")) else { return };
    let (table, length) = (u64_at(&header, 72), u32_at(&header, 84).max(128));
    let count = u32::try_from(u32_at(&header, 80)).unwrap_or(MOST).min(MOST);
    for number in 1..=count {
        let Some(place) = table
            .checked_mul(sector)
            .and_then(|table| table.checked_add(u64::from(number - 1).checked_mul(length)?))
        else {
            return;
        };
        let Some(entry) = bytes::<48>(disk, place) else { return };
        if entry[..16].iter().any(|b| *b != 0) {
            let (first, last) = (u64_at(&entry, 32), u64_at(&entry, 40));
            add(found, number, first, last.saturating_add(1), sector);
        }
    }
}

/// Adds the partitions of an MBR, those inside an extended one included.
fn mbr(disk: &File, found: &mut Vec<Region>) {
    let Some(entries) = entries(disk, 0) else { return };
    for (number, (kind, first, length)) in (1..).zip(entries) {
        add(found, number, first, first + length, 512);
        if EXTENDED.contains(&kind) {
            logical(disk, first, found);
        }
    }
}

/// Follows the chain of records in an extended partition.
fn logical(disk: &File, base: u64, found: &mut Vec<Region>) {
    let mut record = base;
    for number in 5..MOST {
        let Some([inside, next, ..]) = entries(disk, record.saturating_mul(512)) else { return };
        let first = record.saturating_add(inside.1);
        add(found, number, first, first.saturating_add(inside.2), 512);
        // Their places count from the extended partition, and only ever go forward.
        let after = base.saturating_add(next.1);
        if next.2 == 0 || after <= record {
            return;
        }
        record = after;
    }
}

/// Reads type, first sector and length of the four entries of a boot record.
fn entries(disk: &File, at: u64) -> Option<[(u8, u64, u64); 4]> {
    let record = bytes::<512>(disk, at).filter(|r| r.ends_with(&[0x55, 0xAA]))?;
    Some(
        [446, 462, 478, 494]
            .map(|at| (record[at + 4], u32_at(&record, at + 8), u32_at(&record, at + 12))),
    )
}

fn add(found: &mut Vec<Region>, number: u32, first: u64, end: u64, sector: u64) {
    let range: Option<Range<u64>> =
        first.checked_mul(sector).zip(end.checked_mul(sector)).map(|(first, end)| first..end);
    // One that starts at 0 is the protective entry of an MBR.
    if let Some(range) = range.filter(|r| r.start > 0) {
        found.push(Region { partition: Some(number), range });
    }
}
