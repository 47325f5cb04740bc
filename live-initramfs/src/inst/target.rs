//! A disk that NestOS was installed to: its boot partition and its EFI system partition.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::disk_layout::{BOOT_LABEL, ESP_LABEL};
use nestos_formats::efi_boot::{HardDrive, LoadOption};
use nestos_host::disk_use::Sources;
use nestos_host::disks::{self, Disk, Partition};
use nestos_host::gpt_disk::{HEAD, Table};

/// The file system of a boot partition.
pub(super) const BOOT_FSTYPE: &str = "ext4";

/// What the boot menu of the firmware shows.
const DESCRIPTION: &str = "NestOS";

/// The program that firmware looks for on a disk without a boot option (UEFI 3.5.1.1).
#[cfg(target_arch = "aarch64")]
const BOOT_PROGRAM: &str = "\\EFI\\BOOT\\BOOTAA64.EFI";
#[cfg(not(target_arch = "aarch64"))]
const BOOT_PROGRAM: &str = "\\EFI\\BOOT\\BOOTX64.EFI";

/// Returns the disk of this machine that a path leads to.
pub(crate) fn find(root: &Path, path: &Path) -> Result<Disk> {
    let real = fs::canonicalize(path).unwrap_or_else(|_missing| path.to_owned());
    let mut all = disks::all(&Sources::at(root)).into_iter();
    let leads_there = |device: &str| {
        Path::new(device) == real || fs::canonicalize(device).is_ok_and(|node| node == real)
    };
    all.find(|disk| leads_there(&disk.device))
        .ok_or_else(|| anyhow!("{} is no disk of this machine", path.display()))
}

/// Returns the disks that have a partition called `boot`, with the device of that partition. What
/// is known to be no file system of ours is left out: partitions of others have that name, too.
pub(crate) fn with_boot(root: &Path) -> Vec<(Disk, PathBuf)> {
    let all = disks::all(&Sources::at(root)).into_iter();
    all.filter_map(|disk| {
        let boot = partition(&disk, BOOT_LABEL).ok()?;
        let ours = boot.content.as_ref().is_none_or(|content| content.kind == BOOT_FSTYPE);
        let device = PathBuf::from(&boot.device);
        ours.then_some((disk, device))
    })
    .collect()
}

/// Returns the device of the boot partition.
pub(crate) fn boot_device(disk: &Disk) -> Result<PathBuf> {
    partition(disk, BOOT_LABEL).map(|p| PathBuf::from(&p.device))
}

/// Returns the option with which the firmware boots the disk.
pub(crate) fn boot_option(disk: &Disk) -> Result<LoadOption> {
    let esp = partition(disk, ESP_LABEL)?;
    let mut head = Vec::new();
    File::open(&disk.device)
        .and_then(|file| file.take(HEAD).read_to_end(&mut head))
        .with_context(|| format!("cannot read {}", disk.device))?;
    let table = Table::parse(&head).with_context(|| format!("cannot use {}", disk.device))?;
    let same = |number: usize| u32::try_from(number) == Ok(esp.number);
    let entry = table.entries().iter().find(|e| same(e.number()));
    let entry =
        entry.ok_or_else(|| anyhow!("the table of {} lacks {}", disk.device, esp.device))?;
    let sector = disk.sector_size.max(512);
    let drive = HardDrive {
        number: esp.number,
        start: esp.start / sector,
        sectors: esp.size / sector,
        guid: entry.guid(),
    };
    Ok(LoadOption::new(DESCRIPTION, drive, BOOT_PROGRAM))
}

fn partition<'d>(disk: &'d Disk, label: &str) -> Result<&'d Partition> {
    let found = disk.partitions.iter().find(|p| p.name == label);
    found.ok_or_else(|| anyhow!("{} has no partition called {label}", disk.device))
}
