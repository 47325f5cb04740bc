//! One entry of a table: its 128 bytes, and what they say.

use super::bytes::u64_at;
use super::{Guid, SectorSize};

/// Bytes of one entry.
pub const ENTRY_LEN: usize = 128;

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

impl Partition {
    /// Returns the first byte after the partition.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// One entry in use, byte for byte: type, GUID, place, attributes and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    number: usize,
    raw: [u8; ENTRY_LEN],
}

impl Entry {
    /// Returns the entry in `raw`, or `None` if it is not in use.
    pub(super) fn read(number: usize, raw: &[u8]) -> Option<Self> {
        let raw: [u8; ENTRY_LEN] = raw.try_into().ok()?;
        raw[..16].iter().any(|b| *b != 0).then_some(Self { number, raw })
    }

    /// Returns the number, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the bytes.
    pub fn raw(&self) -> &[u8; ENTRY_LEN] {
        &self.raw
    }

    /// Returns the GUID of the partition.
    pub fn guid(&self) -> Guid {
        let mut guid = [0; 16];
        guid.copy_from_slice(&self.raw[16..32]);
        guid
    }

    /// Returns the same entry with another number.
    pub fn renumbered(&self, number: usize) -> Self {
        Self { number, raw: self.raw }
    }

    pub(super) fn first_lba(&self) -> u64 {
        u64_at(&self.raw, 32)
    }

    pub(super) fn last_lba(&self) -> u64 {
        u64_at(&self.raw, 40)
    }

    /// Returns what the entry says, on a disk whose sectors are that large and whose bounds were
    /// checked.
    pub(super) fn partition(&self, sector: SectorSize) -> Partition {
        let units: Vec<u16> =
            self.raw[56..].chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        let end = units.iter().position(|u| *u == 0).unwrap_or(units.len());
        let sector = u64::from(sector.bytes());
        Partition {
            number: self.number,
            name: String::from_utf16_lossy(&units[..end]),
            start: self.first_lba() * sector,
            length: (self.last_lba() - self.first_lba() + 1) * sector,
        }
    }
}
