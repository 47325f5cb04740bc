//! What a disk would boot: the system it had, nothing, or the new system complete. Anything else
//! is a fault. Tables are judged by sfdisk and blkid, `/boot` by e2fsck and debugfs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;

use crate::scene::{DISK_SIZE, Others, Scene};
use crate::support::{BOOT_AT, BOOT_LEN, MIB, debugfs, len, program};

/// Bytes of the code that a BIOS starts.
const BOOT_CODE: usize = 440;

/// What a disk boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The system that was there before, not touched but for one copy of its table or, when
    /// partitions are saved, for what a BIOS starts.
    Old,
    /// Nothing: neither BIOS nor UEFI nor Linux sees a boot sector or a table, or none but that
    /// of the saved partitions.
    Nothing,
    /// The new system, all of it, but for what a BIOS starts; only when partitions are saved.
    WithoutCode,
    /// The new system, all of it.
    Complete,
}

/// The partitions that sfdisk sees, as it prints them.
type Table = Option<Vec<String>>;

/// The tables that may be found on the disk of a scene.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    old: Table,
    complete: Table,
}

impl Tables {
    pub(crate) fn of(old: &Path, complete: &Path) -> Self {
        let tables = Self { old: partitions(old), complete: partitions(complete) };
        assert!(tables.old.is_some() && tables.complete.is_some(), "{tables:?}");
        tables
    }
}

/// Returns whether the foreign judges exist; says loudly when a test is skipped.
pub(crate) fn judges(test: &str) -> bool {
    ["sgdisk", "sfdisk", "blkid"].iter().all(|name| program(name, test))
}

impl Scene {
    /// Judges a disk; an error says what is half about it.
    pub(crate) fn judge(&self, disk: &Path) -> Result<Verdict, String> {
        let bytes = fs::read(disk).unwrap();
        let verdict = self.judge_ends(&bytes, disk).and_then(|claim| match claim {
            Verdict::Complete => self.is_complete(&bytes, disk).map(|()| claim),
            Verdict::WithoutCode => {
                let body = len(MIB)..len(DISK_SIZE - MIB);
                let mut whole = self.complete.clone();
                whole[body.clone()].copy_from_slice(&bytes[body]);
                self.is_complete(&whole, disk).map(|()| claim)
            }
            Verdict::Old | Verdict::Nothing => Ok(claim),
        });
        verdict.map_err(|half| format!("{} is half a system: {half}", disk.display()))
    }

    /// Judges a disk by the tables at its ends, which `path` holds; that the new system is complete
    /// is what they claim.
    fn judge_ends(&self, bytes: &[u8], path: &Path) -> Result<Verdict, String> {
        self.check_saved(bytes)?;
        let table = partitions(path);
        self.check_saved_entries(&table)?;
        if bytes[510..512] != [0x55, 0xAA] {
            return sees_nothing(path, &table).map(|()| Verdict::Nothing);
        }
        let body = len(MIB)..len(DISK_SIZE - MIB);
        let keeps = self.others == Others::Saved;
        let no_code = keeps && bytes[..BOOT_CODE].iter().all(|b| *b == 0);
        let same_code = bytes[..BOOT_CODE] == self.old[..BOOT_CODE];
        if (no_code || same_code)
            && bytes[body.clone()] == self.old[body]
            && table == self.tables.old
        {
            return Ok(Verdict::Old);
        }
        let saved = self.saved().count();
        match table {
            _ if !no_code => Ok(Verdict::Complete),
            Some(table) if table.len() == saved => Ok(Verdict::Nothing),
            table if table == self.tables.complete => Ok(Verdict::WithoutCode),
            table => Err(format!("it has no boot code, but the table {table:#?}")),
        }
    }

    /// Every saved partition is in the table as it was, whatever its number.
    fn check_saved_entries(&self, table: &Table) -> Result<(), String> {
        for name in self.saved() {
            let named = |table: &Table| {
                let named = format!("name=\"{name}\"");
                let found = table.iter().flatten().find(|line| line.contains(&named));
                found.and_then(|line| Some(line.split_once(':')?.1.to_owned()))
            };
            if named(table) != named(&self.tables.old) {
                return Err(format!("saved partition {name} is not in the table: {table:#?}"));
            }
        }
        Ok(())
    }

    fn is_complete(&self, bytes: &[u8], disk: &Path) -> Result<(), String> {
        let differs = outside_boot(bytes)
            .zip(outside_boot(&self.complete))
            .position(|(mine, reference)| mine != reference);
        if let Some(at) = differs {
            let side = ["before", "after"][at];
            return Err(format!("the disk is not as it should be {side} the boot partition"));
        }
        check_boot(disk)?;
        if boot_tree(disk) != boot_tree(&self.complete_disk) {
            return Err("the boot partition has other contents".to_owned());
        }
        Ok(())
    }
}

/// Judges many states of one disk.
pub(crate) struct PowerCut<'a> {
    scene: &'a Scene,
    /// What the last request leaves.
    complete: Vec<u8>,
    /// Both ends of the last disk that boots nothing.
    nothing: Vec<u8>,
}

impl<'a> PowerCut<'a> {
    pub(crate) fn new(scene: &'a Scene, complete: Vec<u8>) -> Self {
        Self { scene, complete, nothing: Vec::new() }
    }

    /// Judges what a disk may hold after a power cut.
    pub(crate) fn judge(&mut self, disk: &[u8]) -> Result<Verdict, String> {
        if disk == self.complete {
            return Ok(Verdict::Complete);
        }
        let last = len(DISK_SIZE - MIB);
        let ends = [&disk[..len(MIB)], &disk[last..]].concat();
        if ends == self.nothing {
            return self.scene.check_saved(disk).map(|()| Verdict::Nothing);
        }
        // Judges look for tables at both ends only.
        let path = self.scene.bench.dir.path().join("ends");
        let file = File::create(&path).unwrap();
        file.write_all_at(&ends[..len(MIB)], 0).unwrap();
        file.write_all_at(&ends[len(MIB)..], last as u64).unwrap();
        let verdict = self.scene.judge_ends(disk, &path)?;
        let body = len(MIB)..last;
        match verdict {
            Verdict::Nothing => self.nothing = ends,
            Verdict::Old => {}
            Verdict::WithoutCode if disk[body.clone()] == self.complete[body] => {}
            Verdict::Complete | Verdict::WithoutCode => {
                return Err("it has a boot sector or a table, but not all of the rest".to_owned());
            }
        }
        Ok(verdict)
    }
}

/// The disk without its boot partition, into which ext4 writes times.
fn outside_boot(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    [&bytes[..len(BOOT_AT)], &bytes[len(BOOT_AT + BOOT_LEN)..]].into_iter()
}

/// Lists the partitions as sfdisk sees them.
fn partitions(disk: &Path) -> Table {
    let table = Cmd::new("sfdisk").arg("--dump").arg(disk).output().ok()?;
    let line = |l: &str| Some(l.split_once(disk.to_str()?)?.1.to_owned());
    Some(table.lines().filter(|l| l.contains("start=")).filter_map(line).collect())
}

fn sees_nothing(disk: &Path, table: &Table) -> Result<(), String> {
    if let Some(table) = table {
        return Err(format!("no boot sector, but sfdisk sees {table:#?}"));
    }
    let probed = Cmd::new("blkid").args(["-p", "-o", "export"]).arg(disk).finish().unwrap();
    let text = String::from_utf8_lossy(&probed.stdout).into_owned();
    if text.contains("PTTYPE") {
        Err(format!("no boot sector, but blkid sees {text}"))
    } else {
        Ok(())
    }
}

pub(crate) fn check_boot(disk: &Path) -> Result<(), String> {
    let device = format!("{}?offset={BOOT_AT}", disk.display());
    let checked = Cmd::new("e2fsck").args(["-f", "-n"]).arg(device).output();
    checked.map(drop).map_err(|e| format!("{e:#}"))
}

/// Every path of the boot partition with its mode and its content, read with debugfs.
fn boot_tree(disk: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    debugfs(disk, &format!("rdump / {}", dir.path().display()));
    let mut tree = BTreeMap::new();
    let mut todo = vec![dir.path().to_owned()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            Vec::new()
        } else if meta.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        let inside = path.strip_prefix(dir.path()).unwrap().to_owned();
        if inside != Path::new("") {
            tree.insert(inside, (meta.permissions().mode(), content));
        }
    }
    assert!(tree.len() > 8, "debugfs found only {:?}", tree.keys());
    tree
}
