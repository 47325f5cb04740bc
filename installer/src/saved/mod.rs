//! Saved partitions: what an installation keeps of a disk. [`Kept`] is read from the old table
//! before anything is touched; [`Layout`] is the whole of what will be written around the body of
//! the image, tried out in memory. A disk without table, or without a match, keeps nothing.

mod filter;
mod layout;
mod numbers;
mod stages;
#[cfg(test)]
mod tests;

use anyhow::{Result, anyhow, bail};
use nestos_host::blockdev::ClaimedDisk;
use nestos_host::gpt_disk::{Entry, GptError, Guid, HEAD, HEAD_LEN, Partition, SectorSize, Table};
use nestos_host::term::WithHint;

pub use filter::{BadGlob, BadRange, Filter, IndexRange, LabelGlob};
pub use layout::{KeptPartition, Layout, Summary};
pub(crate) use stages::{Patch, Stage};

/// The first and the last bytes of a disk.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The first MiB.
    pub head: Vec<u8>,
    /// The last MiB, as far as whole sectors reach.
    pub tail: Vec<u8>,
    /// Size of the disk.
    pub size: u64,
}

impl Ends {
    fn read(disk: &ClaimedDisk, sector: SectorSize) -> Result<Self> {
        let size = disk.size();
        if size < HEAD {
            bail!("{} has {size} bytes; the smallest disk has 1 MiB", disk.path().display());
        }
        let mut ends = Self { head: vec![0; HEAD_LEN], tail: vec![0; HEAD_LEN], size };
        disk.read_at(&mut ends.head, 0)?;
        let tail_at = ends.tail_at(sector);
        disk.read_at(&mut ends.tail, tail_at)?;
        Ok(ends)
    }

    /// Returns where the tail starts: a backup table ends with the last whole sector.
    fn tail_at(&self, sector: SectorSize) -> u64 {
        self.sectors(sector) * u64::from(sector.bytes()) - self.tail.len() as u64
    }

    fn sectors(&self, sector: SectorSize) -> u64 {
        self.size / u64::from(sector.bytes())
    }

    fn primary(&self, sector: SectorSize) -> Result<Table, GptError> {
        Table::parse_primary(&self.head, sector)
    }

    fn backup(&self, sector: SectorSize) -> Result<Table, GptError> {
        // With 4096-byte sectors the tail may end before the disk does; then it was read for them.
        let last = self.sectors(sector).saturating_sub(1);
        Table::parse_backup(&self.tail, last, sector)
    }
}

/// What is kept of a disk, and what is lost.
#[derive(Debug, Clone)]
pub struct Kept {
    sector: SectorSize,
    disk_guid: Guid,
    entries: Vec<Entry>,
    kept: Vec<Partition>,
    lost: Vec<Partition>,
    idle: Vec<Filter>,
    old: Option<Old>,
    ends: Ends,
}

/// A table that a disk carries, and where it was read.
#[derive(Debug, Clone)]
struct Old {
    table: Table,
    copy: Copy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    Primary,
    Backup,
}

impl Kept {
    /// Reads the table of a disk that gets an image for sectors of that size, and finds what the
    /// filters keep. Without filters nothing is kept, and no table is too damaged.
    pub fn read(disk: &ClaimedDisk, sector: SectorSize, filters: &[Filter]) -> Result<Self> {
        Self::from_ends(Ends::read(disk, sector)?, sector, filters)
            .map_err(|e| e.context(format!("cannot save partitions of {}", disk.path().display())))
    }

    /// Finds what the filters keep of a disk with these ends.
    pub fn from_ends(ends: Ends, sector: SectorSize, filters: &[Filter]) -> Result<Self> {
        let old = match old_table(&ends, sector, filters) {
            Err(_) if filters.is_empty() => None,
            other => other?,
        };
        let mut kept = Self {
            sector,
            disk_guid: old.as_ref().map(|o| o.table.disk_guid()).unwrap_or_default(),
            entries: Vec::new(),
            kept: Vec::new(),
            lost: Vec::new(),
            idle: filters.to_vec(),
            old,
            ends,
        };
        let Some(old) = &kept.old else { return Ok(kept) };
        for (entry, partition) in old.table.entries().iter().zip(old.table.partitions()) {
            if filters.iter().any(|f| f.keeps(partition)) {
                kept.entries.push(entry.clone());
                kept.kept.push(partition.clone());
            } else {
                kept.lost.push(partition.clone());
            }
        }
        kept.idle.retain(|f| !kept.kept.iter().any(|p| f.keeps(p)));
        Ok(kept)
    }

    /// Returns the partitions to keep, by their old numbers.
    pub fn partitions(&self) -> &[Partition] {
        &self.kept
    }

    /// Returns the partitions that will be lost.
    pub fn lost(&self) -> &[Partition] {
        &self.lost
    }

    /// Returns the filters that keep nothing.
    pub fn idle(&self) -> &[Filter] {
        &self.idle
    }

    /// Returns whether the primary table was damaged and its backup was used.
    pub fn from_backup(&self) -> bool {
        self.old.as_ref().is_some_and(|o| o.copy == Copy::Backup)
    }
}

/// What the boot sector says about partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BootSector {
    /// No signature.
    Blank,
    /// A partition that stands for a GUID partition table.
    Protective,
    /// Partitions of its own, or a file system.
    Mbr,
}

impl BootSector {
    fn of(head: &[u8]) -> Self {
        if head[510..512] != [0x55, 0xAA] {
            return Self::Blank;
        }
        let protective = [446, 462, 478, 494].iter().any(|at| head[at + 4] == 0xEE);
        if protective { Self::Protective } else { Self::Mbr }
    }
}

/// Finds the table that counts: the primary one, or its backup when that is damaged.
fn old_table(ends: &Ends, sector: SectorSize, filters: &[Filter]) -> Result<Option<Old>> {
    let boot_sector = BootSector::of(&ends.head);
    let primary = ends.primary(sector);
    let in_mbr = (446..510).any(|at| ends.head[at] != 0);
    match (primary, boot_sector) {
        (Ok(_), BootSector::Mbr) if in_mbr => {
            Err(anyhow!("the disk has a GUID partition table and an MBR that knows nothing of it"))
                .hint("remove the one that is not used, with gdisk or wipefs")
        }
        (Ok(table), _) => Ok(Some(Old { table, copy: Copy::Primary })),
        (Err(_), BootSector::Mbr) => mbr(filters),
        (Err(primary), _) => match ends.backup(sector) {
            Ok(table) => Ok(Some(Old { table, copy: Copy::Backup })),
            Err(backup) => no_table(ends, sector, boot_sector, (primary, backup)),
        },
    }
}

fn mbr(filters: &[Filter]) -> Result<Option<Old>> {
    if filters.iter().any(|f| matches!(f, Filter::Index(_))) {
        return Err(anyhow!("saving partitions from an MBR disk is not supported")).hint(
            "convert its partition table with sgdisk --mbrtogpt, or save the data elsewhere",
        );
    }
    // The partitions of an MBR have no labels.
    Ok(None)
}

fn no_table(
    ends: &Ends,
    sector: SectorSize,
    boot_sector: BootSector,
    (primary, backup): (GptError, GptError),
) -> Result<Option<Old>> {
    let other = sector.other();
    if primary == GptError::Missing && ends.primary(other).is_ok() {
        bail!(
            "its partition table is made for sectors of {} bytes, but the image for sectors of {}",
            other.bytes(),
            sector.bytes()
        );
    }
    let none = GptError::Missing;
    if primary == none && backup == none && boot_sector == BootSector::Blank {
        return Ok(None);
    }
    let told = |e: GptError| if e == none { "it is missing".to_owned() } else { e.to_string() };
    Err(anyhow!(
        "its partition table cannot be read ({}), and neither can the backup at its end ({})",
        told(primary),
        told(backup)
    ))
    .hint("repair the table with gdisk, or install without saving partitions")
}
