//! Which operating system a disk holds, as far as its partitions tell.

use std::fmt;

use super::Disk;

/// An operating system on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// NestOS or another system with the same disk layout, such as Fedora CoreOS.
    NestOs,
    /// Windows.
    Windows,
    /// macOS.
    MacOs,
    /// Another Linux.
    Linux,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NestOs => "NestOS or CoreOS",
            Self::Windows => "Windows",
            Self::MacOs => "macOS",
            Self::Linux => "Linux",
        })
    }
}

/// Types of partitions that one system makes for itself (UEFI GUIDs as blkid prints them).
const WINDOWS: [&str; 2] =
    ["e3c9e316-0b5c-4db8-817d-f92df00215ae", "de94bba4-06d1-4d40-a16a-bfd50179d6ac"];
const MACOS: [&str; 2] =
    ["7c3457ef-0000-11aa-aa11-00306543ecac", "48465300-0000-11aa-aa11-00306543ecac"];

/// File systems and containers that Linux is installed on.
const LINUX: [&str; 8] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "LVM2_member", "crypto_LUKS", "linux_raid_member"];

impl System {
    pub(super) fn on(disk: &Disk) -> Option<Self> {
        let named = |name: &str| disk.partitions.iter().any(|p| p.name == name);
        let typed = |ids: &[&str]| {
            let known = disk.partitions.iter().filter_map(|p| p.type_id.as_deref());
            known.into_iter().any(|id| ids.contains(&id))
        };
        let contents = || {
            let inner = disk.partitions.iter().filter_map(|p| p.content.as_ref());
            inner.chain(&disk.content).map(|c| c.kind.as_str())
        };
        if named("boot") && named("root") && (named("EFI-SYSTEM") || named("BIOS-BOOT")) {
            Some(Self::NestOs)
        } else if typed(&WINDOWS) || contents().any(|kind| kind == "BitLocker") {
            Some(Self::Windows)
        } else if typed(&MACOS) {
            Some(Self::MacOs)
        } else if contents().any(|kind| LINUX.contains(&kind)) {
            Some(Self::Linux)
        } else {
            contents().any(|kind| kind == "ntfs").then_some(Self::Windows)
        }
    }
}
