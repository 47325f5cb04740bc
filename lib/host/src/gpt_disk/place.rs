//! Lays tables out for a disk of a given size.

use super::bytes::{crc32, put_u64, u32_at, without_checksum};
use super::{
    ENTRIES, ENTRY_LEN, Entry, GptError, Guid, HEAD, HEAD_LEN, HEADER_LEN, PROTECTIVE, SIGNATURE,
    SectorSize, Table,
};

/// The table of a disk of a given size: where each part of it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The first MiB: boot sector, header, entries and what lies between.
    pub head: Vec<u8>,
    /// Backup entries and backup header, up to the end of the disk.
    pub backup: Vec<u8>,
    /// Where the backup starts.
    pub backup_at: u64,
}

/// A table that does not come from an image: nothing but partitions, and nothing that boots.
#[derive(Debug, Clone, Copy)]
pub struct Bare<'a> {
    /// Sector size of the disk.
    pub sector: SectorSize,
    /// GUID of the disk.
    pub disk_guid: Guid,
    /// The partitions.
    pub entries: &'a [Entry],
    /// Byte of the head at which the primary entries start: a whole sector.
    pub entries_at: usize,
}

impl Table {
    /// Lays the table of `head`, from which `self` was read, out for a disk of `size` bytes.
    pub fn place(&self, head: &[u8], size: u64) -> Result<Placed, GptError> {
        self.place_with(head, &[], size)
    }

    /// Lays the table of `head` out for a disk of `size` bytes, with `more` entries whose numbers
    /// are free.
    pub fn place_with(&self, head: &[u8], more: &[Entry], size: u64) -> Result<Placed, GptError> {
        let needed = self.disk_size();
        if size < needed || head.len() != HEAD_LEN {
            return Err(GptError::TooSmall { disk: size, needed });
        }
        let mut head = head.to_vec();
        put_entries(&mut head[self.entries_range()], more)?;
        let layout = Ends {
            sector: self.sector_size,
            entries: self.entries_range(),
            last_usable: self.last_usable,
        };
        layout.finish(head, size)
    }
}

impl Bare<'_> {
    /// Lays the table out for a disk of `size` bytes; no partition starts in the first MiB.
    pub fn place(&self, size: u64) -> Result<Placed, GptError> {
        let sector = self.sector;
        let entries = self.entries_at..self.entries_at + ENTRIES * ENTRY_LEN;
        let mut head = vec![0; HEAD_LEN];
        put_entries(&mut head[entries.clone()], self.entries)?;
        head[446..462].copy_from_slice(&protective_entry());
        head[510..512].copy_from_slice(&[0x55, 0xAA]);
        let header = &mut head[sector.len()..][..sector.len()];
        header[..8].copy_from_slice(SIGNATURE);
        header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
        header[56..72].copy_from_slice(&self.disk_guid);
        put_u64(header, 24, 1);
        put_u64(header, 40, HEAD / u64::from(sector.bytes()));
        put_u64(header, 72, (self.entries_at / sector.len()) as u64);
        put_u64(header, 80, (ENTRIES | ENTRY_LEN << 32) as u64);
        let last_usable = self.entries.iter().map(Entry::last_lba).max().unwrap_or(0);
        Ends { sector, entries, last_usable }.finish(head, size)
    }
}

/// What both ends of a disk depend on.
struct Ends {
    sector: SectorSize,
    /// Place of the entries in the head.
    entries: std::ops::Range<usize>,
    /// Last sector that must stay usable.
    last_usable: u64,
}

impl Ends {
    /// Makes header, protective MBR and backup fit a disk of `size` bytes.
    fn finish(self, mut head: Vec<u8>, size: u64) -> Result<Placed, GptError> {
        let sector = u64::from(self.sector.bytes());
        let entry_sectors = self.entries.len().div_ceil(self.sector.len());
        let used = entry_sectors as u64 + 1;
        let needed = self.last_usable.saturating_add(1 + used).saturating_mul(sector);
        // The backup may need more room than the image's own did.
        let backup_lba = (size / sector)
            .checked_sub(1)
            .filter(|lba| lba.checked_sub(used).is_some_and(|l| l >= self.last_usable))
            .ok_or(GptError::TooSmall { disk: size, needed })?;
        let entries_lba = backup_lba - entry_sectors as u64;
        let sum = crc32(&head[self.entries.clone()]);
        let at = self.sector.len();
        let primary = &mut head[at..at * 2];
        put_u64(primary, 32, backup_lba);
        put_u64(primary, 48, entries_lba - 1);
        primary[88..92].copy_from_slice(&sum.to_le_bytes());
        let mut secondary = primary.to_vec();
        put_u64(&mut secondary, 24, backup_lba);
        put_u64(&mut secondary, 32, 1);
        put_u64(&mut secondary, 72, entries_lba);
        seal_header(primary);
        seal_header(&mut secondary);
        resize_protective_mbr(&mut head, backup_lba)?;
        let mut backup = head[self.entries].to_vec();
        backup.resize(entry_sectors * self.sector.len(), 0);
        backup.extend(secondary);
        Ok(Placed { head, backup, backup_at: entries_lba * sector })
    }
}

/// Puts entries where nothing is yet.
fn put_entries(array: &mut [u8], entries: &[Entry]) -> Result<(), GptError> {
    for entry in entries {
        let mut places = array.chunks_exact_mut(ENTRY_LEN);
        let place = entry.number().checked_sub(1).and_then(|i| places.nth(i));
        let free = place.filter(|p| p[..16].iter().all(|b| *b == 0));
        let free = free.ok_or(GptError::NoSuchNumber(entry.number()))?;
        free.copy_from_slice(entry.raw());
    }
    Ok(())
}

/// The partition of an MBR that covers all of a disk, without its size (UEFI 5.2.3).
fn protective_entry() -> [u8; 16] {
    [0, 0, 2, 0, PROTECTIVE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0]
}

fn resize_protective_mbr(head: &mut [u8], sectors: u64) -> Result<(), GptError> {
    if head[510..512] != [0x55, 0xAA] {
        return Err(GptError::NoProtectiveMbr);
    }
    let at = [446, 462, 478, 494].into_iter().find(|at| head[at + 4] == PROTECTIVE);
    let at = at.ok_or(GptError::NoProtectiveMbr)?;
    let size = u32::try_from(sectors).unwrap_or(u32::MAX);
    head[at + 12..at + 16].copy_from_slice(&size.to_le_bytes());
    Ok(())
}

/// Writes the checksum of a header that was changed; its length was checked when it was read.
pub(super) fn seal_header(header: &mut [u8]) {
    let length = usize::try_from(u32_at(header, 12)).unwrap_or(HEADER_LEN);
    let sum = crc32(&without_checksum(&header[..length]));
    header[16..20].copy_from_slice(&sum.to_le_bytes());
}
