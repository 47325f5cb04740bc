//! A FAT file system with the one EFI program that firmware starts without being told its name.

use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::disk_layout::{Arch, ESP_LABEL, ESP_VOLUME_ID};
use nestos_host::cmd::Cmd;

use super::SectorSize;

/// Makes the file system in the file `image`, which has its size already, with `program` in it.
pub(crate) fn fill(image: &Path, arch: Arch, program: &Path, sector: SectorSize) -> Result<()> {
    let name = match arch {
        Arch::X86_64 => "::/EFI/BOOT/BOOTX64.EFI",
        Arch::Aarch64 => "::/EFI/BOOT/BOOTAA64.EFI",
    };
    Cmd::new("mkfs.vfat")
        .when_missing("install the package dosfstools")
        .args(["--invariant", "-n", ESP_LABEL, "-i", &format!("{ESP_VOLUME_ID:08x}")])
        .args(["-S", &sector.bytes().to_string()])
        .arg(image)
        .run()
        .with_context(|| format!("cannot make a FAT file system in {}", image.display()))?;
    let mtools = |program: &str| {
        Cmd::new(program).when_missing("install the package mtools").env("SOURCE_DATE_EPOCH", "0")
    };
    mtools("mmd").arg("-i").arg(image).args(["::/EFI", "::/EFI/BOOT"]).run()?;
    mtools("mcopy").arg("-i").arg(image).arg(program).arg(name).run()
}
