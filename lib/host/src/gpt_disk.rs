//! GUID partition tables as bytes (UEFI specification 2.10, chapter 5): reads the table in the
//! first MiB of an image, strictly, and lays it out again for a disk of another size. Partition
//! numbers, unused entries and boot code are kept; only sizes and places change.

use thiserror::Error;

/// Bytes at the start of a disk that hold the whole primary table and everything that boots.
pub const HEAD: u64 = 1024 * 1024;

/// [`HEAD`] as a length in memory.
pub const HEAD_LEN: usize = 1024 * 1024;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const HEADER_LEN: usize = 92;
const ENTRY_LEN: usize = 128;
const PROTECTIVE: u8 = 0xEE;

/// Why the first MiB of an image holds no table we can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GptError {
    /// Fewer bytes than the head of a disk.
    #[error("{0} bytes are too few for a disk image; the smallest has 1 MiB")]
    Short(usize),
    /// No signature at either place.
    #[error("no GUID partition table was found (neither for 512 nor for 4096-byte sectors)")]
    Missing,
    /// The table contradicts itself.
    #[error("the GUID partition table is damaged: {0}")]
    Damaged(&'static str),
    /// The boot sector does not announce a GUID partition table.
    #[error("the boot sector holds no protective MBR")]
    NoProtectiveMbr,
    /// The disk cannot hold the partitions.
    #[error("the disk has {disk} bytes; the image needs {needed}")]
    TooSmall {
        /// Size of the disk.
        disk: u64,
        /// Size needed.
        needed: u64,
    },
}

/// Logical sector size of a disk or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectorSize {
    /// 512 bytes.
    S512,
    /// 4096 bytes.
    S4096,
}

impl SectorSize {
    /// Returns the number of bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Self::S512 => 512,
            Self::S4096 => 4096,
        }
    }

    /// Returns the kind for a number of bytes, if it is one we know.
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        match bytes {
            512 => Some(Self::S512),
            4096 => Some(Self::S4096),
            _ => None,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::S512 => 512,
            Self::S4096 => 4096,
        }
    }
}

/// One partition in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number, from 1.
    pub number: usize,
    /// Name in the table.
    pub name: String,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
}

/// A checked partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    sector_size: SectorSize,
    backup_lba: u64,
    last_usable: u64,
    entries_at: usize,
    entries_len: usize,
    partitions: Vec<Partition>,
}

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

impl Table {
    /// Reads the table in the first MiB of an image or a disk.
    pub fn parse(head: &[u8]) -> Result<Self, GptError> {
        let head = head.get(..HEAD_LEN).ok_or(GptError::Short(head.len()))?;
        let found = [SectorSize::S512, SectorSize::S4096]
            .into_iter()
            .find(|s| head[s.len()..].starts_with(SIGNATURE));
        let sector_size = found.ok_or(GptError::Missing)?;
        let header = &head[sector_size.len()..sector_size.len() * 2];
        check_header(header)?;
        let damaged = GptError::Damaged;
        let first_usable = u64_at(header, 40);
        let last_usable = u64_at(header, 48);
        let backup_lba = u64_at(header, 32);
        // A disk of 2^63 bytes is the most a file offset can reach.
        let reachable = i64::MAX.unsigned_abs() / u64::from(sector_size.bytes());
        if first_usable > last_usable || last_usable >= backup_lba || backup_lba >= reachable {
            return Err(damaged("its bounds are out of order"));
        }
        let (entries_at, entries_len) = entries_place(header, sector_size)?;
        let entries = &head[entries_at..entries_at + entries_len];
        if crc32(entries) != u32_at(header, 88) {
            return Err(damaged("the checksum of its entries is wrong"));
        }
        let bounds = first_usable..=last_usable;
        let partitions = read_entries(entries, &bounds, sector_size)?;
        Ok(Self { sector_size, backup_lba, last_usable, entries_at, entries_len, partitions })
    }

    /// Returns the sector size the table was made for.
    pub fn sector_size(&self) -> SectorSize {
        self.sector_size
    }

    /// Returns the partitions in use, by number.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Returns the size of the disk the table was made for: the size of a whole image.
    pub fn disk_size(&self) -> u64 {
        (self.backup_lba + 1) * u64::from(self.sector_size.bytes())
    }

    /// Returns the first byte that no partition may use; the backup table follows.
    pub fn body_end(&self) -> u64 {
        (self.last_usable + 1) * u64::from(self.sector_size.bytes())
    }

    /// Lays the table of `head`, from which `self` was read, out for a disk of `size` bytes.
    pub fn place(&self, head: &[u8], size: u64) -> Result<Placed, GptError> {
        let sector = u64::from(self.sector_size.bytes());
        let needed = self.disk_size();
        let entry_sectors = self.entries_len.div_ceil(self.sector_size.len());
        let too_small = GptError::TooSmall { disk: size, needed };
        if size < needed || head.len() != HEAD_LEN {
            return Err(too_small);
        }
        let backup_lba = size / sector - 1;
        // The backup may need more room than the image's own did.
        let entries_lba = backup_lba
            .checked_sub(entry_sectors as u64)
            .filter(|lba| *lba > self.last_usable)
            .ok_or(too_small)?;
        let mut head = head.to_vec();
        let at = self.sector_size.len();
        let mut primary = head[at..at * 2].to_vec();
        put_u64(&mut primary, 32, backup_lba);
        put_u64(&mut primary, 48, entries_lba - 1);
        let mut secondary = primary.clone();
        put_u64(&mut secondary, 24, backup_lba);
        put_u64(&mut secondary, 32, 1);
        put_u64(&mut secondary, 72, entries_lba);
        seal_header(&mut primary);
        seal_header(&mut secondary);
        head[at..at * 2].copy_from_slice(&primary);
        resize_protective_mbr(&mut head, size / sector - 1)?;
        let mut backup = head[self.entries_at..self.entries_at + self.entries_len].to_vec();
        backup.resize(entry_sectors * self.sector_size.len(), 0);
        backup.extend(secondary);
        Ok(Placed { head, backup, backup_at: entries_lba * sector })
    }
}

fn check_header(header: &[u8]) -> Result<(), GptError> {
    let damaged = GptError::Damaged;
    let length = usize::try_from(u32_at(header, 12)).unwrap_or(usize::MAX);
    if !(HEADER_LEN..=header.len()).contains(&length) {
        return Err(damaged("the length of its header is impossible"));
    }
    if crc32(&without_checksum(&header[..length])) != u32_at(header, 16) {
        return Err(damaged("the checksum of its header is wrong"));
    }
    if u64_at(header, 24) != 1 {
        return Err(damaged("its header belongs at another place"));
    }
    Ok(())
}

fn entries_place(header: &[u8], sector: SectorSize) -> Result<(usize, usize), GptError> {
    let count = usize::try_from(u32_at(header, 80)).unwrap_or(usize::MAX);
    let at = usize::try_from(u64_at(header, 72)).unwrap_or(usize::MAX);
    let at = at.saturating_mul(sector.len());
    let length = count.saturating_mul(ENTRY_LEN);
    let fits = at >= 2 * sector.len() && at.saturating_add(length) <= HEAD_LEN;
    if u32_at(header, 84) as usize != ENTRY_LEN || count == 0 || !fits {
        return Err(GptError::Damaged("its entries have an unusual size or place"));
    }
    Ok((at, length))
}

fn read_entries(
    entries: &[u8],
    bounds: &std::ops::RangeInclusive<u64>,
    sector: SectorSize,
) -> Result<Vec<Partition>, GptError> {
    let mut partitions = Vec::new();
    for (index, entry) in entries.chunks_exact(ENTRY_LEN).enumerate() {
        if entry[..16].iter().all(|b| *b == 0) {
            continue;
        }
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        if first > last || !bounds.contains(&first) || !bounds.contains(&last) {
            return Err(GptError::Damaged("a partition lies outside the usable space"));
        }
        let units: Vec<u16> =
            entry[56..].chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        let end = units.iter().position(|u| *u == 0).unwrap_or(units.len());
        partitions.push(Partition {
            number: index + 1,
            name: String::from_utf16_lossy(&units[..end]),
            start: first * u64::from(sector.bytes()),
            length: (last - first + 1) * u64::from(sector.bytes()),
        });
    }
    let mut by_start: Vec<&Partition> = partitions.iter().collect();
    by_start.sort_by_key(|p| p.start);
    if by_start.windows(2).any(|w| w[0].start + w[0].length > w[1].start) {
        return Err(GptError::Damaged("two partitions overlap"));
    }
    Ok(partitions)
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
fn seal_header(header: &mut [u8]) {
    let length = usize::try_from(u32_at(header, 12)).unwrap_or(HEADER_LEN);
    let sum = crc32(&without_checksum(&header[..length]));
    header[16..20].copy_from_slice(&sum.to_le_bytes());
}

fn without_checksum(header: &[u8]) -> Vec<u8> {
    let mut copy = header.to_vec();
    copy[16..20].fill(0);
    copy
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |c| u32::from_le_bytes(*c))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |c| u64::from_le_bytes(*c))
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// CRC-32 as in ISO 3309, bit by bit: a table is 16 KiB.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, proptest};

    const SIZE: u64 = 8 * HEAD;

    /// A table with partitions 1 and 3, as bytes: written by hand from the specification.
    fn head() -> Vec<u8> {
        let mut head = vec![0; HEAD_LEN];
        head[..4].copy_from_slice(b"boot");
        head[446 + 4] = PROTECTIVE;
        head[510..512].copy_from_slice(&[0x55, 0xAA]);
        for (index, first, last, name) in [(0, 2048, 4095, "a"), (2, 4096, 8191, "boot")] {
            let entry = &mut head[1024 + index * ENTRY_LEN..][..ENTRY_LEN];
            entry[..16].fill(7);
            put_u64(entry, 32, first);
            put_u64(entry, 40, last);
            for (i, unit) in name.encode_utf16().enumerate() {
                entry[56 + i * 2..58 + i * 2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        let entries_sum = crc32(&head[1024..1024 + 128 * ENTRY_LEN]);
        let header = &mut head[512..1024];
        header[..8].copy_from_slice(SIGNATURE);
        header[10] = 1;
        header[12] = 92;
        for (at, value) in [(24, 1), (32, SIZE / 512 - 1), (40, 34), (48, SIZE / 512 - 34), (72, 2)]
        {
            put_u64(header, at, value);
        }
        header[80] = 128;
        header[84] = 128;
        header[88..92].copy_from_slice(&entries_sum.to_le_bytes());
        seal_header(header);
        head
    }

    #[test]
    fn a_table_tells_sizes_and_partitions() {
        let table = Table::parse(&head()).unwrap();
        assert_eq!((table.sector_size(), table.disk_size()), (SectorSize::S512, SIZE));
        assert_eq!(table.body_end(), SIZE - 33 * 512);
        let boot = Partition { number: 3, name: "boot".into(), start: 2 * HEAD, length: 2 * HEAD };
        assert_eq!(table.partitions()[1], boot);
    }

    #[test]
    fn a_placed_table_reads_back_for_the_new_size_with_everything_else_kept() {
        let (head, size) = (head(), 3 * SIZE + 512 + 100);
        let table = Table::parse(&head).unwrap();
        let placed = table.place(&head, size).unwrap();
        let moved = Table::parse(&placed.head).unwrap();
        assert_eq!(moved.disk_size(), size / 512 * 512);
        assert_eq!(moved.partitions(), table.partitions());
        assert_eq!(placed.backup_at, moved.body_end());
        assert_eq!(placed.backup_at + placed.backup.len() as u64, moved.disk_size());
        assert_eq!(placed.head[..446], head[..446]);
        assert_eq!(placed.head[1024..], head[1024..]);
        assert_eq!(placed.backup[..128 * ENTRY_LEN], head[1024..1024 + 128 * ENTRY_LEN]);
        // The backup header is a header in its own right that points back.
        let backup = &placed.backup[placed.backup.len() - 512..];
        assert_eq!(crc32(&without_checksum(&backup[..92])), u32_at(backup, 16));
        assert_eq!((u64_at(backup, 24), u64_at(backup, 32)), (size / 512 - 1, 1));
        assert_eq!(u64_at(backup, 72) * 512, placed.backup_at);
    }

    #[test]
    fn a_disk_that_is_too_small_is_refused() {
        let table = Table::parse(&head()).unwrap();
        assert!(table.place(&head(), SIZE).is_ok());
        let too_small = GptError::TooSmall { disk: SIZE - 512, needed: SIZE };
        assert_eq!(table.place(&head(), SIZE - 512), Err(too_small));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let changed = |at: usize, value: u64| {
            let mut head = head();
            put_u64(&mut head, 512 + at, value);
            seal_header(&mut head[512..1024]);
            Table::parse(&head)
        };
        for (at, value) in [(24, 2), (32, 5), (32, u64::MAX), (40, u64::MAX), (48, 3000), (72, 1)] {
            assert!(matches!(changed(at, value), Err(GptError::Damaged(_))), "{at} = {value}");
        }
        assert_eq!(Table::parse(&vec![0; HEAD_LEN]), Err(GptError::Missing));
        assert_eq!(Table::parse(&[0; 512]), Err(GptError::Short(512)));
        let mut no_mbr = head();
        no_mbr[510] = 0;
        let table = Table::parse(&no_mbr).unwrap();
        assert_eq!(table.place(&no_mbr, SIZE), Err(GptError::NoProtectiveMbr));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(at in 8_usize..92, value: u64, size in any::<u64>()) {
            let mut head = head();
            let keep = u32_at(&head, 512 + 12);
            put_u64(&mut head, 512 + at, value);
            head[512 + 12..512 + 16].copy_from_slice(&keep.to_le_bytes());
            seal_header(&mut head[512..1024]);
            if let Ok(table) = Table::parse(&head) {
                prop_assert!(table.partitions().iter().all(|p| p.start + p.length <= table.body_end()));
                if let Ok(placed) = table.place(&head, size) {
                    prop_assert!(placed.backup_at >= table.body_end());
                }
            }
        }
    }
}
