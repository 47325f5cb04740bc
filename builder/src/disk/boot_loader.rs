//! GRUB from the target's own packages: one core image for BIOS, one EFI program, and modules that
//! the menu loads from the boot partition.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::disk_layout::{Arch, MIB};

use super::Source;
use crate::chroot::Chroot;

/// Read by GRUB before anything else, line by line: its early parser knows no `if`. The prefix names
/// the boot partition of the disk that GRUB itself came from, and with it as the hint that one is
/// taken; on disks partitioned in another way the label finds it.
const EARLY_CONFIG: &str = "search --no-floppy --label boot --hint $root --set root\n\
    set prefix=($root)/grub2\n\
    configfile $prefix/grub.cfg\n";

/// Where the boot partition is, relative to the disk GRUB came from.
const PREFIX: &str = "(,gpt3)/grub2";

/// Where the work directory is seen in the tools tree.
const WORK: &str = "/run/nosa";

/// Linked into all images. `linux` must not be: see the comments in grub.cfg.
const MODULES: [&str; 26] = [
    "part_gpt",
    "part_msdos",
    "ext2",
    "fat",
    "xfs",
    "search",
    "search_label",
    "search_fs_file",
    "search_fs_uuid",
    "normal",
    "configfile",
    "test",
    "echo",
    "serial",
    "terminal",
    "loadenv",
    "regexp",
    "minicmd",
    "ls",
    "cat",
    "reboot",
    "halt",
    "true",
    "sleep",
    "eval",
    "probe",
];

/// One image of GRUB for grub-mkimage(1).
#[derive(Debug)]
pub(crate) struct CoreImage<'a> {
    /// Platform whose modules it consists of.
    pub(crate) platform: &'a str,
    /// Its format: the platform, or what loads it.
    pub(crate) format: &'a str,
    /// Where the menu is.
    pub(crate) prefix: &'a str,
    /// Commands that it runs first.
    pub(crate) config: &'a str,
    /// Modules besides [`MODULES`].
    pub(crate) modules: &'a [&'a str],
}

impl CoreImage<'_> {
    /// Makes the file `name` in the work directory with the target's own grub-mkimage.
    pub(crate) fn make(&self, source: &Source<'_>, name: &str) -> Result<PathBuf> {
        let config = format!("{name}.cfg");
        fs::write(source.work.join(&config), self.config)
            .with_context(|| format!("cannot write {config}"))?;
        Chroot::new(source.tools)
            .bind(source.work, WORK)
            .cmd("grub-mkimage")
            .args(["-d", &format!("/usr/lib/grub/{}", self.platform), "-O", self.format])
            .args(["-p", self.prefix, "-c", &format!("{WORK}/{config}")])
            .args(["-o", &format!("{WORK}/{name}")])
            .args(self.modules)
            .args(MODULES)
            .run()
            .with_context(|| format!("cannot make GRUB for {}", self.format))?;
        Ok(source.work.join(name))
    }
}

/// GRUB for BIOS machines.
#[derive(Debug)]
pub(crate) struct Bios {
    /// The 440 bytes of boot code, already pointing at the core image.
    pub(super) boot_code: [u8; 440],
    /// The core image, already knowing where it lies.
    pub(super) core: Vec<u8>,
}

/// The GRUB images of an architecture.
#[derive(Debug)]
pub(crate) struct GrubImages {
    /// For BIOS, where the architecture has it.
    pub(super) bios: Option<Bios>,
    /// The EFI program.
    pub(super) efi: PathBuf,
    /// Platform directories with modules, in the tools tree.
    pub(super) module_dirs: Vec<PathBuf>,
}

/// First sector of the BIOS-BOOT partition: 1 MiB with 512-byte sectors.
const BIOS_BOOT_SECTOR: u64 = MIB / 512;

impl GrubImages {
    /// Makes the images with the target's grub-mkimage.
    pub(crate) fn make(source: &Source<'_>) -> Result<Self> {
        let platforms: &[&str] = match source.arch {
            Arch::X86_64 => &["x86_64-efi", "i386-pc"],
            Arch::Aarch64 => &["arm64-efi"],
        };
        let lib = source.tools.join("usr/lib/grub");
        let mut module_dirs = Vec::new();
        for platform in platforms {
            let dir = lib.join(platform);
            if !dir.is_dir() {
                bail!(
                    "the tree has no /usr/lib/grub/{platform}: add GRUB's packages to \"packages\""
                );
            }
            module_dirs.push(dir);
        }
        let image = |platform, modules| CoreImage {
            platform,
            format: platform,
            prefix: PREFIX,
            config: EARLY_CONFIG,
            modules,
        };
        let efi = image(platforms[0], &[]).make(source, "grub.efi")?;
        let bios = match source.arch {
            Arch::X86_64 => {
                let core = image("i386-pc", &["biosdisk"]).make(source, "core.img")?;
                let boot =
                    fs::read(lib.join("i386-pc/boot.img")).context("cannot read boot.img")?;
                let core = fs::read(&core).context("cannot read core.img")?;
                Some(stamp(&boot, core)?)
            }
            Arch::Aarch64 => None,
        };
        Ok(Self { bios, efi, module_dirs })
    }

    /// Copies the modules to `grub2/PLATFORM` of the boot partition. command.lst is left out on
    /// purpose: GRUB would load `linux` by itself, and boot entries are read by functions of that
    /// name.
    pub(super) fn copy_modules(&self, grub2: &Path) -> Result<()> {
        for dir in &self.module_dirs {
            let target = grub2.join(dir.file_name().unwrap_or_default());
            fs::create_dir_all(&target)
                .with_context(|| format!("cannot create {}", target.display()))?;
            let list =
                fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
            for entry in list {
                let path = entry?.path();
                if path.extension().is_some_and(|e| e == "mod") {
                    fs::copy(&path, target.join(path.file_name().unwrap_or_default()))
                        .with_context(|| format!("cannot copy {}", path.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// Does what grub-bios-setup does on a hard disk (GRUB source, util/setup.c): tells the boot code
/// where the core image is, and the core image where its second sector is.
fn stamp(boot_img: &[u8], mut core: Vec<u8>) -> Result<Bios> {
    const CORE_START: usize = 0x5c;
    const DRIVE_CHECK: usize = 0x66;
    const BLOCK_LIST: usize = 0x1f4;
    let size = u64::try_from(core.len())?;
    if boot_img.len() != 512 || core.len() < 1024 || size > MIB {
        bail!("GRUB's images have unexpected sizes: boot {}, core {size}", boot_img.len());
    }
    let sectors = u16::from_le_bytes([core[BLOCK_LIST + 8], core[BLOCK_LIST + 9]]);
    if u64::from(sectors) != size.div_ceil(512) - 1 {
        bail!("GRUB's core image has an unexpected block list ({sectors} sectors of {size} bytes)");
    }
    core[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&(BIOS_BOOT_SECTOR + 1).to_le_bytes());
    let mut boot_code = [0; 440];
    boot_code.copy_from_slice(&boot_img[..440]);
    boot_code[CORE_START..CORE_START + 8].copy_from_slice(&BIOS_BOOT_SECTOR.to_le_bytes());
    // Two NOPs: believe the drive number that the firmware gives.
    boot_code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    Ok(Bios { boot_code, core })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_points_from_boot_code_to_core_and_on() {
        let mut core = vec![7; 3 * 512 - 10];
        core[0x1fc..0x1fe].copy_from_slice(&2_u16.to_le_bytes());
        let bios = stamp(&[1; 512], core).unwrap();
        assert_eq!(bios.boot_code[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(bios.boot_code[0x66..0x68], [0x90, 0x90]);
        assert_eq!(bios.core[0x1f4..0x1fc], 2049_u64.to_le_bytes());
    }

    #[test]
    fn an_image_of_another_shape_is_refused() {
        assert!(stamp(&[1; 512], vec![0; 2048]).is_err());
        assert!(stamp(&[1; 100], vec![0; 2048]).is_err());
    }
}
