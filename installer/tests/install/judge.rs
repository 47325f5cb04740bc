//! What a disk would boot: the system it had, nothing, or the new system complete. Anything else
//! is a fault. Tables are judged by sfdisk and blkid, `/boot` by e2fsck and debugfs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nestos_host::cmd::Cmd;

use crate::support::{
    BOOT_AT, BOOT_LEN, Bench, CONFIG, IMAGE_SIZE, MIB, ROOT_AT, Run, debugfs, image, installer,
    len, noise, program,
};

pub(crate) const DISK_SIZE: u64 = 32 * MIB;

/// Lengths of the runs of data and of zeros in the root partition.
const STRIPE: usize = 128 * 1024;

/// What the disk was used for before, in every byte that held no system.
const PAST: u8 = 0xA5;

/// What a disk boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The system that was there before, not touched but for one copy of its table.
    Old,
    /// Nothing: neither BIOS nor UEFI nor Linux sees a boot sector or a table.
    Nothing,
    /// The new system, all of it.
    Complete,
}

/// A disk with a system, an image of another one, and what a finished installation makes of them.
pub(crate) struct Scene {
    pub(crate) bench: Bench,
    pub(crate) args: Vec<String>,
    pub(crate) old: Vec<u8>,
    complete: Vec<u8>,
    complete_disk: PathBuf,
}

/// Returns whether the foreign judges exist; says loudly when a test is skipped.
pub(crate) fn judges(test: &str) -> bool {
    ["sgdisk", "sfdisk", "blkid"].iter().all(|name| program(name, test))
}

impl Scene {
    /// Sets the scene for an installation that edits `/boot` in every way.
    pub(crate) fn set() -> Self {
        let bench = Bench::new(DISK_SIZE);
        let image = bench.file("image", striped(7));
        let config = bench.file("c.ign", CONFIG);
        let args = ["--image-file", &image, "--insecure", "--ignition-file", &config];
        let edits = ["--append-karg", "quiet", "--console", "ttyS0,115200n8"];
        let args = args.iter().chain(&edits).map(|a| (*a).to_owned()).collect();
        let mut old = striped(3);
        old.resize(len(DISK_SIZE), PAST);
        fs::write(&bench.disk, old).unwrap();
        Cmd::new("sgdisk").arg("--move-second-header").arg(&bench.disk).run().unwrap();
        let old = bench.disk_bytes();
        let mut scene =
            Self { complete_disk: bench.disk.clone(), bench, args, old, complete: Vec::new() };
        scene.complete_disk = scene.fresh_disk("complete");
        scene.install(&scene.complete_disk).ok();
        scene.complete = fs::read(&scene.complete_disk).unwrap();
        let verdict = Cmd::new("sgdisk").arg("-v").arg(&scene.complete_disk).output().unwrap();
        assert!(verdict.contains("No problems found"), "{verdict}");
        scene
    }

    /// Makes another disk that holds the old system.
    pub(crate) fn fresh_disk(&self, name: &str) -> PathBuf {
        let path = self.bench.dir.path().join(name);
        fs::write(&path, &self.old).unwrap();
        path
    }

    /// Puts the old system back on the first disk.
    pub(crate) fn renew(&self) {
        fs::write(&self.bench.disk, &self.old).unwrap();
    }

    /// Reads the image.
    pub(crate) fn image(&self) -> Vec<u8> {
        fs::read(&self.args[1]).unwrap()
    }

    /// The installer with the arguments of the scene; temporary files go to a place of their own.
    pub(crate) fn installer(&self, disk: &Path) -> Cmd {
        installer().env("TMPDIR", self.tmp()).arg("install").arg(disk).args(&self.args)
    }

    pub(crate) fn install(&self, disk: &Path) -> Run {
        Run::from(self.installer(disk).finish().unwrap())
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        let path = self.bench.dir.path().join("tmp");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Judges a disk; an error says what is half about it.
    pub(crate) fn judge(&self, disk: &Path) -> Result<Verdict, String> {
        let bytes = fs::read(disk).unwrap();
        let verdict = match boot_signature(&bytes) {
            false => sees_nothing(disk).map(|()| Verdict::Nothing),
            true if self.is_old(&bytes, disk) => Ok(Verdict::Old),
            true => self.is_complete(&bytes, disk).map(|()| Verdict::Complete),
        };
        verdict.map_err(|half| format!("{} is half a system: {half}", disk.display()))
    }

    /// Requires that an installation failed, gave these reasons, told the truth about the disk and
    /// left nothing behind.
    #[track_caller]
    pub(crate) fn assert_failed(&self, run: Run, disk: &Path, texts: &[&str]) {
        let stderr = run.fails_with(1, texts).stderr;
        let verdict = self.judge(disk).unwrap_or_else(|half| panic!("{half}, after:\n{stderr}"));
        let truth = if stderr.contains("the disk was not touched") {
            fs::read(disk).unwrap() == self.old
        } else if stderr.contains("the disk was left unbootable") {
            verdict == Verdict::Nothing
        } else {
            stderr.contains("the disk is in an unknown state")
        };
        assert!(truth, "{} has {verdict:?}, after:\n{stderr}", disk.display());
        assert_released(disk, &self.tmp());
        let left: Vec<_> = fs::read_dir(self.tmp()).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    fn is_old(&self, bytes: &[u8], disk: &Path) -> bool {
        let body = len(MIB)..len(DISK_SIZE - MIB);
        let sector = ..512;
        bytes[body.clone()] == self.old[body]
            && bytes[sector] == self.old[sector]
            && partitions(disk).is_some_and(|p| p.lines().count() == 4)
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
        let bootable = boot_signature(disk);
        if bootable && disk == self.complete {
            return Ok(Verdict::Complete);
        }
        let last = len(DISK_SIZE - MIB);
        let ends = [&disk[..len(MIB)], &disk[last..]].concat();
        if ends == self.nothing {
            return Ok(Verdict::Nothing);
        }
        // Judges look for tables at both ends only.
        let path = self.scene.bench.dir.path().join("ends");
        let file = File::create(&path).unwrap();
        file.write_all_at(&ends[..len(MIB)], 0).unwrap();
        file.write_all_at(&ends[len(MIB)..], last as u64).unwrap();
        if bootable {
            let old = self.scene.is_old(disk, &path);
            let half = || "it has a boot sector, but not all of the rest".to_owned();
            return if old { Ok(Verdict::Old) } else { Err(half()) };
        }
        sees_nothing(&path)?;
        self.nothing = ends;
        Ok(Verdict::Nothing)
    }
}

/// An image whose root partition has many runs of data and of zeros.
fn striped(tag: u8) -> Vec<u8> {
    let mut bytes = image().to_vec();
    let root = &mut bytes[len(ROOT_AT + MIB)..len(IMAGE_SIZE - 2 * MIB)];
    let data = noise(STRIPE);
    for pair in root.chunks_exact_mut(2 * STRIPE) {
        pair[..STRIPE].copy_from_slice(&data);
        pair[0] = tag;
        pair[STRIPE..].fill(0);
    }
    bytes
}

/// The disk without its boot partition, into which ext4 writes times.
fn outside_boot(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    [&bytes[..len(BOOT_AT)], &bytes[len(BOOT_AT + BOOT_LEN)..]].into_iter()
}

/// What a BIOS looks for; UEFI and Linux take no table for one without it either.
pub(crate) fn boot_signature(disk: &[u8]) -> bool {
    disk[510..512] == [0x55, 0xAA]
}

/// Lists the partitions as sfdisk sees them; `None` without a table.
fn partitions(disk: &Path) -> Option<String> {
    let table = Cmd::new("sfdisk").arg("--dump").arg(disk).output().ok()?;
    let lines = table.lines().filter(|l| l.contains("start="));
    Some(
        lines
            .map(|l| l.rsplit_once(disk.to_str().unwrap()).unwrap().1)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

fn sees_nothing(disk: &Path) -> Result<(), String> {
    if let Some(table) = partitions(disk) {
        return Err(format!("no boot sector, but sfdisk sees\n{table}"));
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

/// Waits for the kernel to let go of a disk and fails if it does not: no loop device on it and
/// no mount of it or of a directory below `tmp`.
pub(crate) fn assert_released(disk: &Path, tmp: &Path) {
    let held = || loops_on(disk).into_iter().chain(mounts_below(tmp)).collect::<Vec<_>>();
    for _ in 0..100 {
        if held().is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("left behind on {}: {:?}", disk.display(), held());
}

fn loops_on(disk: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().map(|e| e.unwrap().path());
    let backing = |d: &PathBuf| fs::read_to_string(d.join("loop/backing_file")).unwrap_or_default();
    devices
        .filter(|d| backing(d).starts_with(disk.to_str().unwrap()))
        .map(|d| d.display().to_string())
        .collect()
}

fn mounts_below(tmp: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = tmp.to_str().unwrap();
    mounts.lines().filter(|l| l.contains(below)).map(str::to_owned).collect()
}
