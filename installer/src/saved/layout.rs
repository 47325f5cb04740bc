//! Everything that will be written around the body of an image, decided and tried out in memory
//! before the disk is touched.

use std::ops::Range;

use anyhow::{Result, anyhow, bail};
use nestos_host::gpt_disk::{Bare, ENTRIES, HEAD, HEAD_LEN, Partition, Placed, SectorSize, Table};
use nestos_host::term::WithHint;

use super::stages::{ENTRIES_LEN, Keeping};
use super::{Copy, Ends, Kept, Patch, Stage, numbers, stages};

/// What is written on a disk before, after and instead of the body of an image.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) image: Table,
    pub(crate) limit: u64,
    pub(crate) begin: Vec<Stage>,
    pub(crate) seal: Vec<Stage>,
    pub(crate) abandon: Vec<Stage>,
    summary: Summary,
}

/// What becomes of the partitions of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Those that are saved.
    pub kept: Vec<KeptPartition>,
    /// Those that are lost.
    pub lost: Vec<Partition>,
}

/// A partition that is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPartition {
    /// Its number so far.
    pub old_number: usize,
    /// The partition with its new number.
    pub partition: Partition,
}

impl Layout {
    /// Lays an image out on a disk of `size` bytes. `image` was read from `head`. Fails when
    /// anything could go wrong with a saved partition.
    pub fn plan(image: &Table, head: &[u8], kept: &Kept, size: u64) -> Result<Self> {
        let mut layout = Self {
            image: image.clone(),
            limit: u64::MAX,
            begin: stages::erase(size, image.sector_size()),
            seal: Vec::new(),
            abandon: stages::erase(size, image.sector_size()),
            summary: Summary { kept: Vec::new(), lost: kept.lost.clone() },
        };
        if kept.kept.is_empty() {
            layout.seal = stages::seal(&image.place(head, size)?, image.sector_size());
            return Ok(layout);
        }
        check_sizes(image, kept, size)?;
        check_conflicts(image, kept)?;
        let entries = numbers::assign(image, &kept.entries)?;
        let keeping = Keeping {
            merged: image.place_with(head, &entries, size)?,
            ..keeping(image, kept, size)?
        };
        layout.limit = kept.kept.iter().map(|p| p.start).min().unwrap_or(u64::MAX);
        layout.begin = keeping.erase();
        layout.seal = keeping.seal();
        layout.abandon = keeping.abandon();
        layout.summary.kept = kept
            .kept
            .iter()
            .zip(&entries)
            .map(|(old, new)| KeptPartition {
                old_number: old.number,
                partition: Partition { number: new.number(), ..old.clone() },
            })
            .collect();
        layout.rehearse(kept, &keeping.merged)?;
        Ok(layout)
    }

    /// Returns what becomes of the partitions of the disk.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns the first byte that the body of the image must not reach, if any.
    pub fn limit(&self) -> Option<u64> {
        Some(self.limit).filter(|l| *l != u64::MAX)
    }

    /// Returns the bytes that no one else may erase once the installation began: those of saved
    /// partitions and of the tables that lead to them.
    pub fn protected(&self) -> Vec<Range<u64>> {
        let tables = self.begin.iter().flatten().filter_map(|p| match p {
            Patch::Write { .. } => Some(p.range()),
            Patch::Zero { .. } => None,
        });
        let kept = self.summary.kept.iter().map(|k| k.partition.start..k.partition.end());
        tables.chain(kept).collect()
    }

    /// Does on a copy of both ends what will be done on the disk, failing at every step included,
    /// and reads the saved partitions back each time.
    fn rehearse(&self, kept: &Kept, merged: &Placed) -> Result<()> {
        let mut copy = Rehearsal { kept, ends: kept.ends.clone() };
        copy.fail(&self.abandon)?;
        for stage in &self.begin {
            copy.perform(stage)?;
            copy.fail(&self.abandon)?;
        }
        copy.check_alone()?;
        for stage in &self.seal {
            copy.perform(stage)?;
            copy.fail(&self.abandon)?;
        }
        let sealed = copy.ends.primary(kept.sector)?;
        let expected: Vec<&Partition> = self
            .image
            .partitions()
            .iter()
            .chain(self.summary.kept.iter().map(|k| &k.partition))
            .collect();
        let mut found: Vec<&Partition> = sealed.partitions().iter().collect();
        found.sort_by_key(|p| expected.iter().position(|e| e == p));
        if found != expected || copy.ends.head != merged.head {
            bail!("the dry run of saving partitions gave another table than planned");
        }
        Ok(())
    }
}

/// Both ends of a disk in memory.
struct Rehearsal<'a> {
    kept: &'a Kept,
    ends: Ends,
}

impl Rehearsal<'_> {
    fn perform(&mut self, stage: &Stage) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.ends.head);
        let tail_at = self.ends.tail_at(self.kept.sector);
        for patch in stage {
            let range = patch.range();
            let hit = self.kept.kept.iter().find(|p| p.start < range.end && range.start < p.end());
            if range.end > self.ends.size || hit.is_some() {
                bail!("the dry run of saving partitions would write to bytes {range:?}");
            }
            apply(patch, &mut buffer, 0);
            apply(patch, &mut self.ends.tail, tail_at);
        }
        self.ends.head = buffer;
        self.check()
    }

    /// Gives up at this point, on another copy.
    fn fail(&self, abandon: &[Stage]) -> Result<()> {
        let mut copy = Self { kept: self.kept, ends: self.ends.clone() };
        abandon.iter().try_for_each(|stage| copy.perform(stage))?;
        copy.check_alone()
    }

    /// Both tables must hold the saved entries and nothing else, and no boot code may be left.
    fn check_alone(&self) -> Result<()> {
        let primary = self.ends.primary(self.kept.sector)?;
        let backup = self.ends.backup(self.kept.sector)?;
        let boot_code = self.ends.head[..446].iter().any(|b| *b != 0);
        let kept = &self.kept.entries;
        if boot_code || primary.entries() != kept || backup.entries() != kept {
            bail!("the dry run of saving partitions left more on the disk than those");
        }
        Ok(())
    }

    /// The table that counts must hold every saved entry.
    fn check(&self) -> Result<()> {
        let sector = self.kept.sector;
        let table = self.ends.primary(sector).or_else(|_| self.ends.backup(sector))?;
        let found = |raw| table.entries().iter().any(|e| e.raw() == raw);
        if !self.kept.entries.iter().all(|e| found(e.raw())) {
            bail!("the dry run of saving partitions lost one");
        }
        Ok(())
    }
}

/// Applies the part of a patch that lies in `bytes`, which start at byte `at` of the disk.
fn apply(patch: &Patch, bytes: &mut [u8], at: u64) {
    let range = patch.range();
    let inside =
        |n: u64| usize::try_from(n.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
    let (from, to) = (inside(range.start), inside(range.end));
    if from >= to {
        return;
    }
    match patch {
        Patch::Write { at: start, bytes: new } => {
            // Patches lie whole in one end, or in both of a tiny disk.
            let skip = usize::try_from((at + from as u64).saturating_sub(*start)).unwrap_or(0);
            bytes[from..to].copy_from_slice(&new[skip..skip + (to - from)]);
        }
        Patch::Zero { .. } => bytes[from..to].fill(0),
    }
}

/// Returns the tables of the saved partitions alone; `merged` is to be replaced.
fn keeping<'a>(image: &Table, kept: &'a Kept, size: u64) -> Result<Keeping<'a>> {
    let sector = kept.sector;
    let spare_at = spare_place(image, kept)?;
    let bare =
        |entries_at| Bare { sector, disk_guid: kept.disk_guid, entries: &kept.entries, entries_at };
    let spare = bare(spare_at).place(size)?;
    let alone = bare(2 * sector.len()).place(size)?;
    Ok(Keeping { sector, size, merged: alone.clone(), spare, spare_at, alone, kept: &kept.kept })
}

/// Finds room in the first MiB for entries: where neither the old nor the new table has its own,
/// and best where the image has no partition either.
fn spare_place(image: &Table, kept: &Kept) -> Result<usize> {
    let sector = kept.sector.len();
    let mut used: Vec<Range<usize>> = vec![0..2 * sector + ENTRIES_LEN, image.entries_range()];
    used.extend(
        kept.old.iter().filter(|o| o.copy == Copy::Primary).map(|o| o.table.entries_range()),
    );
    let partitions = image.partitions().iter().map(|p| {
        let in_head = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(HEAD_LEN);
        in_head(p.start)..in_head(p.end())
    });
    let better: Vec<_> = used.iter().cloned().chain(partitions).collect();
    let free = |used: &[Range<usize>]| {
        let places = (0..HEAD_LEN / ENTRIES_LEN).rev().map(|n| n * ENTRIES_LEN);
        let apart = |at: usize| used.iter().all(|u| u.end <= at || at + ENTRIES_LEN <= u.start);
        places.into_iter().find(|at| apart(*at))
    };
    free(&better).or_else(|| free(&used)).ok_or_else(|| {
        anyhow!("the image leaves no room in its first MiB for the table of saved partitions")
    })
}

fn check_sizes(image: &Table, kept: &Kept, size: u64) -> Result<()> {
    if kept.sector != image.sector_size() {
        bail!(
            "the image is made for sectors of {} bytes, but the partitions to save for {}",
            image.sector_size().bytes(),
            kept.sector.bytes()
        );
    }
    let image_end = image.partitions().iter().map(Partition::end).max().unwrap_or(0).max(HEAD);
    let table_at = backup_start(kept.sector, image.entries_range().len().max(ENTRIES_LEN), size);
    for p in &kept.kept {
        if p.start < image_end {
            return Err(anyhow!(
                "{}, which is to be saved, starts at byte {} ({} MiB), but the image reaches to \
                 byte {image_end} ({} MiB)",
                named(p),
                p.start,
                p.start / HEAD,
                image_end.div_ceil(HEAD)
            ))
            .hint("move the partition towards the end of the disk, or save its content elsewhere");
        }
        if p.end() > table_at {
            return Err(anyhow!(
                "{}, which is to be saved, reaches to byte {}, but the backup of the partition \
                 table needs the disk from byte {table_at} on",
                named(p),
                p.end()
            ))
            .hint("make the partition smaller, or save its content elsewhere");
        }
        if p.number > ENTRIES {
            bail!("{} cannot be saved: only partitions 1 to {ENTRIES} can", named(p));
        }
    }
    Ok(())
}

/// Returns where the backup of a table with that many bytes of entries starts.
fn backup_start(sector: SectorSize, entries_len: usize, size: u64) -> u64 {
    let used = entries_len.div_ceil(sector.len()) as u64 + 1;
    (size / u64::from(sector.bytes())).saturating_sub(used) * u64::from(sector.bytes())
}

/// The installed system finds its partitions by label and GUID.
fn check_conflicts(image: &Table, kept: &Kept) -> Result<()> {
    for (saved, entry) in kept.kept.iter().zip(&kept.entries) {
        for (own, own_entry) in image.partitions().iter().zip(image.entries()) {
            if saved.name == own.name && !own.name.is_empty() {
                return Err(anyhow!(
                    "{}, which is to be saved, has the label of a partition of the image: the \
                     system would not know which is its own",
                    named(saved)
                ))
                .hint(format!("give it another label: sgdisk -c {}:NAME DISK", saved.number));
            }
            if entry.guid() == own_entry.guid() {
                return Err(anyhow!(
                    "{}, which is to be saved, has the GUID of {} of the image",
                    named(saved),
                    named(own)
                ))
                .hint(format!("give it another GUID: sgdisk -u {}:R DISK", saved.number));
            }
        }
    }
    Ok(())
}

fn named(p: &Partition) -> String {
    format!("partition {} {:?}", p.number, p.name)
}
