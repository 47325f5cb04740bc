//! What is known of an image from its first MiB, and whether it fits: the disk, the machine and
//! the config.

use anyhow::{Result, anyhow, bail};
use nestos_formats::disk_layout::{Arch, BOOT_LABEL};
use nestos_formats::image_note::{ImageNote, RECREATE_SYSTEM};
use nestos_host::blockdev::{ClaimedDisk, Kind};
use nestos_host::gpt_disk::{HEAD_LEN, Partition, Table};
use nestos_host::term::WithHint;

use crate::config::CheckedConfig;
use crate::recreated;

/// Reads the table of an image.
pub(super) fn read_table(head: &[u8]) -> Result<Table> {
    let starts = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|h| h.starts_with(magic));
    if starts(32769, b"CD001") {
        return Err(anyhow!("it is an ISO image, which boots from a CD or a USB stick"))
            .hint("boot the ISO and install from there, or use the metal image");
    }
    if starts(0, b"QFI\xFB") {
        return Err(anyhow!("it is a qcow2 image, which virtual machines use"))
            .hint("use the metal image, or convert it: qemu-img convert -O raw IN OUT");
    }
    if starts(0, b"<") {
        return Err(anyhow!("it is a web page"))
            .hint("the address is wrong, or the network wants a login first");
    }
    Table::parse(head).map_err(anyhow::Error::from)
}

/// Fails when an image cannot be written to a disk.
pub(super) fn check_fit(table: &Table, disk: &ClaimedDisk) -> Result<()> {
    let wanted = table.sector_size();
    if let Kind::Device(actual) = disk.kind()
        && actual != wanted
    {
        return Err(anyhow!(
            "the image is made for sectors of {} bytes, but {} has sectors of {} bytes",
            wanted.bytes(),
            disk.path().display(),
            actual.bytes()
        ))
        .hint(format!("use the image for {}-byte sectors", actual.bytes()));
    }
    if disk.size() < table.disk_size() {
        let missing = table.disk_size() - disk.size();
        let hint = match disk.kind() {
            Kind::Device(_) => "choose a larger disk".to_owned(),
            Kind::File => {
                format!("make it larger: truncate -s +{missing} {}", disk.path().display())
            }
        };
        return Err(anyhow!(
            "the image needs {} bytes, but {} has {}",
            table.disk_size(),
            disk.path().display(),
            disk.size()
        ))
        .hint(hint);
    }
    Ok(())
}

/// Returns the partition that is edited.
pub(super) fn boot_partition(table: &Table) -> Result<Partition> {
    let mut named = table.partitions().iter().filter(|p| p.name == BOOT_LABEL);
    match (named.next(), named.next()) {
        (Some(p), None) if p.start >= HEAD_LEN as u64 => Ok(p.clone()),
        (Some(_), None) => bail!("partition {BOOT_LABEL:?} lies in the first MiB"),
        (Some(_), Some(_)) => bail!("there are several partitions called {BOOT_LABEL:?}"),
        (None, _) => bail!("there is no partition called {BOOT_LABEL:?}"),
    }
}

/// Fails when an image is for another kind of machine.
pub(super) fn check_architecture(note: Option<&ImageNote>, wanted: Option<Arch>) -> Result<()> {
    if let (Some(note), Some(wanted)) = (note, wanted)
        && note.architecture != wanted.to_string()
    {
        return Err(anyhow!("the image is for {}, not for {wanted}", note.architecture)).hint(
            format!("use the image for {wanted}, or say --architecture {}", note.architecture),
        );
    }
    Ok(())
}

/// Fails when the first boot of an image could not apply a config.
pub(super) fn check_config(
    config: &CheckedConfig,
    note: Option<&ImageNote>,
    disk: &ClaimedDisk,
) -> Result<()> {
    if let Some(newest) = note.and_then(|n| n.ignition.as_deref())
        && let Some(version) = config.versions().into_iter().find(|v| is_newer(v, newest))
    {
        return Err(anyhow!(
            "the config has the version {version}, but the image reads Ignition configs up to \
             {newest}"
        ))
        .hint(format!("write it for version {newest} (variant nestos of Butane does)"));
    }
    let disk = disk.path().display().to_string();
    let found: Vec<String> =
        config.parts().iter().flat_map(|p| recreated::found_in(p, &disk)).collect();
    if !found.is_empty() && !note.is_some_and(|n| n.has(RECREATE_SYSTEM)) {
        return Err(anyhow!(
            "the config changes partitions of the system, and the image cannot move its content \
             out of the way:\n    {}",
            found.join("\n    ")
        ))
        .hint("leave root, boot and EFI-SYSTEM alone; other disks and partitions are fine");
    }
    Ok(())
}

/// Compares `major.minor.patch`; what is no such version is not newer.
fn is_newer(version: &str, than: &str) -> bool {
    let numbers = |text: &str| {
        let stable = text.split('-').next().unwrap_or_default();
        stable.split('.').map(|n| n.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>()
    };
    numbers(version) > numbers(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_newer("3.10.0", "3.3.0") && is_newer("3.4.0-experimental", "3.3.0"));
        assert!(!is_newer("3.3.0", "3.3.0") && !is_newer("3.0.0", "3.3.0"));
    }

    #[test]
    fn an_image_for_another_machine_is_refused() {
        let note = |arch: &str| ImageNote { architecture: arch.to_owned(), ..ImageNote::default() };
        let check = |note: Option<ImageNote>| check_architecture(note.as_ref(), Some(Arch::X86_64));
        assert!(check(None).is_ok() && check(Some(note("x86_64"))).is_ok());
        assert!(check(Some(note("aarch64"))).is_err());
    }
}
