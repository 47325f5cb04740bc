//! The ISO: xorriso makes it from a directory, GRUB starts it as a CD and as a disk, on BIOS and on
//! UEFI. Its places and times depend on the commit alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::disk_layout::Arch;
use nestos_formats::live_media::{
    Features, Flavour, IGNITION_IMAGE, IGNITION_IMAGE_LEN, INITRD, IgnitionInfo, KERNEL,
    MINISO_LEN, ROOTFS, volume_id,
};
use nestos_host::cmd::Cmd;

use super::menu::{self, Menu};
use crate::disk::{self, CoreImage, SectorSize, Source};

/// GRUB for BIOS, which the firmware loads from a CD.
const ELTORITO: &str = "images/eltorito.img";
/// GRUB for UEFI, in a FAT file system.
const EFIBOOT: &str = "images/efiboot.img";
/// Where xorriso puts the table of boot images.
const CATALOG: &str = "images/boot.cat";
/// The first sectors of the ISO when it is a disk for BIOS.
const HYBRID: &str = "usr/lib/grub/i386-pc/boot_hybrid.img";
/// Modules that a disk's GRUB has as files, or does not need.
const MODULES: [&str; 3] = ["iso9660", "linux", "all_video"];
/// Room in [`EFIBOOT`] besides the program.
const EFIBOOT_ROOM: u64 = 256 * 1024;

/// Files that make the medium: kernel, initramfs, rootfs.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Path,
    /// The initramfs of the live system.
    pub(crate) initrd: &'a Path,
    /// The archive with the root file system.
    pub(crate) rootfs: &'a Path,
}

/// The content of an ISO, in a directory.
#[derive(Debug)]
pub(crate) struct Tree {
    dir: PathBuf,
    label: String,
    arch: Arch,
    /// When the commit was made, as `YYYYMMDDhhmmss`.
    time: String,
    hybrid: PathBuf,
}

impl Tree {
    /// Lays out an ISO of the commit that was made at `time` (RFC 3339) in the work directory.
    pub(crate) fn lay_out(source: &Source<'_>, files: &Files<'_>, time: &str) -> Result<Self> {
        let dir = source.work.join("iso");
        let name = &source.config.manifest.rojig.name;
        let label = volume_id(&format!("{name}-{}", source.build));
        let time: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
        let hybrid = source.tools.join(HYBRID);
        let tree = Self { dir, label, arch: source.arch, time, hybrid };
        for (path, file) in [(KERNEL, files.kernel), (INITRD, files.initrd), (ROOTFS, files.rootfs)]
        {
            let target = tree.place(path)?;
            fs::hard_link(file, &target)
                .with_context(|| format!("cannot link {} there", target.display()))?;
        }
        let kargs = menu::kargs(&source.config.image.extra_kargs, &tree.label, source.arch)?;
        let menu = Menu::new(&kargs)?;
        tree.write(menu::PATH, &menu.text)?;
        let of = Flavour::Nestos;
        tree.write(&of.kargs(), &json(&menu.areas)?)?;
        tree.write(&of.features(), &json(&Features::current())?)?;
        tree.write(&of.igninfo(), &json(&IgnitionInfo::default())?)?;
        tree.zeros(&of.miniso(), MINISO_LEN)?;
        tree.zeros(IGNITION_IMAGE, IGNITION_IMAGE_LEN)?;
        tree.add_grub(source)?;
        Ok(tree)
    }

    /// Takes out what the minimal ISO lacks.
    pub(crate) fn minimize(&self) -> Result<()> {
        for path in [ROOTFS, &Flavour::Nestos.miniso()] {
            fs::remove_file(self.dir.join(path))
                .with_context(|| format!("cannot remove {path} from the tree of the ISO"))?;
        }
        Ok(())
    }

    /// Makes the ISO.
    pub(crate) fn make(&self, out: &Path) -> Result<()> {
        let guid = disk::guid_of(&format!("nestos live medium {}", self.label));
        let mut cmd = Cmd::new("xorriso")
            .when_missing("install the package xorriso")
            .args(["-as", "mkisofs", "-quiet", "-iso-level", "3", "-r", "-J", "-joliet-long"])
            .args(["-V", &self.label])
            .arg(format!("--modification-date={}00", self.time))
            .args(["--set_all_file_dates", &format!("{}00", self.time)])
            .args(["--gpt_disk_guid", &guid.to_string()])
            .args(["-c", CATALOG]);
        if self.arch == Arch::X86_64 {
            cmd = cmd
                .args(["-b", ELTORITO, "-no-emul-boot", "-boot-load-size", "4"])
                .args(["-boot-info-table", "--grub2-boot-info", "--grub2-mbr"])
                .arg(&self.hybrid);
        }
        cmd = cmd.args(["--efi-boot", EFIBOOT, "-efi-boot-part", "--efi-boot-image"]);
        cmd = cmd.arg("--protective-msdos-label");
        // Without weights the order would be that of the host's inodes.
        for (weight, path) in (1_u32..).zip(order()) {
            if self.dir.join(&path).exists() {
                cmd = cmd.args(["--sort-weight", &weight.to_string(), &format!("/{path}")]);
            }
        }
        cmd.arg("-o").arg(out).arg(&self.dir).run().context("cannot make the ISO")
    }

    fn add_grub(&self, source: &Source<'_>) -> Result<()> {
        let directory = Path::new(menu::PATH).parent().unwrap_or(Path::new(""));
        let prefix = format!("/{}", directory.display());
        let config = early_config(&self.label, &prefix);
        let (platform, program) = match self.arch {
            Arch::X86_64 => ("x86_64-efi", "live-x86_64.efi"),
            Arch::Aarch64 => ("arm64-efi", "live-aarch64.efi"),
        };
        let image = |platform, format, modules| CoreImage {
            platform,
            format,
            prefix: &prefix,
            config: &config,
            modules,
        };
        let program = image(platform, platform, &MODULES).make(source, program)?;
        let size = program.metadata().context("grub-mkimage made no program")?.len();
        // Whole cylinders of nothing: mkfs.vfat wants a multiple of the sector only.
        self.zeros(EFIBOOT, (size + EFIBOOT_ROOM).next_multiple_of(64 * 1024))?;
        disk::fill_esp(&self.dir.join(EFIBOOT), self.arch, &program, SectorSize::Bytes512)?;
        if self.arch == Arch::X86_64 {
            let modules = [&["biosdisk"][..], &MODULES].concat();
            let core =
                image("i386-pc", "i386-pc-eltorito", &modules).make(source, "eltorito.img")?;
            let target = self.place(ELTORITO)?;
            fs::rename(&core, &target)
                .with_context(|| format!("cannot move to {}", target.display()))?;
        }
        Ok(())
    }

    /// Returns the path of a file in the tree, whose directory is made.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        Ok(path)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.place(path)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn zeros(&self, path: &str, length: u64) -> Result<()> {
        let path = self.place(path)?;
        fs::File::create(&path)
            .and_then(|file| file.set_len(length))
            .with_context(|| format!("cannot create {}", path.display()))
    }
}

/// The files from the last one in the ISO to the first: what a boot needs late, or not at all,
/// comes late.
fn order() -> Vec<String> {
    let of = Flavour::Nestos;
    let mut paths = vec![ROOTFS.to_owned(), of.miniso(), IGNITION_IMAGE.to_owned()];
    paths.extend([INITRD, KERNEL].map(str::to_owned));
    paths.extend([of.features(), of.igninfo(), of.kargs()]);
    paths.extend([menu::PATH, EFIBOOT, ELTORITO].map(str::to_owned));
    paths
}

/// What GRUB does first, line by line: its early parser knows no `if`. Several media may be there,
/// even with the same name: the one that GRUB was started from is looked at first. On UEFI that may
/// be a partition of it.
fn early_config(label: &str, prefix: &str) -> String {
    format!(
        "regexp --set=1:medium '^([^,]+)' $root\n\
         set root=$medium\n\
         search --no-floppy --set=root --label '{label}' --hint $medium\n\
         set prefix=($root){prefix}\n\
         configfile $prefix/grub.cfg\n"
    )
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_has_a_place_of_its_own_and_the_rootfs_the_last() {
        let order = order();
        let distinct: BTreeSet<&String> = order.iter().collect();
        assert_eq!(distinct.len(), order.len());
        assert_eq!(order[0], "images/pxeboot/rootfs.img");
    }

    #[test]
    fn grub_looks_first_at_what_it_was_started_from() {
        let config = early_config("nestos-1", "/EFI/openEuler");
        assert!(config.contains("--label 'nestos-1' --hint $medium\n"));
        assert!(
            config.ends_with("set prefix=($root)/EFI/openEuler\nconfigfile $prefix/grub.cfg\n")
        );
    }
}
