//! File systems made from directories: ext4 or xfs for root, ext4 for boot, FAT for the EFI system
//! partition. The target's own mkfs makes them, so that the target's kernel and fsck know every
//! feature; nothing is mounted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::{
    Arch, BOOT_LABEL, BOOT_NUMBER, ESP_NUMBER, IMAGE_BOOT_UUID, IMAGE_ROOT_UUID, MIB, ROOT_LABEL,
    Size, partitions,
};
use nestos_host::cmd::Cmd;

use super::sysroot::Sysroot;
use super::{GrubImages, Kind, SectorSize, Source, esp, xfs};
use crate::chroot::Chroot;
use crate::config::image::RootFs;
use crate::space::Usage;

/// Seed of directory hashes; any constant makes images reproducible.
const HASH_SEED: &str = "910678ff-f77e-4a7d-8d53-86f2ac47a823";
/// Where the work directory is seen in the tools tree.
const WORK: &str = "/run/nosa";
/// A root file system smaller than this has no room for its journal and first boot.
const MIN_ROOT_MIB: u64 = 1024;
/// `FS_IMMUTABLE_FL` of linux/fs.h.
const IMMUTABLE: u32 = 0x10;

/// Makes the root file system.
pub(super) fn root(source: &Source<'_>, sysroot: &Sysroot) -> Result<PathBuf> {
    let usage = Usage::of(&sysroot.root)?;
    let mib = (usage.bytes.div_ceil(MIB) * 115 / 100 + 256).max(MIN_ROOT_MIB);
    let image = source.work.join("root.img");
    allocate(&image, mib)?;
    match source.config.image.rootfs {
        RootFs::Ext4 => {
            let inodes = (usage.files * 2).max(mib * MIB / 16384).to_string();
            ext4(
                source,
                "root.img",
                "sysroot",
                &["-L", ROOT_LABEL, "-U", IMAGE_ROOT_UUID, "-N", &inodes],
            )?;
            set_immutable(source, "root.img", &["/", &format!("/{}", sysroot.deployment)])?;
        }
        RootFs::Xfs => xfs::make(source, sysroot, "root.img")?,
    }
    Ok(image)
}

/// Makes the boot file system from the directory `dir` of the work directory.
pub(super) fn boot(source: &Source<'_>, dir: &Path, kind: Kind) -> Result<PathBuf> {
    let name = format!("boot-{}.img", kind.name());
    let image = source.work.join(&name);
    allocate(&image, fixed_size(source.arch, BOOT_NUMBER)?)?;
    let inside = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // 4 KiB blocks also on this small file system: a disk with 4 KiB sectors needs them.
    ext4(source, &name, &inside, &["-L", BOOT_LABEL, "-U", IMAGE_BOOT_UUID, "-b", "4096"])?;
    Ok(image)
}

/// Makes the EFI system partition.
pub(super) fn esp(source: &Source<'_>, grub: &GrubImages, sector: SectorSize) -> Result<PathBuf> {
    let image = source.work.join("esp.img");
    allocate(&image, fixed_size(source.arch, ESP_NUMBER)?)?;
    esp::fill(&image, source.arch, &grub.efi, sector)?;
    Ok(image)
}

fn ext4(source: &Source<'_>, image: &str, dir: &str, options: &[&str]) -> Result<()> {
    // The UUID can change on the first boot without rewriting checksums; the orphan file is too
    // new for some tools that may have to repair a disk.
    tool(source, "mke2fs")
        .env("SOURCE_DATE_EPOCH", "0")
        .args(["-q", "-F", "-t", "ext4", "-O", "metadata_csum,metadata_csum_seed,^orphan_file"])
        .args(["-E", &format!("hash_seed={HASH_SEED},nodiscard,root_owner=0:0")])
        .args(options)
        .args(["-d", &format!("{WORK}/{dir}"), &format!("{WORK}/{image}")])
        .run()
        .with_context(|| format!("cannot make the file system {image}"))?;
    tool(source, "e2fsck")
        .args(["-f", "-n", &format!("{WORK}/{image}")])
        .run()
        .with_context(|| format!("the new file system {image} is not clean"))
}

/// mke2fs copies no inode flags, so they are set afterwards.
fn set_immutable(source: &Source<'_>, image: &str, paths: &[&str]) -> Result<()> {
    let file = format!("{WORK}/{image}");
    for path in paths {
        let failed = || format!("cannot make {path} of {image} immutable");
        let stat = tool(source, "debugfs").args(["-R", &format!("stat {path}"), &file]).output();
        let stat = stat.with_context(failed)?;
        let flags = flags_of(&stat)
            .ok_or_else(|| anyhow!("debugfs printed no flags of {path}: {stat:?}"))?;
        let request = format!("set_inode_field {path} flags {:#x}", flags | IMMUTABLE);
        tool(source, "debugfs").args(["-w", "-R", &request, &file]).run().with_context(failed)?;
        let after = tool(source, "debugfs").args(["-R", &format!("stat {path}"), &file]).output();
        let after = after.with_context(failed)?;
        if flags_of(&after) != Some(flags | IMMUTABLE) {
            bail!("debugfs did not make {path} immutable");
        }
    }
    Ok(())
}

fn flags_of(stat: &str) -> Option<u32> {
    let text = stat.split("Flags: 0x").nth(1)?;
    let digits: String = text.chars().take_while(char::is_ascii_hexdigit).collect();
    u32::from_str_radix(&digits, 16).ok()
}

fn tool(source: &Source<'_>, program: &str) -> Cmd {
    Chroot::new(source.tools).bind(source.work, WORK).cmd(program)
}

fn fixed_size(arch: Arch, number: u32) -> Result<u64> {
    let table = partitions(arch);
    match table.iter().find(|p| p.number == number).map(|p| p.size) {
        Some(Size::Mib(mib)) => Ok(mib),
        _ => bail!("partition {number} has no fixed size"),
    }
}

/// Creates a fresh sparse file: leftovers of an older one would change the result.
fn allocate(path: &Path, mib: u64) -> Result<()> {
    let create = || -> std::io::Result<()> {
        if path.exists() {
            fs::remove_file(path)?;
        }
        fs::File::create(path)?.set_len(mib * MIB)
    };
    create().with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        assert_eq!(flags_of("Inode: 2 Type: directory\nFlags: 0x80000\nGen"), Some(0x80000));
    }
}
