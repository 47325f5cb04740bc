//! Everything an installation asks of its disk, `/boot` edits included, is recorded by QEMU's
//! blklogwrites and replayed up to 200 cuts: what was flushed is there, and of the rest any
//! sectors. Format: kernel documentation, admin-guide/device-mapper/log-writes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nestos_host::term;

use crate::chance::Chance;
use crate::judge::{self, PowerCut, Verdict};
use crate::scene::{self, DISK_SIZE, Scene};
use crate::storage::{Storage, served_files};
use crate::support::{BOOT_AT, BOOT_LEN, MIB, len, loop_devices};

const SECTOR: usize = 512;
const MAGIC: u64 = 0x006A_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const CUTS: usize = 200;

/// Random remainders tried at each cut, besides none, all and the last request alone; more while
/// the ends of the disk change.
const TORN: usize = 2;
const TORN_AT_ENDS: usize = 24;

/// One request to the disk.
#[derive(Debug)]
enum Op {
    Write { at: usize, bytes: Vec<u8> },
    Flush,
}

/// Reads a log of blklogwrites.
fn read_log(path: &Path) -> Vec<Op> {
    let log = fs::read(path).unwrap();
    let number = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
    assert_eq!((number(0), number(8)), (MAGIC, 1));
    assert_eq!(u32::from_le_bytes(log[24..28].try_into().unwrap()), 512);
    let mut ops = Vec::new();
    let mut at = SECTOR;
    for _ in 0..number(16) {
        let (sector, sectors, flags) = (len(number(at)), len(number(at + 8)), number(at + 16));
        at += SECTOR;
        assert_eq!(flags & !FLUSH, 0, "no requests with flags such as FUA ({FUA}) are expected");
        if sectors > 0 {
            let bytes = log[at..at + sectors * SECTOR].to_vec();
            at += bytes.len();
            ops.push(Op::Write { at: sector * SECTOR, bytes });
        }
        if flags & FLUSH != 0 {
            ops.push(Op::Flush);
        }
    }
    ops
}

/// Installs to a disk that records its requests, and returns them.
fn recorded(scene: &Scene) -> Vec<Op> {
    let dir = scene.bench.dir.path();
    let (disk, log) = (scene.fresh_disk("recorded"), dir.join("log"));
    File::create(&log).unwrap().set_len(256 * MIB).unwrap();
    let file = |name: &str, path: &PathBuf| {
        format!("driver=file,node-name={name},filename={}", path.display())
    };
    let recorder = "driver=blklogwrites,node-name=disk,file=base,log=log,log-sector-size=512";
    let nodes = [file("base", &disk), file("log", &log), recorder.to_owned()];
    let storage = Storage::serve(dir, &nodes);
    scene.install(storage.file()).ok();
    scene::assert_released(storage.file(), &scene.tmp());
    storage.end();
    assert_eq!(scene.judge(&disk), Ok(Verdict::Complete));
    let ops = read_log(&log);
    let mut replayed = scene.old.clone();
    ops.iter().for_each(|op| apply(&mut replayed, op));
    assert!(replayed == fs::read(&disk).unwrap(), "the log does not tell everything");
    ops
}

fn apply(disk: &mut [u8], op: &Op) {
    if let Op::Write { at, bytes } = op {
        disk[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Applies a random choice of the sectors of a write; each survives in `share` of 8 cases.
fn apply_torn(disk: &mut [u8], op: &Op, share: u64, chance: &mut Chance) {
    let Op::Write { at, bytes } = op else { return };
    for (i, sector) in bytes.chunks(SECTOR).enumerate() {
        if chance.below(8) < share {
            disk[at + i * SECTOR..][..sector.len()].copy_from_slice(sector);
        }
    }
}

/// Where the log is cut: before the request of each number. All around flushes and in the seal,
/// the others at random.
fn cuts(ops: &[Op], chance: &mut Chance) -> Vec<usize> {
    let flush = |at: usize| matches!(ops.get(at), Some(Op::Flush));
    let backup = |op: &Op| matches!(op, Op::Write { at, .. } if *at >= len(DISK_SIZE - MIB));
    let seal = ops.iter().rposition(backup).unwrap();
    let mut cuts: Vec<usize> = (0..=ops.len())
        .filter(|at| flush(*at) || *at > 0 && flush(at - 1) || *at >= seal)
        .collect();
    assert!(cuts.len() < CUTS, "{} cuts at flushes and in the seal", cuts.len());
    while cuts.len() < CUTS {
        cuts.push(len(chance.below(ops.len() as u64)));
    }
    cuts.sort_unstable();
    cuts
}

/// The log up to a cut: what was flushed before it, and what may or may not be there.
struct Replay<'a> {
    ops: &'a [Op],
    done: usize,
    durable: Vec<u8>,
}

impl<'a> Replay<'a> {
    /// Goes on to a later cut and returns the requests that no flush covers.
    fn advance(&mut self, cut: usize) -> &'a [Op] {
        let flushed = self.ops[..cut].iter().rposition(|op| matches!(op, Op::Flush));
        let flushed = flushed.map_or(0, |at| at + 1);
        self.ops[self.done..flushed.max(self.done)]
            .iter()
            .for_each(|op| apply(&mut self.durable, op));
        self.done = flushed.max(self.done);
        &self.ops[self.done..cut]
    }

    /// Makes `disk` what it may be after the power was cut with `pending` on its way: nothing of
    /// that is there, all, the last of it, or a random choice of the sectors.
    fn cut(&self, disk: &mut [u8], pending: &[Op], remainder: usize, chance: &mut Chance) {
        disk.copy_from_slice(&self.durable);
        let share = 1 + chance.below(7);
        for (at, op) in pending.iter().enumerate() {
            let last = at + 1 == pending.len();
            match remainder {
                0 => {}
                1 => apply(disk, op),
                2 if last => apply(disk, op),
                2 => {}
                _ => apply_torn(disk, op, share, chance),
            }
        }
    }
}

fn remainders(pending: &[Op]) -> usize {
    let ends = |op: &Op| matches!(op, Op::Write { at, .. } if !(len(MIB)..len(DISK_SIZE - MIB)).contains(at));
    match pending {
        [] => 1,
        ops if ops.iter().any(ends) => 3 + TORN_AT_ENDS,
        _ => 3 + TORN,
    }
}

#[test]
fn a_power_cut_at_any_request_leaves_nothing_or_everything() {
    let test = "a_power_cut_at_any_request_leaves_nothing_or_everything";
    if !loop_devices(test) || !judge::judges(test) || !served_files(test) {
        return;
    }
    let mut chance = Chance::of(test);
    for scene in Scene::all() {
        let seen = cut_everywhere(&scene, &mut chance);
        term::status(format!("{test}: {:?}: {CUTS} cuts, {seen:?}", scene.others));
        assert!(seen[&Verdict::Nothing] > CUTS && seen[&Verdict::Complete] >= 2, "{seen:?}");
    }
}

/// Judges what every cut may leave and counts the verdicts.
fn cut_everywhere(scene: &Scene, chance: &mut Chance) -> HashMap<Verdict, usize> {
    let ops = recorded(scene);
    assert!(edits_boot(&ops), "the edits of /boot are not in the log");
    let mut complete = scene.old.clone();
    ops.iter().for_each(|op| apply(&mut complete, op));
    let mut seen: HashMap<Verdict, usize> = HashMap::new();
    let mut judge = PowerCut::new(scene, complete);
    let mut replay = Replay { ops: &ops, done: 0, durable: scene.old.clone() };
    let mut disk = scene.old.clone();
    for cut in cuts(&ops, chance) {
        let pending = replay.advance(cut);
        for remainder in 0..remainders(pending) {
            replay.cut(&mut disk, pending, remainder, chance);
            match judge.judge(&disk) {
                Ok(verdict) => *seen.entry(verdict).or_default() += 1,
                Err(half) => panic!("cut {cut} of {}, remainder {remainder}: {half}", ops.len()),
            }
        }
    }
    seen
}

/// Whether something is written to the boot partition between the body and the seal.
fn edits_boot(ops: &[Op]) -> bool {
    let boot = len(BOOT_AT)..len(BOOT_AT + BOOT_LEN);
    let last_boot =
        ops.iter().rposition(|op| matches!(op, Op::Write { at, .. } if boot.contains(at)));
    let last_root = ops.iter().rposition(
        |op| matches!(op, Op::Write { at, .. } if (boot.end..len(DISK_SIZE - MIB)).contains(at)),
    );
    last_boot > last_root
}
