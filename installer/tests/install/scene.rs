//! A disk with a system on it, an image of another one, and what an installation makes of them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nestos_host::cmd::Cmd;

use crate::judge::{Tables, Verdict};
use crate::support::{Bench, CONFIG, IMAGE_SIZE, MIB, ROOT_AT, Run, image, installer, len, noise};

pub(crate) const DISK_SIZE: u64 = 32 * MIB;

/// Lengths of the runs of data and of zeros in the root partition.
const STRIPE: usize = 128 * 1024;

/// What every run of data begins with: in the image, and in the system that was there before.
pub(crate) const NEW: u8 = 7;
const OLD: u8 = 3;

/// What the disk was used for before, in every byte that held no system.
const PAST: u8 = 0xA5;

/// What becomes of the partitions behind the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// There are none.
    None,
    /// They are saved: one right behind the image, one up to the end of the disk.
    Saved,
}

/// A partition that is to be saved: its number, its name, and where it lies.
const SAVED: [(u32, &str, Range<u64>); 2] =
    [(5, "data-1", IMAGE_SIZE..IMAGE_SIZE + 3 * MIB), (9, "other", 30 * MIB..DISK_SIZE - 33 * 512)];

/// A disk that is installed to; see the module.
pub(crate) struct Scene {
    pub(crate) bench: Bench,
    pub(crate) args: Vec<String>,
    pub(crate) others: Others,
    pub(crate) old: Vec<u8>,
    pub(crate) complete: Vec<u8>,
    pub(crate) complete_disk: PathBuf,
    pub(crate) tables: Tables,
}

impl Scene {
    /// Sets the scene for an installation that edits `/boot` in every way.
    pub(crate) fn set(others: Others) -> Self {
        let bench = Bench::new(DISK_SIZE);
        let image = bench.file("image", striped(NEW));
        let config = bench.file("c.ign", CONFIG);
        let mut args = vec!["--image-file", &image, "--insecure", "--ignition-file", &config];
        args.extend(["--append-karg", "quiet", "--console", "ttyS0,115200n8"]);
        if others == Others::Saved {
            args.extend(["--save-partlabel", "data*", "--save-partindex", "9"]);
        }
        let args = args.into_iter().map(str::to_owned).collect();
        make_old(&bench.disk, others);
        let old = bench.disk_bytes();
        let complete_disk = bench.dir.path().join("complete");
        let mut scene = Self {
            bench,
            args,
            others,
            old,
            complete: Vec::new(),
            complete_disk: complete_disk.clone(),
            tables: Tables::default(),
        };
        scene.install(&scene.fresh_disk("complete")).ok();
        scene.complete = fs::read(&complete_disk).unwrap();
        scene.tables = Tables::of(&scene.bench.disk, &complete_disk);
        let verdict = Cmd::new("sgdisk").arg("-v").arg(&complete_disk).output().unwrap();
        assert!(verdict.contains("No problems found"), "{verdict}");
        scene.check_saved(&scene.complete).unwrap();
        scene
    }

    /// The scenes in which a fault has to be survived.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Others::None, Others::Saved].into_iter().map(Self::set)
    }

    /// Names of the partitions that are saved.
    pub(crate) fn saved(&self) -> impl Iterator<Item = &'static str> {
        saved(self.others).map(|(_, name, _)| name)
    }

    /// Fails when a byte of a saved partition changed.
    pub(crate) fn check_saved(&self, disk: &[u8]) -> Result<(), String> {
        for (number, name, range) in saved(self.others) {
            let range = len(range.start)..len(range.end);
            if disk[range.clone()] != self.old[range] {
                return Err(format!("saved partition {number} ({name}) has changed"));
            }
        }
        Ok(())
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
}

/// The partitions that are saved.
fn saved(others: Others) -> impl Iterator<Item = (u32, &'static str, Range<u64>)> {
    SAVED.into_iter().filter(move |_| others == Others::Saved)
}

/// Makes a disk with another system on it, and with the partitions to be saved.
fn make_old(disk: &Path, others: Others) {
    let mut old = striped(OLD);
    old.resize(len(DISK_SIZE), PAST);
    for (number, _, range) in saved(others) {
        let mut bytes = noise(len(range.end - range.start));
        bytes[0] = number.to_le_bytes()[0];
        old[len(range.start)..len(range.end)].copy_from_slice(&bytes);
    }
    fs::write(disk, old).unwrap();
    let mut cmd = Cmd::new("sgdisk").arg("--move-second-header");
    for (number, name, Range { start, end }) in saved(others) {
        cmd = cmd.arg(format!("--new={number}:{}:{}", start / 512, end / 512 - 1));
        cmd = cmd.arg(format!("--change-name={number}:{name}"));
    }
    cmd.arg(disk).run().unwrap();
}

/// An image with boot code, whose root partition has many runs of data and of zeros.
fn striped(tag: u8) -> Vec<u8> {
    let mut bytes = image().to_vec();
    bytes[..9].copy_from_slice(b"boot code");
    bytes[9] = tag;
    let root = &mut bytes[len(ROOT_AT + MIB)..len(IMAGE_SIZE - 2 * MIB)];
    let data = noise(STRIPE);
    for pair in root.chunks_exact_mut(2 * STRIPE) {
        pair[..STRIPE].copy_from_slice(&data);
        pair[0] = tag;
        pair[STRIPE..].fill(0);
    }
    bytes
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
