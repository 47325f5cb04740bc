//! The GPT image: boot code, partition table, and the file systems copied to their places, holes
//! kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{OperatingSystem, Type};
use nestos_formats::disk_layout::{Arch, IMAGE_DISK_GUID, MIB, Size, partitions};
use nestos_formats::image_note::{self, ImageNote};
use nestos_host::term::WithHint;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::SectorSize;
use super::boot_loader::Bios;

/// The smallest run of zeroes that becomes a hole.
const BLOCK: usize = 64 * 1024;
/// Room for the backup table at the end of the disk.
const TAIL_MIB: u64 = 1;

/// What goes into the partitions.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// Boot code and core image for BIOS machines.
    pub(super) bios: Option<&'a Bios>,
    /// Sectors of the disk that the image is for.
    pub(super) sector: SectorSize,
    /// EFI system partition.
    pub(super) esp: &'a Path,
    /// Boot partition.
    pub(super) boot: &'a Path,
    /// Root partition.
    pub(super) root: &'a Path,
    /// What the image says about itself to installers.
    pub(super) note: &'a ImageNote,
}

/// Writes the image at `out`. The disk is as large as its content, or `disk_mib`; the root
/// partition is as large as its file system either way and grows on the first boot.
pub(super) fn write(
    out: &Path,
    arch: Arch,
    disk_mib: Option<u64>,
    contents: &Contents<'_>,
) -> Result<()> {
    let spans = spans(arch, contents)?;
    let sector = contents.sector.bytes();
    let end = spans.last().map_or(0, |(_, first, length)| (first + length) * sector / MIB);
    let mib = disk_mib.unwrap_or(end + TAIL_MIB);
    if mib < end + TAIL_MIB {
        return Err(anyhow!("the disk has {mib} MiB; its content needs {} MiB", end + TAIL_MIB))
            .hint(format!(
                "set \"size\" (GiB) in image.yaml to {} or more",
                (end + TAIL_MIB).div_ceil(1024)
            ));
    }
    if out.exists() {
        fs::remove_file(out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(out)
        .with_context(|| format!("cannot create {}", out.display()))?;
    file.set_len(mib * MIB).with_context(|| format!("cannot size {}", out.display()))?;
    write_table(&mut file, mib * MIB, contents.sector, &spans)?;
    for (partition, first, _) in &spans {
        let source = match partition.label {
            "EFI-SYSTEM" => contents.esp,
            "boot" => contents.boot,
            "root" => contents.root,
            _ => continue,
        };
        copy_sparse(source, &mut file, first * sector)
            .with_context(|| format!("cannot copy {} into {}", source.display(), out.display()))?;
    }
    if let Some(bios) = contents.bios {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bios.boot_code)?;
        file.seek(SeekFrom::Start(MIB))?;
        file.write_all(&bios.core)?;
    }
    file.seek(SeekFrom::Start(image_note::OFFSET as u64))?;
    file.write_all(&contents.note.to_bytes()?)?;
    file.sync_all().with_context(|| format!("cannot write {}", out.display()))
}

/// Same inputs, same bytes: a GUID follows from what it names.
pub(crate) fn guid_of(name: &str) -> Uuid {
    let digest = Sha256::digest(name);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

type Span = (nestos_formats::disk_layout::Partition, u64, u64);

/// Returns each partition with its first sector and its length in sectors.
fn spans(arch: Arch, contents: &Contents<'_>) -> Result<Vec<Span>> {
    let sector = contents.sector.bytes();
    let mut first = MIB / sector;
    let mut spans = Vec::new();
    for partition in partitions(arch) {
        let bytes = match partition.size {
            Size::Mib(mib) => mib * MIB,
            Size::Rest => {
                contents.root.metadata().context("the root file system is missing")?.len()
            }
        };
        spans.push((partition, first, bytes / sector));
        first += bytes / sector;
    }
    Ok(spans)
}

fn write_table(file: &mut File, size: u64, sector: SectorSize, spans: &[Span]) -> Result<()> {
    let sectors = u32::try_from(size / sector.bytes() - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(sectors)
        .overwrite_lba0(file)
        .map_err(|e| anyhow!("cannot write the protective MBR: {e}"))?;
    let mut disk = GptConfig::new()
        .writable(true)
        .logical_block_size(match sector {
            SectorSize::Bytes512 => LogicalBlockSize::Lb512,
            SectorSize::Bytes4096 => LogicalBlockSize::Lb4096,
        })
        .create_from_device(file, Some(IMAGE_DISK_GUID.parse()?))
        .map_err(|e| anyhow!("cannot create the partition table: {e}"))?;
    let mut table = BTreeMap::new();
    for (partition, first, length) in spans {
        table.insert(
            partition.number,
            Partition {
                part_type_guid: Type {
                    guid: partition.type_guid.parse()?,
                    os: OperatingSystem::None,
                },
                part_guid: guid_of(&format!("nestos partition {}", partition.label)),
                first_lba: *first,
                last_lba: first + length - 1,
                flags: 0,
                name: partition.label.to_owned(),
            },
        );
    }
    disk.update_partitions(table).map_err(|e| anyhow!("cannot fill the partition table: {e}"))?;
    disk.write().map_err(|e| anyhow!("cannot write the partition table: {e}"))?;
    Ok(())
}

/// Copies a file to an offset and leaves runs of zeroes as holes.
fn copy_sparse(source: &Path, target: &mut File, offset: u64) -> Result<()> {
    let mut source = File::open(source)?;
    let mut buffer = vec![0; 1 << 20];
    let zeroes = [0; BLOCK];
    target.seek(SeekFrom::Start(offset))?;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        for block in buffer[..n].chunks(BLOCK) {
            if *block == zeroes[..block.len()] {
                target.seek(SeekFrom::Current(i64::try_from(block.len())?))?;
            } else {
                target.write_all(block)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::cmd::Cmd;

    #[test]
    fn the_table_is_the_layout_and_sfdisk_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mib: u64| {
            let path = dir.path().join(name);
            File::create(&path).unwrap().set_len(mib * MIB).unwrap();
            path
        };
        let (esp, boot, root) = (file("esp", 127), file("boot", 384), file("root", 100));
        let note = ImageNote { title: "NestOS 1".to_owned(), ..ImageNote::default() };
        let contents = Contents {
            bios: None,
            sector: SectorSize::Bytes512,
            esp: &esp,
            boot: &boot,
            root: &root,
            note: &note,
        };
        let out = dir.path().join("disk");
        write(&out, Arch::X86_64, None, &contents).unwrap();
        let json = Cmd::new("sfdisk").arg("--json").arg(&out).output().unwrap();
        let table: serde_json::Value = serde_json::from_str(&json).unwrap();
        let table = &table["partitiontable"];
        assert_eq!(table["id"], "00000000-0000-4000-A000-000000000001");
        let rows: Vec<(u64, u64, &str)> = table["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                (
                    p["start"].as_u64().unwrap(),
                    p["size"].as_u64().unwrap(),
                    p["name"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                (2048, 2048, "BIOS-BOOT"),
                (4096, 127 * 2048, "EFI-SYSTEM"),
                (128 * 2048 + 2048 - 2048 + 2048, 384 * 2048, "boot"),
                ((1 + 1 + 127 + 384) * 2048, 100 * 2048, "root"),
            ]
        );
        let head = std::fs::read(&out).unwrap();
        assert_eq!(ImageNote::find(&head), Some(note));
        Cmd::new("sfdisk").args(["--verify"]).arg(&out).run().unwrap();
    }

    #[test]
    fn a_disk_too_small_for_its_content_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        File::create(&root).unwrap().set_len(100 * MIB).unwrap();
        let note = ImageNote { title: "NestOS 1".to_owned(), ..ImageNote::default() };
        let contents = Contents {
            bios: None,
            sector: SectorSize::Bytes512,
            esp: &root,
            boot: &root,
            root: &root,
            note: &note,
        };
        let err = write(&dir.path().join("disk"), Arch::X86_64, Some(600), &contents).unwrap_err();
        let text = format!("{err:#}");
        assert!(text.contains("has 600 MiB; its content needs 614 MiB"), "{text}");
    }
}
