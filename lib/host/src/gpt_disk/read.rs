//! Reads a table from the first or the last bytes of a disk.

use std::ops::RangeInclusive;

use super::bytes::{crc32, u32_at, u64_at, without_checksum};
use super::{
    ENTRY_LEN, Entry, GptError, HEAD_LEN, HEADER_LEN, Partition, SIGNATURE, SectorSize, Table,
};

impl Table {
    /// Reads the table in the first MiB of an image, whatever its sector size.
    pub fn parse(head: &[u8]) -> Result<Self, GptError> {
        let head = head.get(..HEAD_LEN).ok_or(GptError::Short(head.len()))?;
        let found = [SectorSize::S512, SectorSize::S4096]
            .into_iter()
            .find(|s| head[s.len()..].starts_with(SIGNATURE));
        Self::parse_primary(head, found.ok_or(GptError::Missing)?)
    }

    /// Reads the primary table in the first MiB of a disk with sectors of that size.
    pub fn parse_primary(head: &[u8], sector: SectorSize) -> Result<Self, GptError> {
        let head = head.get(..HEAD_LEN).ok_or(GptError::Short(head.len()))?;
        let header = header_at(head, sector.len(), sector, 1)?;
        let backup_lba = u64_at(header, 32);
        let at = usize::try_from(u64_at(header, 72)).unwrap_or(usize::MAX);
        let at = at.saturating_mul(sector.len());
        if at < 2 * sector.len() {
            return Err(UNUSUAL_ENTRIES);
        }
        read_table(head, header, sector, Place { backup_lba, entries_at: at })
    }

    /// Reads the backup table in `tail`, the last bytes of a disk with sectors of that size; the
    /// last sector of the disk is number `last_lba`, and `tail` ends with it.
    pub fn parse_backup(tail: &[u8], last_lba: u64, sector: SectorSize) -> Result<Self, GptError> {
        let header_at_byte =
            tail.len().checked_sub(sector.len()).ok_or(GptError::Short(tail.len()))?;
        let header = header_at(tail, header_at_byte, sector, last_lba)?;
        // Sectors between the entries and the header, whose places are counted from the front.
        let distance = last_lba.checked_sub(u64_at(header, 72));
        let at = distance
            .and_then(|d| usize::try_from(d).ok())
            .and_then(|d| header_at_byte.checked_sub(d.checked_mul(sector.len())?))
            .ok_or(UNUSUAL_ENTRIES)?;
        let table =
            read_table(tail, header, sector, Place { backup_lba: last_lba, entries_at: at })?;
        if u64_at(header, 72) <= table.last_usable
            || table.entries_at + table.entries_len > header_at_byte
        {
            return Err(UNUSUAL_ENTRIES);
        }
        Ok(table)
    }
}

const UNUSUAL_ENTRIES: GptError = GptError::Damaged("its entries have an unusual size or place");

/// Where a table says it is.
struct Place {
    backup_lba: u64,
    entries_at: usize,
}

/// Returns the sector at byte `at` of `bytes`, once it proved to be the header of sector `lba`.
fn header_at(bytes: &[u8], at: usize, sector: SectorSize, lba: u64) -> Result<&[u8], GptError> {
    let header = &bytes[at..at + sector.len()];
    if !header.starts_with(SIGNATURE) {
        return Err(GptError::Missing);
    }
    let damaged = GptError::Damaged;
    let length = usize::try_from(u32_at(header, 12)).unwrap_or(usize::MAX);
    if !(HEADER_LEN..=header.len()).contains(&length) {
        return Err(damaged("the length of its header is impossible"));
    }
    if crc32(&without_checksum(&header[..length])) != u32_at(header, 16) {
        return Err(damaged("the checksum of its header is wrong"));
    }
    if u64_at(header, 24) != lba {
        return Err(damaged("its header belongs at another place"));
    }
    Ok(header)
}

fn read_table(
    bytes: &[u8],
    header: &[u8],
    sector_size: SectorSize,
    Place { backup_lba, entries_at }: Place,
) -> Result<Table, GptError> {
    let first_usable = u64_at(header, 40);
    let last_usable = u64_at(header, 48);
    // A disk of 2^63 bytes is the most a file offset can reach.
    let reachable = i64::MAX.unsigned_abs() / u64::from(sector_size.bytes());
    if first_usable > last_usable || last_usable >= backup_lba || backup_lba >= reachable {
        return Err(GptError::Damaged("its bounds are out of order"));
    }
    let count = usize::try_from(u32_at(header, 80)).unwrap_or(usize::MAX);
    let entries_len = count.saturating_mul(ENTRY_LEN);
    let stored = bytes.get(entries_at..entries_at.saturating_add(entries_len));
    let Some(stored) = stored.filter(|_| u32_at(header, 84) as usize == ENTRY_LEN && count > 0)
    else {
        return Err(UNUSUAL_ENTRIES);
    };
    if crc32(stored) != u32_at(header, 88) {
        return Err(GptError::Damaged("the checksum of its entries is wrong"));
    }
    let entries = read_entries(stored, &(first_usable..=last_usable))?;
    let partitions: Vec<_> = entries.iter().map(|e| e.partition(sector_size)).collect();
    check_overlaps(&partitions)?;
    let mut disk_guid = [0; 16];
    disk_guid.copy_from_slice(&header[56..72]);
    Ok(Table {
        sector_size,
        backup_lba,
        last_usable,
        disk_guid,
        entries_at,
        entries_len,
        entries,
        partitions,
    })
}

fn read_entries(stored: &[u8], bounds: &RangeInclusive<u64>) -> Result<Vec<Entry>, GptError> {
    let raw = stored.chunks_exact(ENTRY_LEN).enumerate();
    let entries: Vec<Entry> = raw.filter_map(|(i, raw)| Entry::read(i + 1, raw)).collect();
    let inside = |e: &Entry| {
        let (first, last) = (e.first_lba(), e.last_lba());
        first <= last && bounds.contains(&first) && bounds.contains(&last)
    };
    if !entries.iter().all(inside) {
        return Err(GptError::Damaged("a partition lies outside the usable space"));
    }
    Ok(entries)
}

fn check_overlaps(partitions: &[Partition]) -> Result<(), GptError> {
    let mut by_start: Vec<&Partition> = partitions.iter().collect();
    by_start.sort_by_key(|p| p.start);
    if by_start.windows(2).any(|w| w[0].end() > w[1].start) {
        return Err(GptError::Damaged("two partitions overlap"));
    }
    Ok(())
}
