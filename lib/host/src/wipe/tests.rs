use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::cmd::Cmd;

const MIB: u64 = 1 << 20;

struct Bench {
    dir: tempfile::TempDir,
    disk: PathBuf,
}

impl Bench {
    /// Makes a disk of noise, so that what stays can be told from what is erased.
    fn new(mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk");
        let mut file = File::create(&disk).unwrap();
        for _ in 0..mib {
            file.write_all(&[0xA5; 1 << 20]).unwrap();
        }
        Self { dir, disk }
    }

    fn table(&self, args: &[&str]) {
        let cmd = Cmd::new("sgdisk").args(["--zap-all"]).args(args).arg(&self.disk);
        cmd.when_missing("install gdisk").run().unwrap();
    }

    /// Has `program` format a file, and puts that file at `at`.
    fn format(&self, at: u64, length: u64, program: &[&str]) {
        let part = self.dir.path().join("part");
        File::create(&part).unwrap().set_len(length).unwrap();
        Cmd::new(program[0]).args(&program[1..]).arg(&part).run().unwrap();
        self.file().write_all_at(&fs::read(&part).unwrap(), at).unwrap();
        fs::remove_file(part).unwrap();
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(&self.disk).unwrap()
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file().write_all_at(bytes, at).unwrap();
    }

    fn plan(&self, kept: &[Range<u64>]) -> Plan {
        plan(&File::open(&self.disk).unwrap(), kept).unwrap()
    }

    fn wipe(&self, kept: &[Range<u64>]) -> Discarded {
        let plan = self.plan(kept);
        run(&ClaimedDisk::claim(&self.disk).unwrap(), &plan, || Ok(())).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.disk).unwrap()
    }
}

/// What blkid recognises in a part of a file.
fn recognised(disk: &Path, at: u64, length: u64) -> String {
    let (at, length) = (at.to_string(), length.to_string());
    let cmd = Cmd::new("blkid").args(["--probe", "--offset", &at, "--size", &length]).arg(disk);
    String::from_utf8(cmd.finish().unwrap().stdout).unwrap()
}

#[test]
fn nothing_is_recognised_after_a_wipe() {
    let bench = Bench::new(96);
    bench.table(&["--new=1:2048:+16M", "--new=2:0:+16M", "--new=3:0:+40M"]);
    let places = [(MIB, 16 * MIB), (17 * MIB, 16 * MIB), (33 * MIB, 40 * MIB)];
    bench.format(places[0].0, places[0].1, &["mke2fs", "-q", "-t", "ext4"]);
    bench.format(places[1].0, places[1].1, &["mkswap"]);
    bench.format(places[2].0, places[2].1, &["mkfs.vfat"]);
    let plan = bench.plan(&[]);
    let lines = plan.lines();
    assert_eq!(lines[0], "the whole disk: partition table (GPT)");
    assert_eq!(lines[1..3], ["partition 1: ext file system", "partition 2: swap"]);
    assert!(lines[3].contains("FAT"), "{lines:?}");
    for (at, length) in places {
        assert!(recognised(&bench.disk, at, length).contains("TYPE="));
    }
    assert_eq!(bench.wipe(&[]), Discarded::Yes);
    for (at, length) in places.into_iter().chain([(0, 96 * MIB)]) {
        assert_eq!(recognised(&bench.disk, at, length), "");
    }
    assert!(bench.bytes() == vec![0; 96 << 20]);
    assert_eq!(bench.plan(&[]).found, []);
}

#[test]
fn kept_ranges_are_left_byte_for_byte() {
    let bench = Bench::new(64);
    bench.table(&["--new=1:2048:+16M", "--new=2:0:+16M"]);
    bench.format(17 * MIB, 16 * MIB, &["mke2fs", "-q", "-t", "ext4"]);
    let before = bench.bytes();
    let kept = 17 * MIB..33 * MIB;
    let plan = bench.plan(std::slice::from_ref(&kept));
    assert!(plan.lines().iter().all(|l| !l.contains("ext")), "{plan}");
    bench.wipe(std::slice::from_ref(&kept));
    let after = bench.bytes();
    let (from, to) = (17 << 20, 33 << 20);
    assert!(before[from..to] == after[from..to]);
    assert!(after[..from] == vec![0; from] && after[to..] == vec![0; after.len() - to]);
}

#[test]
fn signatures_at_the_ends_of_partitions_are_found_and_erased() {
    let bench = Bench::new(80);
    bench.table(&["--new=1:2048:+16M", "--new=2:0:+16M", "--new=3:0:+24M"]);
    let md = [0xFC, 0x4E, 0x2B, 0xA9];
    // md(4): 0.90 lies 64 KiB before the last multiple of 64 KiB, 1.0 lies 8 KiB before the end.
    bench.put(17 * MIB - (64 << 10), &md);
    bench.put(33 * MIB - (8 << 10), &md);
    // The last label of ZFS, the eighth uberblock of its ring.
    bench.put(57 * MIB - (128 << 10) + 7 * 1024, &0x00BA_B10C_u64.to_le_bytes());
    bench.put(33 * MIB + 0x40_0000, b"SKUL\xBA\xBE");
    assert_eq!(
        bench.plan(&[]).lines(),
        [
            "the whole disk: partition table (GPT)",
            "partition 1: Linux RAID member",
            "partition 2: Linux RAID member",
            "partition 3: LUKS encryption, ZFS",
        ]
    );
    bench.wipe(&[]);
    assert_eq!(bench.plan(&[]).lines(), [""; 0]);
}

#[test]
fn zeros_alone_suffice_on_a_device_that_cannot_discard() {
    let plan = laid_out(
        100 * MIB,
        &[
            Region { partition: None, range: 0..100 * MIB },
            Region { partition: Some(1), range: MIB..90 * MIB },
        ],
        vec![],
        &[],
    );
    assert_eq!(
        plan.zeros,
        [
            0..BLOCK,
            BLOCK..8 * MIB,
            98 * MIB..100 * MIB,
            64 * MIB..64 * MIB + (64 << 10),
            8 * MIB..9 * MIB,
            88 * MIB..90 * MIB,
            65 * MIB..65 * MIB + (64 << 10),
        ]
    );
}

#[test]
fn the_partitions_of_an_mbr_are_found_also_inside_an_extended_one() {
    let bench = Bench::new(64);
    bench.put(0, &[0; 4096]);
    let script = "label: dos\n1: size=8M,type=83\n2: size=40M,type=5\n5: size=8M,type=83\n\
         6: size=8M,type=83\n";
    Cmd::new("sfdisk")
        .args(["--quiet", "--no-reread"])
        .arg(&bench.disk)
        .input(script)
        .run()
        .unwrap();
    let dump = Cmd::new("sfdisk").arg("--dump").arg(&bench.disk).output().unwrap();
    let want: Vec<u64> = dump
        .lines()
        .filter_map(|l| l.split_once("start=")?.1.split(',').next()?.trim().parse().ok())
        .map(|first: u64| first * 512)
        .collect();
    let found = old::partitions(&bench.file(), 64 * MIB);
    let mut starts: Vec<u64> = found.iter().map(|r| r.range.start).collect();
    starts.sort_unstable();
    let mut want_sorted = want.clone();
    want_sorted.sort_unstable();
    assert_eq!((starts, want.len()), (want_sorted, 4));
}

#[test]
fn the_backup_of_a_table_tells_the_partitions_too() {
    let bench = Bench::new(64);
    bench.table(&["--new=1:2048:+16M"]);
    bench.put(0, &[0; 34 * 512]);
    let found = old::partitions(&bench.file(), 64 * MIB);
    assert_eq!(found, [Region { partition: Some(1), range: MIB..17 * MIB }]);
}

#[test]
fn hostile_tables_are_neither_followed_for_ever_nor_past_the_end() {
    let bench = Bench::new(16);
    let mut header = vec![0xFF; 512];
    header[..8].copy_from_slice(b"EFI PART");
    bench.put(512, &header);
    bench.put(4096, &header);
    assert_eq!(old::partitions(&bench.file(), 16 * MIB), []);
    // A chain of extended records that leads back to its start.
    let mut record = vec![0; 512];
    record[510..].copy_from_slice(&[0x55, 0xAA]);
    record[446 + 4] = 0x05;
    record[446 + 8] = 1;
    record[446 + 12] = 8;
    record[462 + 12] = 8;
    let bench = Bench::new(16);
    bench.put(0, &record);
    bench.put(512, &record);
    assert!(old::partitions(&bench.file(), 16 * MIB).len() < 4);
    bench.wipe(&[]);
}

#[test]
fn ranges_are_cut_around_what_is_kept() {
    assert_eq!(without(0..10, &[2..4, 6..7]), [0..2, 4..6, 7..10]);
    assert!(without(0..10, &[0..5, 5..10]).is_empty());
    assert_eq!(without(3..7, &[0..4, 8..9, 5..5, 5..6]), [4..5, 6..7]);
}
