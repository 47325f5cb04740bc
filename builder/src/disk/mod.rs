//! Disk images, made of files alone: no loop device, no mount, no virtual machine.
//!
//! sysroot (a deployed ostree tree) -> root and boot file systems, EFI system partition -> GPT
//! image -> qcow2. Images differ in the boot partition, the disk size and the container only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::disk_layout::Arch;
use nestos_formats::image_note::ImageNote;
use nestos_formats::kargs::KernelArgs;
use nestos_host::cmd::Cmd;

use crate::commit::Repo;
use crate::config::Config;

mod boot_loader;
mod boot_partition;
mod esp;
mod file_systems;
mod partition_table;
mod sysroot;
mod xfs;

pub(crate) use boot_loader::{CoreImage, GrubImages};
pub(crate) use esp::fill as fill_esp;
pub(crate) use partition_table::guid_of;
pub(crate) use sysroot::Sysroot;
pub(crate) use xfs::is_able as makes_xfs_from_directory;

/// A kind of disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Raw image for real machines.
    Metal,
    /// The same for disks with sectors of 4096 bytes.
    Metal4k,
    /// qcow2 image for QEMU.
    Qemu,
}

/// Sectors of the disk that an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectorSize {
    /// What nearly all disks show.
    Bytes512,
    /// Disks that show the sectors they have (4Kn).
    Bytes4096,
}

impl SectorSize {
    /// Returns the number of bytes.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Bytes512 => 512,
            Self::Bytes4096 => 4096,
        }
    }
}

impl Kind {
    /// Returns the key in meta.json.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metal => "metal",
            Self::Metal4k => "metal4k",
            Self::Qemu => "qemu",
        }
    }

    /// Returns the platform: `ignition.platform.id`, and the key in platforms.yaml.
    pub(crate) fn platform(self) -> &'static str {
        match self {
            Self::Metal | Self::Metal4k => "metal",
            Self::Qemu => "qemu",
        }
    }

    /// Returns the sectors of the disks that the image is for.
    pub(crate) fn sector(self) -> SectorSize {
        match self {
            Self::Metal | Self::Qemu => SectorSize::Bytes512,
            Self::Metal4k => SectorSize::Bytes4096,
        }
    }

    /// Returns the file name of the artifact.
    pub(crate) fn file_name(self, name: &str, build: &str, arch: Arch) -> String {
        let extension = match self {
            Self::Metal | Self::Metal4k => "raw",
            Self::Qemu => "qcow2",
        };
        format!("{name}-{build}-{}.{arch}.{extension}", self.name())
    }
}

/// Returns what the image says about itself before it is written anywhere.
fn note(source: &Source<'_>) -> ImageNote {
    ImageNote {
        title: format!("{} {}", source.config.manifest.rojig.name, source.build),
        architecture: source.arch.to_string(),
        ignition: source.config.image.ignition.clone(),
        features: vec![],
    }
}

/// What images are made from.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// The config.
    pub(crate) config: &'a Config,
    /// The architecture.
    pub(crate) arch: Arch,
    /// The repository with the commit.
    pub(crate) repo: &'a Repo,
    /// The commit.
    pub(crate) commit: &'a str,
    /// Build id.
    pub(crate) build: &'a str,
    /// A tree of the target whose programs make boot loader and file systems.
    pub(crate) tools: &'a Path,
    /// The tree whose mkfs.xfs makes an xfs root.
    pub(crate) xfs_tools: &'a Path,
    /// A directory for intermediate files.
    pub(crate) work: &'a Path,
}

/// The deployed system, and the boot loader that starts it.
#[derive(Debug)]
pub(crate) struct System {
    /// The deployment.
    pub(crate) sysroot: Sysroot,
    grub: GrubImages,
}

impl System {
    /// Deploys the commit in the work directory.
    pub(crate) fn deploy(source: &Source<'_>) -> Result<Self> {
        let sysroot = Sysroot::deploy(source, &base_kargs(source)?)?;
        let grub = GrubImages::make(source)?;
        Ok(Self { sysroot, grub })
    }
}

/// The parts that all images of a commit share.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    system: &'a System,
    root_fs: PathBuf,
}

impl<'a> Parts<'a> {
    /// Makes them in the work directory.
    pub(crate) fn make(source: &Source<'_>, system: &'a System) -> Result<Self> {
        let root_fs = file_systems::root(source, &system.sysroot)?;
        Ok(Self { system, root_fs })
    }

    /// Makes one image at `out`.
    pub(crate) fn image(&self, source: &Source<'_>, kind: Kind, out: &Path) -> Result<()> {
        let boot = boot_partition::make(source, &self.system.sysroot, &self.system.grub, kind)?;
        let esp = file_systems::esp(source, &self.system.grub, kind.sector())?;
        let raw = match kind {
            Kind::Metal | Kind::Metal4k => out.to_owned(),
            Kind::Qemu => source.work.join("qemu.raw"),
        };
        let size = match kind {
            Kind::Metal | Kind::Metal4k => None,
            Kind::Qemu => Some(source.config.image.size_gib * 1024),
        };
        let contents = partition_table::Contents {
            // The boot code of BIOS machines reads sectors of 512 bytes only.
            bios: self.system.grub.bios.as_ref().filter(|_| kind.sector() == SectorSize::Bytes512),
            sector: kind.sector(),
            esp: &esp,
            boot: &boot,
            root: &self.root_fs,
            note: &note(source),
        };
        partition_table::write(&raw, source.arch, size, &contents)?;
        if kind == Kind::Qemu {
            Cmd::new("qemu-img")
                .when_missing("install the package qemu-utils")
                .args(["convert", "-f", "raw", "-O", "qcow2"])
                .arg(&raw)
                .arg(out)
                .run()?;
            fs::remove_file(&raw).with_context(|| format!("cannot remove {}", raw.display()))?;
        }
        fs::remove_file(&boot).with_context(|| format!("cannot remove {}", boot.display()))
    }
}

/// Kernel arguments that all images share; the platform comes later.
fn base_kargs(source: &Source<'_>) -> Result<KernelArgs> {
    let mut args: KernelArgs =
        "root=LABEL=root rw $ignition_firstboot ignition.platform.id=metal".parse()?;
    args.extend(source.config.image.extra_kargs.iter().cloned());
    args.check_length()?;
    Ok(args)
}
