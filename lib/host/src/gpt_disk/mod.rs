//! GUID partition tables as bytes (UEFI specification 2.10, chapter 5): reads the table at either
//! end of a disk, strictly, and lays one out again for a disk of another size or with other
//! partitions. Partition numbers, unused entries and boot code are kept; entries are copied bit by
//! bit.

mod bytes;
mod entry;
mod place;
mod read;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use entry::{ENTRY_LEN, Entry, Partition};
pub use place::{Bare, Placed};

/// Bytes at the start of a disk that hold the whole primary table and everything that boots.
pub const HEAD: u64 = 1024 * 1024;

/// [`HEAD`] as a length in memory.
pub const HEAD_LEN: usize = 1024 * 1024;

/// Entries that a table has room for, unless it says otherwise.
pub const ENTRIES: usize = 128;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const HEADER_LEN: usize = 92;
const PROTECTIVE: u8 = 0xEE;

/// Why bytes hold no table we can use, or why a table cannot be laid out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GptError {
    /// Fewer bytes than the head of a disk.
    #[error("{0} bytes are too few for a disk image; the smallest has 1 MiB")]
    Short(usize),
    /// No signature where one is looked for.
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
    /// An entry has no place in the table.
    #[error("partition {0} cannot be added to the partition table: it has no such free number")]
    NoSuchNumber(usize),
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

    /// Returns the number of bytes as a length in memory.
    #[expect(clippy::len_without_is_empty, reason = "no sector is empty")]
    pub fn len(self) -> usize {
        match self {
            Self::S512 => 512,
            Self::S4096 => 4096,
        }
    }

    /// Returns the other size.
    pub fn other(self) -> Self {
        match self {
            Self::S512 => Self::S4096,
            Self::S4096 => Self::S512,
        }
    }
}

/// A GUID as a table stores it.
pub type Guid = [u8; 16];

/// A checked partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    sector_size: SectorSize,
    /// Last sector of the disk the table was made for.
    backup_lba: u64,
    last_usable: u64,
    disk_guid: Guid,
    /// Place of the entries in the bytes that were read.
    entries_at: usize,
    entries_len: usize,
    entries: Vec<Entry>,
    partitions: Vec<Partition>,
}

impl Table {
    /// Returns the sector size the table was made for.
    pub fn sector_size(&self) -> SectorSize {
        self.sector_size
    }

    /// Returns the partitions in use, by number.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Returns the entries in use, by number: the same partitions, bit by bit.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of entries there is room for.
    pub fn capacity(&self) -> usize {
        self.entries_len / ENTRY_LEN
    }

    /// Returns the GUID of the disk.
    pub fn disk_guid(&self) -> Guid {
        self.disk_guid
    }

    /// Returns which bytes of those that were read hold the entries.
    pub fn entries_range(&self) -> std::ops::Range<usize> {
        self.entries_at..self.entries_at + self.entries_len
    }

    /// Returns the size of the disk the table was made for: the size of a whole image.
    pub fn disk_size(&self) -> u64 {
        (self.backup_lba + 1) * u64::from(self.sector_size.bytes())
    }

    /// Returns the first byte that no partition may use; the backup table follows.
    pub fn body_end(&self) -> u64 {
        (self.last_usable + 1) * u64::from(self.sector_size.bytes())
    }
}
