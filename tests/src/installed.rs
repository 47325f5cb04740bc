//! Compares an installed disk with the image it was installed from: outside the boot partition and
//! the partition tables every byte is the image's.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_host::gpt_disk::{HEAD_LEN, Partition, Table};

const BUFFER: usize = 1 << 20;
/// What of the first sectors is no partition table: the boot code.
const BOOT_CODE: u64 = 440;

/// Requires that the disk has the image's boot code, and its partitions at their places with their
/// bytes; only those of the boot partition, which is edited, are not compared.
pub fn require_image_on(disk: &Path, image: &Path) -> Result<()> {
    let (on_disk, in_image) = (partitions(disk)?, partitions(image)?);
    ensure!(on_disk == in_image, "the partitions are {on_disk:?}, not {in_image:?}");
    let (disk_file, image_file) = (open(disk)?, open(image)?);
    same(&disk_file, &image_file, 0, BOOT_CODE).context("the boot code")?;
    for partition in in_image.iter().filter(|p| p.name != "boot") {
        same(&disk_file, &image_file, partition.start, partition.length)
            .with_context(|| format!("partition {}", partition.name))?;
    }
    Ok(())
}

/// Requires that nothing was written to a blank disk: no block of the file is used, or every byte
/// is zero.
pub fn require_untouched(disk: &Path) -> Result<()> {
    let used = disk.metadata().with_context(|| format!("cannot look at {}", disk.display()))?;
    if used.blocks() == 0 {
        return Ok(());
    }
    let found = Cmd::new("cmp").arg(disk).arg("/dev/zero").finish()?;
    // cmp(1) reports the end of the shorter file as a difference, on stderr, and no other one.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (difference, end) = (text(&found.stdout), text(&found.stderr));
    ensure!(difference.is_empty(), "{} was written: {difference}", disk.display());
    ensure!(end.contains("EOF on "), "cannot compare {}: {end}", disk.display());
    Ok(())
}

fn partitions(path: &Path) -> Result<Vec<Partition>> {
    let mut head = vec![0; HEAD_LEN];
    open(path)?.read_exact_at(&mut head, 0).context("reading the first MiB")?;
    let table = Table::parse(&head)
        .with_context(|| format!("reading the partition table of {}", path.display()))?;
    Ok(table.partitions().to_vec())
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

fn same(a: &File, b: &File, start: u64, length: u64) -> Result<()> {
    let (mut left, mut right) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut done = 0;
    while done < length {
        let count = usize::try_from((length - done).min(BUFFER as u64))?;
        let at = start + done;
        a.read_exact_at(&mut left[..count], at).with_context(|| format!("reading at {at}"))?;
        b.read_exact_at(&mut right[..count], at).with_context(|| format!("reading at {at}"))?;
        if left[..count] != right[..count] {
            let offset = left.iter().zip(&right).position(|(l, r)| l != r).unwrap_or_default();
            anyhow::bail!("differs from the image at byte {}", at + offset as u64);
        }
        done += count as u64;
    }
    Ok(())
}

/// A disk that nothing was written to yet.
pub fn blank_disk(dir: &Path, name: &str, bytes: u64) -> Result<PathBuf> {
    let path = dir.join(name);
    File::create(&path)
        .and_then(|file| file.set_len(bytes))
        .with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_disk_is_untouched_until_one_byte_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let disk = blank_disk(dir.path(), "disk", 3 << 20).unwrap();
        require_untouched(&disk).unwrap();
        File::options().write(true).open(&disk).unwrap().write_all_at(b"x", 2 << 20).unwrap();
        require_untouched(&disk).unwrap_err();
        require_untouched(&dir.path().join("none")).unwrap_err();
    }

    #[test]
    fn one_changed_byte_of_a_partition_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let image = blank_disk(dir.path(), "image", 8 << 20).unwrap();
        let table = "label: gpt\nsize=2MiB, name=root\nsize=2MiB, name=boot\n";
        Cmd::new("sfdisk").arg("--quiet").arg(&image).input(table).run().unwrap();
        let disk = dir.path().join("disk");
        std::fs::copy(&image, &disk).unwrap();
        require_image_on(&disk, &image).unwrap();
        let write = |at| File::options().write(true).open(&disk).unwrap().write_all_at(b"x", at);
        write((3 << 20) + 1).unwrap();
        require_image_on(&disk, &image).unwrap();
        write((1 << 20) + 7).unwrap();
        let err = require_image_on(&disk, &image).unwrap_err();
        assert_eq!(format!("{err:#}"), "partition root: differs from the image at byte 1048583");
    }
}
