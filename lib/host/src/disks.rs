//! The disks of this machine, for a person to choose from: whole block devices in sysfs, with
//! what is on them and who uses them.

use std::fs;
use std::path::Path;

use crate::disk_use::Sources;

/// Kinds of block devices nobody installs an operating system to.
const OTHER: [&str; 9] = ["loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock"];

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Device node, such as `/dev/sda`.
    pub device: String,
    /// Size in bytes.
    pub size: u64,
    /// The manufacturer's name, or nothing.
    pub model: String,
    /// Names of its partitions; the node's name where the table has none.
    pub partitions: Vec<String>,
    /// Why it cannot be installed to, if it cannot.
    pub obstacle: Option<String>,
}

/// Lists the disks by name.
pub fn list(sources: &Sources) -> Vec<Disk> {
    let dir = sources.sysfs.join("block");
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !OTHER.iter().any(|prefix| is_kind(name, prefix)));
    names.sort();
    let disks = names.iter().map(|name| read(sources, &dir.join(name), name));
    disks.filter(|d| d.size > 0).collect()
}

/// Returns whether `name` is `prefix` and a number: `sr0` is a CD drive, `srv` would not be.
fn is_kind(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn read(sources: &Sources, dir: &Path, name: &str) -> Disk {
    let text = |p: &str| fs::read_to_string(dir.join(p)).unwrap_or_default().trim().to_owned();
    let uses = sources.uses_of(name);
    let obstacle = if text("ro") == "1" {
        Some("read-only".to_owned())
    } else {
        uses.first().map(|u| format!("{} is {}", u.device, u.what))
    };
    // sysfs counts in units of 512 bytes, whatever the sectors are.
    let size = text("size").parse::<u64>().unwrap_or(0) * 512;
    Disk {
        device: format!("/dev/{}", name.replace('!', "/")),
        size,
        model: text("device/model"),
        partitions: partitions(dir),
        obstacle,
    }
}

fn partitions(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<(u32, String)> = entries
        .filter_map(|e| {
            let number = fs::read_to_string(e.path().join("partition")).ok()?;
            let uevent = fs::read_to_string(e.path().join("uevent")).unwrap_or_default();
            let named = uevent.lines().find_map(|l| l.strip_prefix("PARTNAME=").map(str::to_owned));
            let name = named.unwrap_or_else(|| e.file_name().to_string_lossy().into_owned());
            Some((number.trim().parse().ok()?, name))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let sysfs = dir.path().to_owned();
        let swaps = "Filename\n/dev/sdb partition\n".to_owned();
        (dir, Sources { sysfs, mountinfo: String::new(), swaps })
    }

    #[test]
    fn disks_are_listed_with_what_is_on_them_and_what_stands_in_the_way() {
        let (_dir, sources) = machine(&[
            ("block/sda/size", "2048\n"),
            ("block/sda/device/model", "QEMU HARDDISK   \n"),
            ("block/sda/sda2/partition", "2\n"),
            ("block/sda/sda2/uevent", "DEVNAME=sda2\n"),
            ("block/sda/sda1/partition", "1\n"),
            ("block/sda/sda1/uevent", "PARTNAME=EFI-SYSTEM\n"),
            ("block/sdb/size", "4096\n"),
            ("block/sr0/size", "4096\n"),
            ("block/loop0/size", "4096\n"),
            ("block/sdc/size", "0\n"),
        ]);
        let disks = list(&sources);
        assert_eq!(disks.len(), 2);
        assert_eq!(disks[0].model, "QEMU HARDDISK");
        assert_eq!((disks[0].size, disks[0].obstacle.clone()), (1024 * 1024, None));
        assert_eq!(disks[0].partitions, ["EFI-SYSTEM", "sda2"]);
        assert_eq!(disks[1].obstacle.as_deref(), Some("/dev/sdb is used as swap"));
    }
}
