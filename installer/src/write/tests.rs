//! Power cuts: everything an installation asks of a disk is recorded and cut off at every point,
//! with any part of what was not synced lost, down to single sectors.

use std::cell::RefCell;
use std::io::Cursor;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use nestos_host::gpt_disk::{HEAD_LEN, SectorSize};

use super::*;
use crate::checked::CheckedReader;
use crate::progress::Progress;
use crate::saved::{Ends, Filter, Kept};
use crate::stream::{ImageStream, Piece};
use crate::trust::Trust;

const MIB: usize = 1 << 20;
const IMAGE: usize = 3 * MIB;
const DISK: usize = 5 * MIB;

#[derive(Clone)]
enum Op {
    Write(Vec<u8>, usize),
    Zero(usize, usize),
    Sync,
}

/// Remembers what it is asked to do.
#[derive(Default)]
struct Record(RefCell<Vec<Op>>);

impl Medium for Record {
    fn size(&self) -> u64 {
        DISK as u64
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.0.borrow_mut().push(Op::Write(bytes.to_vec(), offset.try_into()?));
        Ok(())
    }

    fn zero(&self, offset: u64, length: u64) -> Result<()> {
        self.0.borrow_mut().push(Op::Zero(offset.try_into()?, length.try_into()?));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.0.borrow_mut().push(Op::Sync);
        Ok(())
    }
}

fn apply<'a>(disk: &mut [u8], ops: impl IntoIterator<Item = &'a Op>) {
    for op in ops {
        match op {
            Op::Write(bytes, at) => disk[*at..*at + bytes.len()].copy_from_slice(bytes),
            Op::Zero(at, length) => disk[*at..*at + *length].fill(0),
            Op::Sync => {}
        }
    }
}

/// One partition of a disk that a test makes: number, name, first byte, end.
type Spec = (u32, &'static str, usize, usize);

/// Makes a disk whose boot code and partitions are full of `byte`, with the gpt crate.
fn make_disk(size: usize, sector: SectorSize, byte: u8, partitions: &[Spec]) -> Vec<u8> {
    let block = match sector {
        SectorSize::S512 => LogicalBlockSize::Lb512,
        SectorSize::S4096 => LogicalBlockSize::Lb4096,
    };
    let mut device = Cursor::new(vec![0; size]);
    let sectors = u32::try_from(size / sector.len() - 1).unwrap();
    ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut device).unwrap();
    let config = gpt::GptConfig::new().writable(true).logical_block_size(block);
    let mut table = config.create_from_device(device, None).unwrap();
    for (number, name, start, end) in partitions {
        let lba = |at: usize| (at / sector.len()) as u64;
        let (first, length) = (lba(*start), lba(*end) - lba(*start));
        let kind = gpt::partition_types::LINUX_FS;
        table.add_partition_at(name, *number, first, length, kind, 1 << 60).unwrap();
    }
    let mut bytes = table.write().unwrap().into_inner();
    bytes[..446].fill(byte);
    for (_, _, start, end) in partitions {
        bytes[*start..*end].fill(byte);
    }
    bytes
}

/// A disk with a system and two partitions to keep, one of them up to the backup table.
fn old_disk(sector: SectorSize) -> Vec<u8> {
    let end = DISK - (16384 / sector.len() + 1) * sector.len();
    let system = (2, "old", MIB, 2 * MIB);
    make_disk(
        DISK,
        sector,
        0xEE,
        &[system, (1, "keep-a", IMAGE - 4 * 4096, 4 * MIB), (9, "keep-z", 4 * MIB + 8192, end)],
    )
}

fn image(sector: SectorSize) -> Vec<u8> {
    let partitions = [(1, "boot", MIB, MIB + 65536), (4, "root", 2 * MIB, IMAGE - 12 * 4096)];
    make_disk(IMAGE, sector, 0x77, &partitions)
}

/// One installation on a disk, recorded.
struct Run {
    sector: SectorSize,
    old: Vec<u8>,
    complete: Vec<u8>,
    layout: Layout,
    /// What is done until the disk boots, and after a failure.
    ops: Vec<Op>,
    abandon: Vec<Op>,
    /// The kept partitions as the gpt crate reads them.
    kept: Vec<Partition>,
    /// Whether the primary table was valid before.
    primary: bool,
}

fn run(sector: SectorSize, mut old: Vec<u8>, filters: &[Filter]) -> Run {
    let (disk, ends) = (
        Record::default(),
        Ends {
            head: old[..HEAD_LEN].to_vec(),
            tail: old[DISK - HEAD_LEN..].to_vec(),
            size: DISK as u64,
        },
    );
    let reader = CheckedReader::new(Box::new(Cursor::new(image(sector))), Trust::Insecure);
    let stream = ImageStream::start(reader.unwrap()).unwrap();
    let Piece::Bytes(head) = stream.next(|| Ok(())).unwrap() else { panic!("no head") };
    let table = Table::parse(&head).unwrap();
    let kept = Kept::from_ends(ends, sector, filters).unwrap();
    let layout = Layout::plan(&table, &head, &kept, DISK as u64).unwrap();
    let unsealed = Unsealed::begin(&disk, &layout).unwrap();
    let mut progress = Progress::default();
    let verified = unsealed.write_body(&stream, &mut progress, || Ok(())).unwrap();
    unsealed.seal(&verified).unwrap();
    let ops = disk.0.take();
    abandon(&disk, &layout).unwrap();
    let mut complete = old.clone();
    apply(&mut complete, &ops);
    let (mut kept, primary) = partitions(&mut old, sector);
    kept.retain(|p| !filters.is_empty() && p.name.starts_with("keep"));
    Run { sector, old, complete, layout, ops, abandon: disk.0.into_inner(), kept, primary }
}

/// Reads a table with the gpt crate, and says whether its primary copy is valid.
fn open(disk: &mut [u8], sector: SectorSize) -> Option<(Vec<Partition>, bool)> {
    let block = LogicalBlockSize::try_from(u64::from(sector.bytes())).unwrap();
    let config = gpt::GptConfig::new().writable(false).logical_block_size(block);
    let table = config.open_from_device(Cursor::new(disk)).ok()?;
    Some((table.partitions().values().cloned().collect(), table.primary_header().is_ok()))
}

/// Reads a table as others do: the primary one, or else its backup.
fn partitions(disk: &mut [u8], sector: SectorSize) -> (Vec<Partition>, bool) {
    if let Some(found) = open(disk, sector) {
        return found;
    }
    let header = sector.len()..2 * sector.len();
    let saved = disk[header.clone()].to_vec();
    disk[header.clone()].fill(0);
    let found = open(disk, sector).unwrap_or_default();
    disk[header].copy_from_slice(&saved);
    found
}

impl Run {
    /// Whatever the power cut left: saved partitions are there, and what boots is whole.
    fn check(&self, disk: &mut [u8], moment: &str) {
        let (found, primary) = partitions(disk, self.sector);
        let needed = self.primary && !self.kept.is_empty();
        assert!(primary || !needed, "{moment}: the primary table is damaged");
        for kept in &self.kept {
            assert!(found.contains(kept), "{moment}: {} is not in the table", kept.name);
            let sector = self.sector.len();
            let range = usize::try_from(kept.first_lba).unwrap() * sector
                ..(usize::try_from(kept.last_lba).unwrap() + 1) * sector;
            assert!(disk[range.clone()] == self.old[range], "{moment}: {} changed", kept.name);
        }
        let announced = disk[510..512] == [0x55, 0xAA];
        let named = |name: &str| announced && found.iter().any(|p| p.name == name);
        let head = self.sector.len()..HEAD_LEN;
        if named("boot") || named("root") {
            let whole =
                disk[HEAD_LEN..] == self.complete[HEAD_LEN..] && named("boot") && named("root");
            assert!(whole, "{moment}: UEFI boots half a system");
        }
        if named("old") {
            assert!(disk[MIB..2 * MIB] == self.old[MIB..2 * MIB], "{moment}: old system, half");
        }
        if announced && disk[..446].iter().any(|b| *b != 0) {
            let whole = *disk == self.complete || disk[head.clone()] == self.old[head];
            assert!(whole, "{moment}: the BIOS boots half a system");
        }
    }

    /// Cuts `ops` off everywhere; returns the number of cuts.
    fn cut(&self, start: &[u8], ops: &[Op], name: &str) -> usize {
        let mut durable = start.to_vec();
        let mut pending: Vec<&Op> = Vec::new();
        let mut cuts = 0;
        for (at, op) in ops.iter().enumerate() {
            if matches!(op, Op::Sync) {
                apply(&mut durable, pending.drain(..));
                self.check(&mut durable, &format!("{name}, operation {at}"));
                continue;
            }
            pending.push(op);
            for (n, survives) in self.survivors(&pending).into_iter().enumerate() {
                let mut disk = durable.clone();
                apply(&mut disk, &survives);
                self.check(&mut disk, &format!("{name}, operation {at}, subset {n}"));
                cuts += 1;
            }
        }
        assert!(pending.is_empty(), "the last operation is no sync");
        cuts
    }

    /// What may be there of writes that were not synced: all, each alone, all but each, and the
    /// last one in part.
    fn survivors(&self, pending: &[&Op]) -> Vec<Vec<Op>> {
        let mut sets = vec![pending.iter().map(|op| (*op).clone()).collect::<Vec<_>>()];
        if pending.len() > 1 && pending.len() < 8 {
            for i in 0..pending.len() {
                sets.push(vec![pending[i].clone()]);
                let others = pending.iter().enumerate().filter(|(j, _)| *j != i);
                sets.push(others.map(|(_, op)| (*op).clone()).collect());
            }
        }
        if let Some(Op::Write(bytes, at)) = pending.last() {
            let sector = self.sector.len();
            let all = bytes.chunks(sector).enumerate();
            let parts: Vec<Op> = all.map(|(i, c)| Op::Write(c.to_vec(), at + i * sector)).collect();
            let pick = |keep: &dyn Fn(usize) -> bool| {
                parts.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, o)| o.clone()).collect()
            };
            let last = parts.len() - 1;
            sets.push(pick(&|i| i == 0));
            sets.push(pick(&|i| i == last));
            sets.push(pick(&|i| i % 2 == 1));
            sets.push(pick(&|i| i * 2 < last));
        }
        sets
    }
}

fn keep() -> Vec<Filter> {
    vec![Filter::Label("keep-*".parse().unwrap())]
}

/// Disks as an installation may find them.
fn old_disks(sector: SectorSize) -> Vec<(&'static str, Vec<u8>)> {
    let whole = old_disk(sector);
    let changed = |at: usize| {
        let mut disk = whole.clone();
        disk[at] ^= 0xFF;
        disk
    };
    let interrupted = run(sector, whole.clone(), &keep());
    let mut begun = whole.clone();
    // Erased and synced, and then the power was gone: the entries are in the spare place.
    let body = interrupted.ops.iter().position(|op| matches!(op, Op::Write(_, MIB)));
    apply(&mut begun, &interrupted.ops[..body.unwrap()]);
    vec![
        ("header of the primary damaged", changed(sector.len() + 40)),
        ("entries of the primary damaged", changed(2 * sector.len() + 60)),
        ("backup damaged", changed(DISK - sector.len() + 40)),
        ("interrupted before", begun),
        ("whole", whole),
    ]
}

#[test]
fn a_power_cut_at_any_write_leaves_nothing_or_everything() {
    for sector in [SectorSize::S512, SectorSize::S4096] {
        let run = run(sector, old_disk(sector), &[]);
        let erased = run.ops.iter().position(|op| matches!(op, Op::Sync)).unwrap() + 1;
        let mut start = run.old.clone();
        // Before the erasure is on the medium, the old system may be there in part.
        apply(&mut start, &run.ops[..erased]);
        let cuts = run.cut(&start, &run.ops[erased..], "install");
        assert!(cuts > 10 && run.complete[510..512] == [0x55, 0xAA]);
        assert!(run.layout.limit().is_none() && run.kept.is_empty());
    }
}

#[test]
fn saved_partitions_outlive_a_power_cut_at_any_write() {
    for sector in [SectorSize::S512, SectorSize::S4096] {
        for (name, old) in old_disks(sector) {
            let mut run = run(sector, old, &keep());
            assert_eq!(run.kept.len(), 2, "{name}");
            assert!(run.cut(&run.old, &run.ops, name) > 50);
            let (sealed, _) = partitions(&mut run.complete, sector);
            assert_eq!(sealed.len(), 4, "{name}: {sealed:?}");
        }
    }
}

#[test]
fn saved_partitions_outlive_a_failure_at_any_write_and_a_power_cut_after_it() {
    let sector = SectorSize::S512;
    for (name, old) in old_disks(sector).split_off(3) {
        let run = run(sector, old, &keep());
        for failed in 0..run.ops.len() {
            let mut disk = run.old.clone();
            apply(&mut disk, &run.ops[..failed]);
            run.cut(&disk, &run.abandon, &format!("{name}, failed at {failed}"));
            apply(&mut disk, &run.abandon);
            assert_eq!(partitions(&mut disk, sector).0, run.kept, "{name}, failed at {failed}");
            assert!(disk[..446].iter().all(|b| *b == 0));
        }
    }
}
