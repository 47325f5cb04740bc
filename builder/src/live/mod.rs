//! Live media: an ISO that boots as a CD and as a disk, on BIOS and UEFI, and the kernel, initramfs
//! and rootfs that it consists of, for PXE. They run the system of the metal images from RAM and
//! can install those without a network. Same commit, same bytes. See docs/builder.md.

pub(crate) mod initrd;
mod installer;
pub(crate) mod iso;
mod menu;
pub(crate) mod rootfs;
pub(crate) mod squashfs;

use nestos_formats::disk_layout::Arch;

pub(crate) use installer::Installer;

use crate::disk::Kind;

/// Key of the ISO in meta.json.
pub(crate) const ISO: &str = "live-iso";
/// Key of the kernel.
pub(crate) const KERNEL: &str = "live-kernel";
/// Key of the initramfs.
pub(crate) const INITRAMFS: &str = "live-initramfs";
/// Key of the archive with the root file system.
pub(crate) const ROOTFS: &str = "live-rootfs";
/// All of them.
pub(crate) const KEYS: [&str; 4] = [ISO, KERNEL, INITRAMFS, ROOTFS];

/// The images that live media can install without a network.
pub(crate) const MADE_FROM: [Kind; 2] = [Kind::Metal, Kind::Metal4k];

/// How much time making them may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For tests: larger files.
    Fast,
    /// For releases: small files.
    Thorough,
}

/// Returns the file name of an artifact; `stem` is the name of the OS and the build.
pub(crate) fn file_name(key: &str, stem: &str, arch: Arch) -> String {
    match key {
        ISO => format!("{stem}-live.{arch}.iso"),
        KERNEL => format!("{stem}-live-kernel-{arch}"),
        _ => format!("{stem}-{key}.{arch}.img"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_that_admins_know() {
        let names = KEYS.map(|key| file_name(key, "nestos-1", Arch::X86_64));
        assert_eq!(
            names,
            [
                "nestos-1-live.x86_64.iso",
                "nestos-1-live-kernel-x86_64",
                "nestos-1-live-initramfs.x86_64.img",
                "nestos-1-live-rootfs.x86_64.img",
            ]
        );
    }
}
