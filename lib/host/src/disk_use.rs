//! Who keeps a disk busy: mounts, swap areas, the devices stacked on it (LVM, RAID, encryption,
//! loop devices) and programs that have it open, each with what frees it. Everything is read from
//! sysfs and proc(5) below the roots in [`Sources`].

mod mounts;
mod programs;
mod release;
mod stack;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

pub use release::{commands, release};

use crate::disks::{self, Offer, Probe};
use crate::term::WithHint;

/// One use of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// What is used: a device node such as `/dev/vda3`, or a mounted directory.
    pub device: String,
    /// What it is used for, such as `mounted on /boot`.
    pub what: String,
    /// What ends the use.
    pub free: Free,
}

/// What ends a use of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Free {
    /// A command: the program and its arguments.
    Run(Vec<String>),
    /// Something that only a person can decide to do.
    Ask(String),
    /// Nothing: the running system needs it.
    Never,
}

impl Free {
    fn run(argv: &[&str]) -> Self {
        Self::Run(argv.iter().map(|word| (*word).to_owned()).collect())
    }
}

impl Use {
    /// Returns whether the running system is what uses the disk.
    pub fn holds_running_system(&self) -> bool {
        self.free == Free::Never
    }
}

/// Where the kernel says what there is and who uses it; a value, so that tests can supply their
/// own.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `/sys`.
    pub sysfs: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// `/dev`, for the links in `/dev/disk`.
    pub dev: PathBuf,
    /// How contents are found out.
    pub probe: Probe,
    /// Whether loop devices are shown among the disks.
    pub loops: Offer,
}

impl Sources {
    /// Takes this system's.
    pub fn system() -> Self {
        Self { probe: Probe::Blkid, ..Self::at(Path::new("/")) }
    }

    /// Takes those of a machine whose `sys`, `proc` and `dev` are below `root`; looks at no
    /// contents.
    pub fn at(root: &Path) -> Self {
        Self {
            sysfs: root.join("sys"),
            proc: root.join("proc"),
            dev: root.join("dev"),
            probe: Probe::Skip,
            loops: Offer::OnlyNamed,
        }
    }

    /// Lists what the kernel knows to use a disk, its partitions and everything stacked on them,
    /// topmost first: in the order in which the uses have to be ended.
    pub fn uses_of(&self, name: &str) -> Vec<Use> {
        let mut tree = Tree::of(self, name);
        tree.collect(name);
        tree.found
    }

    /// Lists also the programs that have any of that open; they come first.
    pub fn uses_and_programs(&self, name: &str) -> Vec<Use> {
        let mut tree = Tree::of(self, name);
        tree.collect(name);
        let mut uses = programs::on(&tree);
        uses.append(&mut tree.found);
        uses
    }

    /// Returns the kernel's name of a device node.
    fn name_of(&self, device: &Path) -> String {
        let real = fs::canonicalize(device).unwrap_or_else(|_missing| device.to_owned());
        let path = real.strip_prefix("/dev").unwrap_or(&real);
        path.to_string_lossy().replace('/', "!")
    }

    fn block(&self, name: &str) -> PathBuf {
        self.sysfs.join("class/block").join(name)
    }

    fn read(&self, path: &str) -> String {
        // What cannot be read cannot be listed; the refusal itself does not depend on it.
        fs::read_to_string(self.proc.join(path)).unwrap_or_default()
    }
}

/// What is being found about one disk.
#[derive(Debug)]
struct Tree<'s> {
    sources: &'s Sources,
    /// The disk.
    disk: String,
    /// Names of the disk, its partitions and everything stacked on them.
    seen: BTreeSet<String>,
    /// Where their file systems are mounted.
    places: Vec<PathBuf>,
    /// Mounts of this namespace and of others.
    mounts: Vec<mounts::Mount>,
    /// Numbers of the mounts that are in `found`.
    listed: BTreeSet<(Option<u32>, u64)>,
    found: Vec<Use>,
}

impl<'s> Tree<'s> {
    fn of(sources: &'s Sources, disk: &str) -> Self {
        Self {
            sources,
            disk: disk.to_owned(),
            seen: BTreeSet::new(),
            places: Vec::new(),
            mounts: mounts::all(sources),
            listed: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    fn collect(&mut self, name: &str) {
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let dir = self.sources.block(name);
        for child in names_in(&dir).into_iter().filter(|n| dir.join(n).join("partition").exists()) {
            self.collect(&child);
        }
        self.collect_stack(name);
        self.collect_mounts(name);
        let device = node(&self.sources.sysfs, name);
        self.collect_swaps(|area| same_device(area, &device));
    }

    /// Adds the swap areas that `ours` is true of.
    fn collect_swaps(&mut self, ours: impl Fn(&str) -> bool) {
        let swaps = self.sources.read("swaps");
        for line in swaps.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let area = mounts::unescape(fields.first().unwrap_or(&""));
            if !ours(&area) {
                continue;
            }
            let used: u64 = fields.get(3).and_then(|n| n.parse().ok()).unwrap_or(0);
            let free = if used > self.memory_left() {
                Free::Ask(format!("{area} holds more than fits into memory: end programs first"))
            } else {
                Free::run(&["swapoff", &area])
            };
            self.found.push(Use { device: area, what: "used as swap".to_owned(), free });
        }
    }

    /// Returns how many KiB of memory programs could still get.
    fn memory_left(&self) -> u64 {
        let text = self.sources.read("meminfo");
        let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
        let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
        number.unwrap_or(u64::MAX)
    }
}

/// Refuses a disk that could not be claimed.
pub(crate) fn refuse<T>(path: &Path, sysfs: &Path) -> Result<T> {
    let name = fs::canonicalize(sysfs)
        .ok()
        .and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let sources = Sources::system();
    let mut uses = sources.uses_and_programs(&name);
    uses.extend(pool_on(&sources, path));
    let (text, advice) = describe(path, &uses);
    Err(anyhow!(text)).hint(advice)
}

/// Returns the ZFS pool on a disk: the kernel tells nobody that it uses the disk.
fn pool_on(sources: &Sources, path: &Path) -> Option<Use> {
    let name = sources.name_of(path);
    let disk =
        disks::all(sources).into_iter().find(|d| sources.name_of(Path::new(&d.device)) == name)?;
    let partitions = disk.partitions.iter().map(|p| (&p.device, &p.content));
    let mut contents = partitions.chain([(&disk.device, &disk.content)]);
    let (device, content) =
        contents.find(|(_, c)| c.as_ref().is_some_and(|c| c.kind == "zfs_member"))?;
    let pool = content.as_ref()?.label.clone()?;
    let what = format!("part of the ZFS pool {pool}");
    Some(Use { device: device.clone(), what, free: Free::run(&["zpool", "export", &pool]) })
}

fn describe(path: &Path, uses: &[Use]) -> (String, String) {
    let mut text = format!("cannot claim {}: the disk is in use", path.display());
    for u in uses {
        text.push_str(&format!("\n    {} is {}", u.device, u.what));
    }
    if uses.iter().any(Use::holds_running_system) {
        return (text, "the running system is on this disk: choose another one".into());
    }
    let asked = uses.iter().filter_map(|u| match &u.free {
        Free::Ask(advice) => Some(advice.clone()),
        _ => None,
    });
    let steps: Vec<String> = asked.chain(commands(uses)).collect();
    if steps.is_empty() {
        return (text, "another program has the disk open: find it with fuser -v, or wait".into());
    }
    (text, format!("choose another disk, or free this one:\n    {}", steps.join("\n    ")))
}

/// Returns the loop device that a file is attached to, if any.
pub(crate) fn loop_device_of(file: &Path) -> Option<String> {
    names_in(Path::new("/sys/block")).into_iter().find_map(|name| {
        let backing = Path::new("/sys/block").join(&name).join("loop/backing_file");
        let backing = fs::read_to_string(backing).ok()?;
        (Path::new(backing.trim_end()) == file).then(|| format!("/dev/{name}"))
    })
}

/// Returns the node of a device: by its name where the device mapper gave it one.
pub(crate) fn node(sysfs: &Path, name: &str) -> String {
    let mapped = read_trimmed(&sysfs.join("class/block").join(name).join("dm/name"));
    if mapped.is_empty() {
        return format!("/dev/{}", name.replace('!', "/"));
    }
    format!("/dev/mapper/{mapped}")
}

/// Reads an attribute; what is not there reads as nothing.
pub(crate) fn read_trimmed(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn same_device(a: &str, b: &str) -> bool {
    let real = |path: &str| fs::canonicalize(path).ok();
    a == b || (a.starts_with("/dev/") && real(a).is_some_and(|a| real(b) == Some(a)))
}

#[cfg(test)]
#[path = "disk_use/tests.rs"]
mod tests;
