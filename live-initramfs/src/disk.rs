//! First boot of a disk that holds a copy of the image: its own identifiers, all its space.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::disk_layout::{IMAGE_BOOT_UUID, IMAGE_DISK_GUID, IMAGE_ROOT_UUID};
use nestos_host::cmd::Cmd;
use nestos_host::term;

use crate::first_boot::boot_label;

/// Gives the boot and root file systems random UUIDs, where they still have the image's. Must run
/// while neither is mounted.
pub(crate) fn new_uuids() -> Result<()> {
    // Ignition may have made another one.
    boot_label::check()?;
    for (label, image_uuid) in [("boot", IMAGE_BOOT_UUID), ("root", IMAGE_ROOT_UUID)] {
        renew(&format!("/dev/disk/by-label/{label}"), image_uuid)?;
    }
    Cmd::new("udevadm").args(["settle", "--timeout=30"]).run()
}

/// Gives the file system on `device` a random UUID if it has that of the image.
fn renew(device: &str, image_uuid: &str) -> Result<()> {
    let found = Cmd::new("blkid").args(["-p", "-o", "export", device]).output()?;
    if property(&found, "UUID") != Some(image_uuid) {
        return Ok(());
    }
    match property(&found, "TYPE") {
        // metadata_csum_seed lets the UUID change without rewriting checksums, but tune2fs
        // wants a file system that was checked since it was last mounted.
        Some("ext4") => {
            check_ext4(device)?;
            Cmd::new("tune2fs").args(["-U", "random", device]).run()
        }
        Some("xfs") => Cmd::new("xfs_admin").args(["-U", "generate", device]).run(),
        other => {
            term::warning(format!(
                "{device} keeps the UUID of the image: no tool for {}",
                other.unwrap_or("an unknown file system")
            ));
            Ok(())
        }
    }
}

/// Checks a file system that may have seen a power cut; errors that could be corrected are fine.
fn check_ext4(device: &str) -> Result<()> {
    let done = Cmd::new("e2fsck").args(["-f", "-p", device]).finish()?;
    // e2fsck(8): 0 is clean, 1 is corrected.
    if matches!(done.status.code(), Some(0 | 1)) {
        return Ok(());
    }
    bail!("{device} is damaged: {}", String::from_utf8_lossy(&done.stdout).trim())
}

/// Grows the partition and the file system mounted on `/sysroot` to the end of the disk, moves the
/// backup partition table there, and replaces the image's disk GUID.
pub(crate) fn grow_root() -> Result<()> {
    let mount = Cmd::new("findmnt")
        .args(["--noheadings", "--raw", "--first-only", "--output", "SOURCE,FSTYPE", "/sysroot"])
        .output()?;
    let Some((source, fstype)) = mount.trim().split_once(' ') else {
        bail!("findmnt does not know what is mounted on /sysroot: {mount:?}");
    };
    match Partition::of(Path::new(source))? {
        Some(partition) => partition.grow()?,
        None => term::status(format!("{source} is no partition; leaving its size alone")),
    }
    Cmd::new("mount").args(["-o", "remount,rw", "/sysroot"]).run()?;
    match fstype {
        "ext4" => Cmd::new("resize2fs").arg(source).run(),
        "xfs" => Cmd::new("xfs_growfs").arg("/sysroot").run(),
        other => {
            term::warning(format!(
                "do not know how to grow a {other} file system; it keeps its size"
            ));
            Ok(())
        }
    }
}

/// Returns the disk that a device is a partition of.
pub(crate) fn disk_of(device: &Path) -> Result<Option<PathBuf>> {
    Ok(Partition::of(device)?.map(|partition| partition.disk))
}

/// A partition and the disk it is on.
#[derive(Debug)]
struct Partition {
    disk: PathBuf,
    number: String,
}

impl Partition {
    /// Looks `device` up in sysfs; `None` when it is not a partition.
    fn of(device: &Path) -> Result<Option<Self>> {
        let node = fs::canonicalize(device)
            .with_context(|| format!("cannot resolve {}", device.display()))?;
        let Some(name) = node.file_name() else { return Ok(None) };
        let sys = Path::new("/sys/class/block").join(name);
        let Ok(number) = fs::read_to_string(sys.join("partition")) else { return Ok(None) };
        // /sys/class/block/vda4 -> /sys/devices/…/block/vda/vda4
        let real =
            fs::canonicalize(&sys).with_context(|| format!("cannot resolve {}", sys.display()))?;
        let Some(disk) = real.parent().and_then(Path::file_name) else { return Ok(None) };
        Ok(Some(Self { disk: Path::new("/dev").join(disk), number: number.trim().to_owned() }))
    }

    fn grow(&self) -> Result<()> {
        let sfdisk = || Cmd::new("sfdisk").args(["--no-reread", "--no-tell-kernel", "--force"]);
        let current = Cmd::new("sfdisk").arg("--disk-id").arg(&self.disk).output()?;
        if current.trim().eq_ignore_ascii_case(IMAGE_DISK_GUID) {
            let guid = fs::read_to_string("/proc/sys/kernel/random/uuid")
                .context("cannot read a random UUID from the kernel")?;
            sfdisk().arg("--disk-id").arg(&self.disk).arg(guid.trim()).run()?;
        }
        // Writing the table also moves its backup to the end of the disk.
        sfdisk().args(["-N", &self.number]).arg(&self.disk).input(", +\n").run()?;
        Cmd::new("partx").args(["--update", "--nr", &self.number]).arg(&self.disk).run()?;
        Cmd::new("udevadm").args(["settle", "--timeout=30"]).run()
    }
}

/// Returns the value of `key` in `blkid -o export` output.
fn property<'a>(export: &'a str, key: &str) -> Option<&'a str> {
    export.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a file system that has the image's UUID.
    fn copy_of_the_image(dir: &Path, mkfs: &[&str]) -> String {
        let path = dir.join(mkfs[0]);
        fs::File::create(&path).unwrap().set_len(320 << 20).unwrap();
        Cmd::new(mkfs[0]).args(&mkfs[1..]).arg(&path).run().unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn uuid(device: &str) -> String {
        let found = Cmd::new("blkid").args(["-p", "-o", "export", device]).output().unwrap();
        property(&found, "UUID").unwrap().to_owned()
    }

    #[test]
    fn copies_of_the_image_get_uuids_of_their_own_once() {
        let dir = tempfile::tempdir().unwrap();
        let in_xfs = format!("uuid={IMAGE_ROOT_UUID}");
        for (mkfs, check) in [
            (&["mkfs.ext4", "-q", "-U", IMAGE_ROOT_UUID][..], &["e2fsck", "-f", "-n"][..]),
            (&["mkfs.xfs", "-q", "-m", &in_xfs], &["xfs_repair", "-n", "-f"]),
        ] {
            let device = copy_of_the_image(dir.path(), mkfs);
            assert_eq!(uuid(&device), IMAGE_ROOT_UUID);
            renew(&device, IMAGE_ROOT_UUID).unwrap();
            let own = uuid(&device);
            assert_ne!(own, IMAGE_ROOT_UUID, "{device}");
            Cmd::new(check[0]).args(&check[1..]).arg(&device).run().unwrap();
            renew(&device, IMAGE_ROOT_UUID).unwrap();
            assert_eq!(uuid(&device), own, "{device} was renewed again");
        }
    }

    #[test]
    fn properties_are_matched_by_their_whole_name() {
        let export = "DEVNAME=/dev/vda4\nLABEL=root\nUUID_SUB=x\nUUID=abc\nTYPE=ext4\n";
        assert_eq!(property(export, "UUID"), Some("abc"));
        assert_eq!(property(export, "PARTUUID"), None);
    }
}
