//! Who keeps a disk busy: mounts, swap areas, and the devices stacked on it (LVM, RAID,
//! encryption), each with the command that frees it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::term::WithHint;

/// One use of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Device node, such as `/dev/vda3`.
    pub device: String,
    /// What it is used for, such as `mounted on /boot`.
    pub what: String,
    /// The command that ends the use.
    pub free: String,
}

/// Where the kernel says what is used; a value, so that tests can supply their own.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `/sys`.
    pub sysfs: PathBuf,
    /// Contents of `/proc/self/mountinfo`.
    pub mountinfo: String,
    /// Contents of `/proc/swaps`.
    pub swaps: String,
}

impl Sources {
    /// Reads this system's.
    pub fn read() -> Self {
        // What cannot be read cannot be listed; the refusal itself does not depend on it.
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            sysfs: PathBuf::from("/sys"),
            mountinfo: read("/proc/self/mountinfo"),
            swaps: read("/proc/swaps"),
        }
    }

    /// Lists the uses of a disk, its partitions and everything stacked on them, topmost first:
    /// in the order in which they have to be ended.
    pub fn uses_of(&self, name: &str) -> Vec<Use> {
        let mut found = Vec::new();
        self.collect(name, &mut BTreeSet::new(), &mut found);
        found
    }

    fn collect(&self, name: &str, seen: &mut BTreeSet<String>, found: &mut Vec<Use>) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        let dir = self.sysfs.join("class/block").join(name);
        for child in names_in(&dir).into_iter().filter(|n| dir.join(n).join("partition").exists()) {
            self.collect(&child, seen, found);
        }
        let device = format!("/dev/{}", name.replace('!', "/"));
        for holder in names_in(&dir.join("holders")) {
            self.collect(&holder, seen, found);
            found.push(self.stacked(&device, &holder));
        }
        self.mounts(&dir, &device, found);
        for line in self.swaps.lines().skip(1) {
            let area = line.split_whitespace().next().unwrap_or_default();
            if same_device(area, &device) {
                let (what, free) = ("used as swap".to_owned(), format!("swapoff {area}"));
                found.push(Use { device: device.clone(), what, free });
            }
        }
    }

    fn mounts(&self, dir: &Path, device: &str, found: &mut Vec<Use>) {
        let number = fs::read_to_string(dir.join("dev")).unwrap_or_default();
        // Later mounts hide earlier ones and have to go first.
        for line in self.mountinfo.lines().rev() {
            let fields: Vec<&str> = line.split(' ').collect();
            let source = fields.iter().position(|f| *f == "-").and_then(|at| fields.get(at + 2));
            let by_number = fields.get(2).is_some_and(|n| *n == number.trim());
            // btrfs mounts carry an anonymous number; their source names the device.
            if by_number || source.is_some_and(|s| same_device(s, device)) {
                let place = unescape(fields.get(4).unwrap_or(&"?"));
                let free = format!("umount {}", shell_word(&place));
                let what = format!("mounted on {place}");
                found.push(Use { device: device.to_owned(), what, free });
            }
        }
    }

    fn stacked(&self, device: &str, holder: &str) -> Use {
        let dir = self.sysfs.join("class/block").join(holder);
        let read = |p: &str| fs::read_to_string(dir.join(p)).unwrap_or_default().trim().to_owned();
        let (name, uuid) = (read("dm/name"), read("dm/uuid"));
        let (what, free) = if uuid.starts_with("LVM-") {
            let group = volume_group(&name);
            (format!("in use by LVM volume {name}"), format!("vgchange -an {group}"))
        } else if uuid.starts_with("CRYPT-") {
            (format!("in use by encrypted device {name}"), format!("cryptsetup close {name}"))
        } else if !name.is_empty() {
            (format!("in use by device-mapper {name}"), format!("dmsetup remove {name}"))
        } else if holder.starts_with("md") {
            (format!("in use by RAID {holder}"), format!("mdadm --stop /dev/{holder}"))
        } else {
            (format!("in use by {holder}"), format!("release /dev/{holder}"))
        };
        Use { device: device.to_owned(), what, free }
    }
}

/// Refuses a disk that could not be claimed.
pub(crate) fn refuse<T>(path: &Path, sysfs: &Path) -> Result<T> {
    let name = fs::canonicalize(sysfs)
        .ok()
        .and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let (text, advice) = describe(path, &Sources::read().uses_of(&name));
    Err(anyhow!(text)).hint(advice)
}

fn describe(path: &Path, uses: &[Use]) -> (String, String) {
    let mut text = format!("cannot claim {}: the disk is in use", path.display());
    let mut commands: Vec<&str> = Vec::new();
    for u in uses {
        text.push_str(&format!("\n    {} is {}", u.device, u.what));
        if !commands.contains(&u.free.as_str()) {
            commands.push(&u.free);
        }
    }
    if commands.is_empty() {
        return (text, "another program has the disk open: find it with fuser -v, or wait".into());
    }
    (text, format!("choose another disk, or free this one: {}", commands.join(" && ")))
}

/// Returns the loop device that a file is attached to, if any.
pub(crate) fn loop_device_of(file: &Path) -> Option<String> {
    names_in(Path::new("/sys/block")).into_iter().find_map(|name| {
        let backing = Path::new("/sys/block").join(&name).join("loop/backing_file");
        let backing = fs::read_to_string(backing).ok()?;
        (Path::new(backing.trim_end()) == file).then(|| format!("/dev/{name}"))
    })
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn same_device(a: &str, b: &str) -> bool {
    a == b || (a.starts_with("/dev/") && fs::canonicalize(a).is_ok_and(|p| p == Path::new(b)))
}

/// Takes the volume group from a device-mapper name, in which `-` is written `--`.
fn volume_group(name: &str) -> String {
    let marked = name.replace("--", "\0");
    marked.split('-').next().unwrap_or_default().replace('\0', "-")
}

/// Spells a path so that a shell takes it for one word.
fn shell_word(path: &str) -> String {
    if path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@".contains(c)) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// Undoes the octal escapes of proc(5).
fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysfs() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let block = dir.path().join("class/block");
        for (path, text) in [
            ("vda/dev", "254:0\n"),
            ("vda/vda1/partition", "1\n"),
            ("vda/vda2/partition", "2\n"),
            ("vda1/dev", "254:1\n"),
            ("vda2/dev", "254:2\n"),
            ("vda2/holders/dm-0/x", ""),
            ("dm-0/dev", "253:0\n"),
            ("dm-0/dm/name", "my--vg-data\n"),
            ("dm-0/dm/uuid", "LVM-abc\n"),
        ] {
            let path = block.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn every_user_is_listed_topmost_first_with_the_command_that_frees_it() {
        let dir = sysfs();
        let sources = Sources {
            sysfs: dir.path().to_owned(),
            mountinfo: "1 0 253:0 / /srv/my\\040data rw - ext4 /dev/mapper/x rw\n".to_owned(),
            swaps: "Filename Type Size\n/dev/vda1 partition 1 0 -2\n".to_owned(),
        };
        let uses = sources.uses_of("vda");
        let lines: Vec<String> =
            uses.iter().map(|u| format!("{} {}: {}", u.device, u.what, u.free)).collect();
        assert_eq!(
            lines,
            [
                "/dev/vda1 used as swap: swapoff /dev/vda1",
                "/dev/dm-0 mounted on /srv/my data: umount '/srv/my data'",
                "/dev/vda2 in use by LVM volume my--vg-data: vgchange -an my-vg",
            ]
        );
    }
}
