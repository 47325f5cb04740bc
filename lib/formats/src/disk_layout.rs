//! The one table of the OS disk: partitions, labels, type GUIDs and the identifiers that an image
//! carries until its first boot gives the machine its own.
//!
//! Type GUIDs are those of the Discoverable Partitions Specification (UAPI.2).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// GUID of an image's partition table; the first boot replaces it.
pub const IMAGE_DISK_GUID: &str = "00000000-0000-4000-a000-000000000001";
/// UUID of an image's boot file system; the first boot replaces it.
pub const IMAGE_BOOT_UUID: &str = "96d15588-3596-4b3c-adca-a2ff7279ea63";
/// UUID of an image's root file system; the first boot replaces it.
pub const IMAGE_ROOT_UUID: &str = "910678ff-f77e-4a7d-8d53-86f2ac47a823";
/// Volume id of an image's EFI system partition.
pub const ESP_VOLUME_ID: u32 = 0x7b77_95e7;

/// Label of the EFI system partition and its file system.
pub const ESP_LABEL: &str = "EFI-SYSTEM";
/// Label of the boot partition and its file system.
pub const BOOT_LABEL: &str = "boot";
/// Label of the root partition and its file system.
pub const ROOT_LABEL: &str = "root";

/// Number of the EFI system partition on every architecture.
pub const ESP_NUMBER: u32 = 2;
/// Number of the boot partition on every architecture.
pub const BOOT_NUMBER: u32 = 3;
/// Number of the root partition on every architecture.
pub const ROOT_NUMBER: u32 = 4;

/// A CPU architecture with a disk layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86: BIOS and UEFI.
    X86_64,
    /// 64-bit ARM: UEFI.
    Aarch64,
}

/// An architecture we have no disk layout for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("architecture {0:?} has no disk layout; supported are x86_64 and aarch64")]
pub struct UnknownArch(String);

impl Arch {
    /// Returns the architecture that this program was compiled for, if it has a layout.
    pub fn of_this_program() -> Option<Self> {
        std::env::consts::ARCH.parse().ok()
    }
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(name: &str) -> Result<Self, UnknownArch> {
        match name {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Aarch64),
            other => Err(UnknownArch(other.to_owned())),
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// How far a partition reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This many MiB.
    Mib(u64),
    /// To the end of the disk.
    Rest,
}

/// One partition of the OS disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// GPT partition number, from 1.
    pub number: u32,
    /// GPT partition name.
    pub label: &'static str,
    /// GPT partition type.
    pub type_guid: &'static str,
    /// Size.
    pub size: Size,
}

/// Returns the partitions in disk order; each starts where the one before ends, the first at
/// 1 MiB.
pub fn partitions(arch: Arch) -> [Partition; 4] {
    let (first, root) = match arch {
        Arch::X86_64 => (
            ("BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649"),
            "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
        ),
        Arch::Aarch64 => (
            ("reserved", "8DA63339-0007-60C0-C436-083AC8230908"),
            "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
        ),
    };
    let part = |number, label, type_guid, size| Partition { number, label, type_guid, size };
    [
        part(1, first.0, first.1, Size::Mib(1)),
        part(ESP_NUMBER, ESP_LABEL, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", Size::Mib(127)),
        part(BOOT_NUMBER, BOOT_LABEL, "BC13C2FF-59E6-4262-A352-B275FD6F7172", Size::Mib(384)),
        part(ROOT_NUMBER, ROOT_LABEL, root, Size::Rest),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_boot_and_root_are_the_same_everywhere() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let table = partitions(arch);
            let number = |label| table.iter().find(|p| p.label == label).map(|p| p.number);
            assert_eq!(number(BOOT_LABEL), Some(3));
            assert_eq!(number(ROOT_LABEL), Some(4));
            assert_eq!(table[3].size, Size::Rest);
        }
    }
}
