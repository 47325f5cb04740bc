//! Mounts of file systems that are on a disk, in this mount namespace and in others, and what
//! lies on top of them. See proc_pid_mountinfo(5).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Free, Sources, Tree, Use, names_in, node, read_trimmed, same_device};

/// Directories that the running system is mounted on, live media included.
const SYSTEM: [&str; 12] = [
    "/",
    "/usr",
    "/etc",
    "/var",
    "/boot",
    "/efi",
    "/sysroot",
    "/run/media/iso",
    "/run/initramfs/live",
    "/run/initramfs/isoscan",
    "/run/live/medium",
    "/cdrom",
];

/// Directories in which nothing is mounted that the system can do without.
const SYSTEM_BELOW: [&str; 4] = ["/usr", "/etc", "/boot", "/sysroot"];

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// A process of the other mount namespace it is in; `None` for ours.
    pid: Option<u32>,
    id: u64,
    parent: u64,
    number: String,
    place: String,
    kind: String,
    source: String,
    options: String,
}

/// Lists the mounts of this namespace, then those of others.
pub(super) fn all(sources: &Sources) -> Vec<Mount> {
    let own = fs::read_link(sources.proc.join("self/ns/mnt")).ok();
    let mut known: BTreeSet<PathBuf> = own.into_iter().collect();
    let mut mounts = parse(&sources.read("self/mountinfo"), None);
    if known.is_empty() {
        return mounts;
    }
    for pid in names_in(&sources.proc) {
        let Ok(number) = pid.parse::<u32>() else { continue };
        let Ok(namespace) = fs::read_link(sources.proc.join(&pid).join("ns/mnt")) else { continue };
        if known.insert(namespace) {
            mounts.extend(parse(&sources.read(&format!("{pid}/mountinfo")), Some(number)));
        }
    }
    mounts
}

fn parse(text: &str, pid: Option<u32>) -> Vec<Mount> {
    text.lines().filter_map(|line| parse_line(line, pid)).collect()
}

fn parse_line(line: &str, pid: Option<u32>) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<&str> = front.split(' ').collect();
    let mut back = back.split(' ');
    Some(Mount {
        pid,
        id: front.first()?.parse().ok()?,
        parent: front.get(1)?.parse().ok()?,
        number: (*front.get(2)?).to_owned(),
        place: unescape(front.get(4)?),
        kind: back.next()?.to_owned(),
        source: unescape(back.next()?),
        options: unescape(back.next().unwrap_or_default()),
    })
}

impl Tree<'_> {
    pub(super) fn collect_mounts(&mut self, name: &str) {
        let number = read_trimmed(&self.sources.block(name).join("dev"));
        let devices = self.same_filesystem(name);
        // btrfs mounts carry an anonymous number; their source names one of the devices.
        let ours = |m: &&Mount| {
            m.number == number || devices.iter().any(|device| same_device(&m.source, device))
        };
        let mut mounts: Vec<Mount> = self.mounts.iter().filter(ours).cloned().collect();
        // Later mounts hide earlier ones and have to go first; other namespaces may have copies
        // that vanish together with ours, so theirs are looked at after ours.
        mounts.reverse();
        mounts.sort_by_key(|m| m.pid);
        for mount in mounts {
            let device = node(&self.sources.sysfs, name);
            self.end_mount(&mount, &device);
        }
    }

    /// Lists the devices of the file system that `name` is a part of.
    fn same_filesystem(&self, name: &str) -> Vec<String> {
        let mut names = vec![name.to_owned()];
        let btrfs = self.sources.sysfs.join("fs/btrfs");
        for filesystem in names_in(&btrfs) {
            let members = names_in(&btrfs.join(filesystem).join("devices"));
            if members.iter().any(|n| n == name) {
                names.extend(members);
            }
        }
        names.iter().map(|n| node(&self.sources.sysfs, n)).collect()
    }

    /// Adds a mount after everything that keeps it from being unmounted.
    fn end_mount(&mut self, mount: &Mount, device: &str) {
        if !self.listed.insert((mount.pid, mount.id)) {
            return;
        }
        let copied = |m: &&Mount| m.pid.is_none() && m.place == mount.place;
        if mount.pid.is_some() && self.mounts.iter().filter(copied).any(|m| m.same_as(mount)) {
            return;
        }
        let what = match mount.pid {
            Some(pid) => {
                let program = read_trimmed(&self.sources.proc.join(pid.to_string()).join("comm"));
                let place = &mount.place;
                format!("mounted on {place} in the mount namespace of {program} (process {pid})")
            }
            None => format!("mounted on {}", mount.place),
        };
        let free = mount.free();
        if free != Free::Never {
            self.end_what_is_above(mount);
        }
        if mount.pid.is_none() {
            self.places.push(PathBuf::from(&mount.place));
        }
        self.found.push(Use { device: device.to_owned(), what, free });
    }

    fn end_what_is_above(&mut self, mount: &Mount) {
        let above = |m: &&Mount| {
            m.pid == mount.pid
                && m.id != mount.id
                && (m.parent == mount.id || (m.kind == "overlay" && m.layers_in(&mount.place)))
        };
        let above: Vec<Mount> = self.mounts.iter().filter(above).rev().cloned().collect();
        for mount in above {
            let source = mount.source.clone();
            self.end_mount(&mount, &source);
        }
        if mount.pid.is_some() {
            return;
        }
        let place = PathBuf::from(&mount.place);
        self.collect_loops(|file| Path::new(file).starts_with(&place));
        self.collect_swaps(|area| Path::new(area).starts_with(&place));
    }
}

impl Mount {
    /// Returns whether it is the copy of `other` in another namespace.
    fn same_as(&self, other: &Self) -> bool {
        (&self.number, &self.source) == (&other.number, &other.source)
    }

    fn free(&self) -> Free {
        match self.pid {
            None if is_system(&self.place) => Free::Never,
            None => Free::run(&["umount", &self.place]),
            Some(pid) if self.place == "/" => {
                Free::Ask(format!("end the container of process {pid}"))
            }
            Some(pid) => {
                let target = pid.to_string();
                Free::run(&["nsenter", "--target", &target, "--mount", "umount", &self.place])
            }
        }
    }

    /// Returns whether it is made of directories below `place`.
    fn layers_in(&self, place: &str) -> bool {
        let options = self.options.split(',').filter_map(|option| option.split_once('='));
        let layers = options.filter(|(key, _)| {
            key.starts_with("lowerdir") || ["upperdir", "workdir"].contains(key)
        });
        let mut dirs = layers.flat_map(|(_, dirs)| dirs.split(':'));
        dirs.any(|dir| Path::new(dir).starts_with(place))
    }
}

fn is_system(place: &str) -> bool {
    SYSTEM.contains(&place) || SYSTEM_BELOW.iter().any(|dir| Path::new(place).starts_with(dir))
}

/// Undoes the octal escapes of proc(5).
pub(super) fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}
