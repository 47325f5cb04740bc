//! The order in which tables are written, so that saved partitions are found after a power cut at
//! any moment. The trick: a sector is written whole or not at all, and the header of the primary
//! table is one. While a system is installed, the entries that count lie in a spare place; so each
//! change is prepared where no table looks, synced, and comes into force with the header.

use std::fmt;
use std::ops::Range;

use nestos_host::gpt_disk::{ENTRIES, ENTRY_LEN, HEAD, HEAD_LEN, Partition, Placed, SectorSize};

/// Bytes of the entries of a table that we make.
pub(super) const ENTRIES_LEN: usize = ENTRIES * ENTRY_LEN;

/// One change of the disk.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Patch {
    /// These bytes are written.
    Write {
        /// Where.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Zeros are written.
    Zero {
        /// Where.
        at: u64,
        /// How many.
        length: u64,
    },
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { .. } => write!(f, "write {:?}", self.range()),
            Self::Zero { .. } => write!(f, "zero {:?}", self.range()),
        }
    }
}

impl Patch {
    fn of(placed: &Placed, range: Range<usize>) -> Self {
        Self::Write { at: range.start as u64, bytes: placed.head[range].to_vec() }
    }

    fn backup(placed: &Placed) -> Self {
        Self::Write { at: placed.backup_at, bytes: placed.backup.clone() }
    }

    fn zero(range: Range<u64>) -> Self {
        Self::Zero { at: range.start, length: range.end - range.start }
    }

    /// Returns the bytes that change.
    pub(super) fn range(&self) -> Range<u64> {
        match self {
            Self::Write { at, bytes } => *at..*at + bytes.len() as u64,
            Self::Zero { at, length } => *at..*at + *length,
        }
    }
}

/// Changes that may reach the medium in any order; a sync follows.
pub(crate) type Stage = Vec<Patch>;

/// Returns what erases a disk of which nothing is kept. The boot sector goes first, as it comes
/// last in [`seal`]: a power cut must not leave it with half a table.
pub(super) fn erase(size: u64, sector: SectorSize) -> Vec<Stage> {
    let length = HEAD.min(size);
    let ends = vec![Patch::zero(0..length), Patch::zero(size - length..size)];
    vec![vec![Patch::zero(0..length.min(sector.bytes().into()))], ends]
}

/// Returns what makes a disk boot of which nothing was kept. The boot sector comes last: without
/// it neither BIOS, UEFI nor Linux sees a table.
pub(super) fn seal(image: &Placed, sector: SectorSize) -> Vec<Stage> {
    vec![
        vec![Patch::backup(image)],
        vec![Patch::of(image, sector.len()..HEAD_LEN)],
        vec![Patch::of(image, 0..sector.len())],
    ]
}

/// The tables of a disk that keeps partitions.
#[derive(Debug)]
pub(super) struct Keeping<'a> {
    /// Sector size of the disk.
    pub(super) sector: SectorSize,
    /// Size of the disk.
    pub(super) size: u64,
    /// The saved partitions, entries in the spare place.
    pub(super) spare: Placed,
    /// Where that place starts.
    pub(super) spare_at: usize,
    /// The saved partitions, entries at the usual place.
    pub(super) alone: Placed,
    /// The image's and the saved partitions.
    pub(super) merged: Placed,
    /// The saved partitions.
    pub(super) kept: &'a [Partition],
}

impl Keeping<'_> {
    /// Returns what leaves only saved partitions in the table, and nothing that boots without
    /// them. It works on whatever an interrupted installation left, too.
    pub(super) fn erase(&self) -> Vec<Stage> {
        let sector = self.sector.len();
        let spare = self.spare_range();
        let mut rest = vec![
            Patch::backup(&self.spare),
            Patch::zero(2 * sector as u64..spare.start as u64),
            Patch::zero(spare.end as u64..HEAD),
        ];
        rest.extend(self.tail_gaps().into_iter().map(Patch::zero));
        rest.retain(|p| !p.range().is_empty());
        vec![
            // The old boot code goes first: what it loads may lie in the spare place.
            vec![Patch::of(&self.spare, 0..sector)],
            vec![Patch::of(&self.spare, spare)],
            vec![Patch::of(&self.spare, sector..2 * sector)],
            rest,
        ]
    }

    /// Returns what leaves the saved partitions alone in an ordinary table.
    pub(super) fn abandon(&self) -> Vec<Stage> {
        let sector = self.sector.len();
        let usual = 2 * sector..2 * sector + ENTRIES_LEN;
        let spare = self.spare_range();
        let mut stages = self.erase();
        stages.push(vec![Patch::of(&self.alone, usual)]);
        stages.push(vec![Patch::of(&self.alone, sector..2 * sector)]);
        stages.push(vec![Patch::zero(spare.start as u64..spare.end as u64)]);
        stages
    }

    /// Returns what makes the disk boot. UEFI and Linux see the whole system with the header, the
    /// BIOS with the boot sector, which comes last.
    pub(super) fn seal(&self) -> Vec<Stage> {
        let sector = self.sector.len();
        let spare = self.spare_range();
        let merged = |range| Patch::of(&self.merged, range);
        let mut rest = vec![merged(2 * sector..spare.start), merged(spare.end..HEAD_LEN)];
        rest.retain(|p| !p.range().is_empty());
        vec![
            rest,
            vec![Patch::backup(&self.merged)],
            vec![merged(sector..2 * sector)],
            vec![merged(spare)],
            vec![merged(0..sector)],
        ]
    }

    fn spare_range(&self) -> Range<usize> {
        self.spare_at..self.spare_at + ENTRIES_LEN
    }

    /// Returns the parts of the last MiB that belong neither to a saved partition nor to the
    /// backup table.
    fn tail_gaps(&self) -> Vec<Range<u64>> {
        let backup = self.spare.backup_at..self.spare.backup_at + self.spare.backup.len() as u64;
        let mut used: Vec<Range<u64>> = self.kept.iter().map(|p| p.start..p.end()).collect();
        used.push(backup);
        used.sort_by_key(|r| r.start);
        let mut gaps = Vec::new();
        let mut at = HEAD.max(self.size.saturating_sub(HEAD));
        for range in used {
            if at < range.start {
                gaps.push(at..range.start);
            }
            at = at.max(range.end);
        }
        if at < self.size {
            gaps.push(at..self.size);
        }
        gaps
    }
}
