//! What programs recognise disks and partitions by, and where.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{BTRFS_COPIES, Region, Signature};

const EXT: &str = "ext file system";
const SWAP: &str = "swap";
const LUKS: &str = "LUKS encryption";
const LVM: &str = "LVM physical volume";
const MD: &str = "Linux RAID member";
const BIOS_RAID: &str = "BIOS RAID member";
const GPT: &str = "partition table (GPT)";
const ZFS: &str = "ZFS";
const MD_MAGIC: &[u8] = &[0xFC, 0x4E, 0x2B, 0xA9];

/// Names, places from the start, and texts at them.
const FRONT: [(&str, u64, &[u8]); 34] = [
    (EXT, 1080, &[0x53, 0xEF]),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 65_600, b"_BHRfS_M"),
    ("f2fs", 1024, &[0x10, 0x20, 0xF5, 0xF2]),
    ("squashfs", 0, b"hsqs"),
    ("ISO 9660", 32_769, b"CD001"),
    ("NTFS", 3, b"NTFS    "),
    ("exFAT", 3, b"EXFAT   "),
    ("BitLocker encryption", 3, b"-FVE-FS-"),
    ("FAT", 54, b"FAT1"),
    ("FAT", 82, b"FAT32"),
    (SWAP, 4086, b"SWAPSPACE2"),
    (SWAP, 8182, b"SWAPSPACE2"),
    (SWAP, 16_374, b"SWAPSPACE2"),
    (SWAP, 65_526, b"SWAPSPACE2"),
    (LUKS, 0, b"LUKS\xBA\xBE"),
    (LUKS, 0x4000, b"SKUL\xBA\xBE"),
    (LUKS, 0x8000, b"SKUL\xBA\xBE"),
    (LUKS, 0x1_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x2_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x4_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x8_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x10_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x20_0000, b"SKUL\xBA\xBE"),
    (LUKS, 0x40_0000, b"SKUL\xBA\xBE"),
    (LVM, 0, b"LABELONE"),
    (LVM, 512, b"LABELONE"),
    (LVM, 1024, b"LABELONE"),
    (LVM, 1536, b"LABELONE"),
    (MD, 0, MD_MAGIC),
    (MD, 4096, MD_MAGIC),
    ("bcache", 4120, &[0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA]),
    (GPT, 512, b"EFI PART"),
    (GPT, 4096, b"EFI PART"),
];

/// The same, with places from the end.
const BACK: [(&str, u64, &[u8]); 4] = [
    (GPT, 512, b"EFI PART"),
    (GPT, 4096, b"EFI PART"),
    (BIOS_RAID, 1024, b"Intel Raid ISM Cfg Sig. "),
    (BIOS_RAID, 512, &[0xDE, 0x11, 0xDE, 0x11]),
];

/// A ZFS label: its size, where its ring of uberblocks starts, and what each begins with.
const ZFS_LABEL: u64 = 256 << 10;
const ZFS_RING: u64 = 128 << 10;
const ZFS_STEP: usize = 1024;
const ZFS_MAGIC: u64 = 0x00BA_B10C;

/// Lists what is recognised in a region.
pub(super) fn find(disk: &File, region: &Region) -> Vec<Signature> {
    let (start, end) = (region.range.start, region.range.end);
    let size = end - start;
    let front = FRONT.iter().map(|(what, at, text)| (*what, Some(*at), *text));
    let copies = BTRFS_COPIES.iter().map(|at| ("btrfs", Some(at + 64), &b"_BHRfS_M"[..]));
    let back = BACK.iter().map(|(what, at, text)| (*what, size.checked_sub(*at), *text));
    // Versions 1.0 and 0.90 of the superblock (md(4)).
    let raid = [(size / 4096 * 4096).checked_sub(8192), (size & !0xFFFF).checked_sub(0x1_0000)];
    let raid = raid.into_iter().map(|at| (MD, at, MD_MAGIC));
    let mut found: Vec<Signature> = front
        .chain(copies)
        .chain(back)
        .chain(raid)
        .filter_map(|(what, at, text)| {
            let at =
                start.checked_add(at?).filter(|at| at.saturating_add(text.len() as u64) <= end)?;
            holds(disk, at, text).then_some(Signature { what, at, partition: region.partition })
        })
        .collect();
    found.extend(zfs(disk, region));
    if region.partition.is_none()
        && found.iter().all(|s| s.at > 512)
        && holds(disk, 510, &[0x55, 0xAA])
    {
        found.push(Signature { what: "boot sector", at: 510, partition: None });
    }
    found
}

/// Returns whether the disk has `text` at a place; what cannot be read is not recognised either.
fn holds(disk: &File, at: u64, text: &[u8]) -> bool {
    let mut buf = vec![0; text.len()];
    disk.read_exact_at(&mut buf, at).is_ok() && buf == text
}

/// Looks for the four labels of ZFS: two at each end, at multiples of their size.
fn zfs(disk: &File, region: &Region) -> Option<Signature> {
    let size = (region.range.end - region.range.start) / ZFS_LABEL * ZFS_LABEL;
    let places =
        [Some(0), Some(ZFS_LABEL), size.checked_sub(2 * ZFS_LABEL), size.checked_sub(ZFS_LABEL)];
    places.into_iter().flatten().find_map(|place| {
        let at = region.range.start + place + ZFS_RING;
        let mut ring = vec![0; 128 << 10];
        disk.read_exact_at(&mut ring, at).ok()?;
        let magics = ring.chunks_exact(ZFS_STEP).filter_map(|block| block[..8].try_into().ok());
        let is_one = |magic: [u8; 8]| {
            u64::from_le_bytes(magic) == ZFS_MAGIC || u64::from_be_bytes(magic) == ZFS_MAGIC
        };
        let at = magics.map(is_one).position(|is| is).map(|i| at + (i * ZFS_STEP) as u64)?;
        Some(Signature { what: ZFS, at, partition: region.partition })
    })
}
