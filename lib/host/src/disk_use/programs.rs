//! Programs that have a disk, or files on it, open: found by the links in `/proc/PID`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use super::{Free, Tree, Use, names_in, node, read_trimmed};

/// Programs that look at disks for a moment, or give them up when asked to.
const PASSING: [&str; 5] = ["systemd-udevd", "(udev-worker)", "udevd", "multipathd", "blkid"];

/// Lists the programs that have the devices of a tree or its mounted files open.
pub(super) fn on(tree: &Tree<'_>) -> Vec<Use> {
    let ours = Ours::of(tree);
    let proc = &tree.sources.proc;
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for pid in names_in(proc).into_iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        let dir = proc.join(&pid);
        let program = read_trimmed(&dir.join("comm"));
        if PASSING.contains(&program.as_str()) {
            continue;
        }
        let fds = names_in(&dir.join("fd")).into_iter().map(|fd| dir.join("fd").join(fd));
        let links = ["cwd", "root", "exe"].map(|name| dir.join(name)).into_iter().chain(fds);
        let opened: BTreeSet<String> = links.filter_map(|link| ours.open_in(&link)).collect();
        for device in opened {
            let (what, advice) = if pid != own {
                (format!("open in {program} (process {pid})"), format!("end {program}: kill {pid}"))
            } else if ours.nodes.contains(&device) {
                // That is the attempt to claim the disk.
                continue;
            } else {
                let advice =
                    format!("start this program outside {device}, with files from elsewhere");
                (format!("open in this program (process {pid})"), advice)
            };
            found.push(Use { device, what, free: Free::Ask(advice) });
        }
    }
    found
}

/// What programs are asked about.
struct Ours {
    nodes: Vec<String>,
    numbers: Vec<String>,
    places: Vec<PathBuf>,
}

impl Ours {
    fn of(tree: &Tree<'_>) -> Self {
        let number = |n: &String| read_trimmed(&tree.sources.block(n).join("dev"));
        Self {
            nodes: tree.seen.iter().map(|n| node(&tree.sources.sysfs, n)).collect(),
            numbers: tree.seen.iter().map(number).filter(|n| !n.is_empty()).collect(),
            // Every program is somewhere in "/".
            places: tree.places.iter().filter(|p| p.parent().is_some()).cloned().collect(),
        }
    }

    /// Returns which of our devices or directories a link leads into.
    fn open_in(&self, link: &Path) -> Option<String> {
        let target = fs::read_link(link).ok()?;
        let text = target.to_string_lossy();
        if let Some(node) = self.nodes.iter().find(|node| **node == text) {
            return Some(node.clone());
        }
        if target.starts_with("/dev") {
            // Containers have nodes of their own, under other names.
            let meta = fs::metadata(link).ok().filter(|m| m.file_type().is_block_device())?;
            let number = format!("{}:{}", major(meta.rdev()), minor(meta.rdev()));
            return self.numbers.contains(&number).then(|| text.into_owned());
        }
        let place = self.places.iter().find(|place| target.starts_with(place))?;
        Some(place.display().to_string())
    }
}
