//! The disks of this machine, for a person or a selector to choose from: whole block devices in
//! sysfs, with what is on them and who uses them. Needs neither udev nor a look at the medium;
//! what only those know (links, contents) is left out where they are missing.

mod identity;
mod probe;
mod same;
mod system;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use identity::Transport;
pub use probe::Probe;
pub use same::DiskIdentity;
pub use system::System;

use crate::disk_use::{Sources, Use, node, read_trimmed};

/// Kinds of block devices that never hold an operating system.
const NEVER: [&str; 6] = ["ram", "zram", "sr", "fd", "mtdblock", "dm-"];

/// One disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// Device node, such as `/dev/sda`.
    pub device: String,
    /// Major and minor number and the sequence number that no other disk of this boot gets.
    pub number: DeviceNumber,
    /// Size in bytes.
    pub size: u64,
    /// Bytes of a logical sector.
    pub sector_size: u64,
    /// The manufacturer's name, or nothing.
    pub model: String,
    /// Serial number.
    pub serial: Option<String>,
    /// World wide name: `0x5000c500a1b2c3d4`, `eui.…`, `nvme.…`.
    pub wwn: Option<String>,
    /// How it is attached.
    pub transport: Transport,
    /// The links to it that udev keeps in `/dev/disk`.
    pub links: Vec<String>,
    /// Whether it turns.
    pub rotational: bool,
    /// Whether its medium can be taken out.
    pub removable: bool,
    /// Whether its content could be looked at; if not, what it holds is unknown.
    pub probed: bool,
    /// What fills the whole disk: a file system, an LVM physical volume, a RAID member.
    pub content: Option<Content>,
    /// Kind of partition table: `gpt`, `dos`.
    pub table: Option<String>,
    /// Partitions by number.
    pub partitions: Vec<Partition>,
    /// The operating system on it, where that is simple to say.
    pub system: Option<System>,
    /// Why it cannot be installed to, if it cannot.
    pub obstacle: Option<Obstacle>,
    /// Whether it is shown to choose from, or has to be named.
    pub offer: Offer,
}

impl Disk {
    /// Returns whether it was looked at and holds neither partitions nor anything recognised.
    pub fn is_empty(&self) -> bool {
        let blank = self.partitions.is_empty() && self.content.is_none() && self.table.is_none();
        self.probed && blank
    }
}

/// What the kernel calls a block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceNumber {
    /// Major and minor number, such as `8:0`.
    pub device: String,
    /// Sequence number (`diskseq`, Linux 5.15), which is never used twice.
    pub sequence: Option<u64>,
}

/// Which disks are shown to choose from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Offer {
    /// A disk.
    #[default]
    Shown,
    /// A device that only stands for a disk where somebody says so: loop, RAID, multipath, nbd.
    OnlyNamed,
}

/// One partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// Number in the table.
    pub number: u32,
    /// Device node.
    pub device: String,
    /// Name in the table; empty where the table has none.
    pub name: String,
    /// First byte.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
    /// GUID or number of its type in lower case.
    pub type_id: Option<String>,
    /// What is in it.
    pub content: Option<Content>,
}

impl Partition {
    /// Returns its name in the table, else the name of its device.
    pub fn title(&self) -> &str {
        let node = self.device.strip_prefix("/dev/").unwrap_or(&self.device);
        if self.name.is_empty() { node } else { &self.name }
    }
}

/// What was recognised on a disk or in a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Type as libblkid names it: `ext4`, `LVM2_member`, `crypto_LUKS`.
    pub kind: String,
    /// Label or pool name.
    pub label: Option<String>,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind.as_str() {
            "LVM2_member" | "LVM1_member" => "LVM physical volume",
            "linux_raid_member" => "Linux RAID member",
            "crypto_LUKS" => "LUKS encryption",
            "zfs_member" => "ZFS pool member",
            "mpath_member" => "multipath member",
            "BitLocker" => "BitLocker encryption",
            "vfat" => "FAT",
            "ntfs" => "NTFS",
            kind => kind.strip_suffix("_raid_member").unwrap_or(kind),
        })?;
        if self.kind != "linux_raid_member" && self.kind.ends_with("_raid_member") {
            f.write_str(" RAID member")?;
        }
        match &self.label {
            Some(label) => write!(f, " \"{label}\""),
            None => Ok(()),
        }
    }
}

/// Why a disk cannot be installed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It is write-protected.
    ReadOnly,
    /// The system that runs now is on it.
    RunningSystem(Use),
    /// It is one path to a multipath device.
    Path(String),
    /// Somebody uses it.
    Busy(Use),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("read-only"),
            Self::RunningSystem(u) => {
                write!(f, "holds the running system: {} is {}", u.device, u.what)
            }
            Self::Path(device) => write!(f, "one path to the multipath device {device}"),
            Self::Busy(u) => write!(f, "{} is {}", u.device, u.what),
        }
    }
}

/// Lists the disks to choose from, by name.
pub fn list(sources: &Sources) -> Vec<Disk> {
    let mut disks = all(sources);
    disks.retain(|d| d.offer == Offer::Shown);
    disks
}

/// Lists also the devices that stand for a disk only where somebody names them.
pub fn all(sources: &Sources) -> Vec<Disk> {
    let dir = sources.sysfs.join("block");
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort_by_key(|name| in_order(name));
    let links = links(&sources.dev.join("disk"));
    let disks = names.iter().filter_map(|name| read(sources, &dir.join(name), name, &links));
    let mut disks: Vec<Disk> = disks.collect();
    sources.probe.look_at(&mut disks);
    for disk in &mut disks {
        disk.system = System::on(disk);
    }
    disks
}

/// Returns a key that puts `sda` before `sdaa` and `nvme2n1` before `nvme10n1`.
fn in_order(name: &str) -> (String, usize, Vec<u64>, String) {
    let letters: String = name.chars().take_while(|c| !c.is_ascii_digit()).collect();
    let numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    let kind = letters.get(..2).unwrap_or_default().to_owned();
    (kind, letters.len(), numbers.collect(), name.to_owned())
}

/// Returns how a device is offered, if it can be a target at all.
fn offer(sources: &Sources, dir: &Path, name: &str) -> Option<Offer> {
    let is = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    // The slots for firmware of an eMMC, and the single paths that NVMe multipath hides.
    let boot = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    if boot || read_trimmed(&dir.join("hidden")) == "1" {
        return None;
    }
    if is("dm-") && read_trimmed(&dir.join("dm/uuid")).starts_with("mpath-") {
        return Some(Offer::OnlyNamed);
    }
    if NEVER.iter().any(|prefix| is(prefix)) {
        return None;
    }
    if is("loop") {
        return Some(sources.loops);
    }
    Some(if is("md") || is("nbd") || name.starts_with("md_") {
        Offer::OnlyNamed
    } else {
        Offer::Shown
    })
}

type Links = BTreeMap<String, Vec<String>>;

fn read(sources: &Sources, dir: &Path, name: &str, links: &Links) -> Option<Disk> {
    let offer = offer(sources, dir, name)?;
    let text = |p: &str| read_trimmed(&dir.join(p));
    // sysfs counts in units of 512 bytes, whatever the sectors are.
    let size = text("size").parse::<u64>().unwrap_or(0).saturating_mul(512);
    if size == 0 {
        return None;
    }
    let backing = text("loop/backing_file");
    Some(Disk {
        device: node(&sources.sysfs, name),
        number: DeviceNumber { device: text("dev"), sequence: text("diskseq").parse().ok() },
        size,
        sector_size: text("queue/logical_block_size").parse().unwrap_or(512),
        model: if backing.is_empty() { identity::model(dir) } else { backing },
        serial: identity::serial(dir),
        wwn: identity::wwn(dir),
        transport: Transport::of(dir, name),
        links: links.get(name).cloned().unwrap_or_default(),
        rotational: text("queue/rotational") == "1",
        removable: text("removable") == "1",
        probed: false,
        content: None,
        table: None,
        partitions: partitions(sources, dir),
        system: None,
        obstacle: obstacle(sources, dir, name),
        offer,
    })
}

fn obstacle(sources: &Sources, dir: &Path, name: &str) -> Option<Obstacle> {
    let mut uses = sources.uses_of(name);
    if let Some(at) = uses.iter().position(Use::holds_running_system) {
        return Some(Obstacle::RunningSystem(uses.swap_remove(at)));
    }
    if let Some(device) = sources.multipath_above(name) {
        return Some(Obstacle::Path(device));
    }
    if !uses.is_empty() {
        return Some(Obstacle::Busy(uses.swap_remove(0)));
    }
    (read_trimmed(&dir.join("ro")) == "1").then_some(Obstacle::ReadOnly)
}

fn partitions(sources: &Sources, dir: &Path) -> Vec<Partition> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<Partition> = entries
        .filter_map(|e| {
            let text = |p: &str| read_trimmed(&e.path().join(p));
            let uevent = text("uevent");
            let name = uevent.lines().find_map(|l| l.strip_prefix("PARTNAME="));
            let bytes = |p: &str| text(p).parse::<u64>().unwrap_or(0).saturating_mul(512);
            Some(Partition {
                number: text("partition").parse().ok()?,
                device: node(&sources.sysfs, &e.file_name().to_string_lossy()),
                name: name.unwrap_or_default().to_owned(),
                start: bytes("start"),
                size: bytes("size"),
                type_id: None,
                content: None,
            })
        })
        .collect();
    found.sort_by_key(|p| p.number);
    found
}

/// Reads `/dev/disk`: the names in all its folders by the device that they lead to.
fn links(dir: &Path) -> Links {
    let mut found = Links::new();
    let folders = fs::read_dir(dir).into_iter().flatten().flatten();
    for link in folders.flat_map(|d| fs::read_dir(d.path()).into_iter().flatten().flatten()) {
        let Ok(target) = fs::read_link(link.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        let device = target.trim_start_matches("../").trim_start_matches("/dev/");
        let folder = link.path().parent().and_then(Path::file_name).map(PathBuf::from);
        let name = Path::new("/dev/disk").join(folder.unwrap_or_default()).join(link.file_name());
        found
            .entry(device.replace('/', "!"))
            .or_default()
            .push(name.to_string_lossy().into_owned());
    }
    for names in found.values_mut() {
        names.sort();
    }
    found
}

#[cfg(test)]
#[path = "disks/tests.rs"]
mod tests;
