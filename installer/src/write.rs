//! Writes an image so that the disk boots nothing before all of it is verified.
//!
//! [`Unsealed`] is a disk whose tables are gone and whose body is being written; the image's
//! first MiB stays in memory and its backup table is dropped. Sealing takes a [`Verified`] and
//! writes, with a sync between each: the backup table at the end of this disk, the primary table,
//! and last of all the boot sector, without which neither BIOS, UEFI nor Linux sees a table.

use anyhow::{Context, Result};
use nestos_host::blockdev::{ClaimedDisk, Reread};
use nestos_host::gpt_disk::{HEAD, Placed, Table};
use nestos_host::term;

use crate::trust::Verified;

/// The sector that firmware and kernels look at first; on disks with larger ones, the part of it
/// that counts.
const BOOT_SECTOR: u64 = 512;

/// What a disk does for the one who writes it; a claimed disk, or the record of a test.
pub trait Medium {
    /// Returns the size in bytes.
    fn size(&self) -> u64;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes `length` bytes at `offset` read as zeros.
    fn zero(&self, offset: u64, length: u64) -> Result<()>;
    /// Waits until everything written is on the medium.
    fn sync(&self) -> Result<()>;
}

impl Medium for ClaimedDisk {
    fn size(&self) -> u64 {
        self.size()
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_at(bytes, offset)
    }

    fn zero(&self, offset: u64, length: u64) -> Result<()> {
        self.zero(offset, length)
    }

    fn sync(&self) -> Result<()> {
        self.sync()
    }
}

/// A disk without tables, on which a body is being written.
#[derive(Debug)]
pub struct Unsealed<'a, M> {
    pub(crate) disk: &'a M,
    pub(crate) table: &'a Table,
}

impl<'a, M: Medium> Unsealed<'a, M> {
    /// Erases the tables of the disk: the point of no return.
    pub fn begin(disk: &'a M, table: &'a Table) -> Result<Self> {
        erase_ends(disk)?;
        Ok(Self { disk, table })
    }

    /// Makes the disk bootable: `placed` is the image's table for this disk.
    pub fn seal(self, placed: &Placed, _verified: &Verified) -> Result<()> {
        let sector = self.table.sector_size().bytes() as usize;
        self.disk.sync()?;
        self.disk.write_at(&placed.backup, placed.backup_at)?;
        self.disk.sync()?;
        self.disk.write_at(&placed.head[sector..], sector as u64)?;
        self.disk.sync()?;
        self.disk.write_at(&placed.head[..sector], 0)?;
        self.disk.sync()
    }
}

/// Makes a disk boot nothing: zeros where tables and signatures are, at both ends. Used before
/// anything else is written, and after anything went wrong. The boot sector goes first, as it
/// comes last in [`Unsealed::seal`]: a power cut must not leave it with half a table.
pub fn erase_ends(disk: &impl Medium) -> Result<()> {
    let length = HEAD.min(disk.size());
    disk.zero(0, BOOT_SECTOR.min(length))?;
    disk.sync().context("cannot erase the boot sector of the disk")?;
    disk.zero(0, length)?;
    disk.zero(disk.size() - length, length)?;
    disk.sync().context("cannot erase the tables of the disk")
}

/// Lets the kernel see the partitions as they are now; the installation does not depend on it.
pub fn announce_partitions(disk: &ClaimedDisk) {
    match disk.reread_partitions() {
        Ok(Reread::Done | Reread::NotNeeded) => {}
        Err(e) => term::warning(format!(
            "the kernel did not read the partition table of {} again ({e:#}); it will at the \
             next boot",
            disk.path().display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Cursor;

    use gpt::mbr::ProtectiveMBR;

    use super::*;
    use crate::checked::CheckedReader;
    use crate::progress::Progress;
    use crate::stream::{ImageStream, Piece};
    use crate::trust::Trust;

    const IMAGE: usize = 4 << 20;
    const DISK: usize = 6 << 20;

    #[derive(Clone)]
    enum Op {
        Write(Vec<u8>, usize),
        Zero(usize, usize),
        Sync,
    }

    /// Remembers what it is asked to do.
    #[derive(Default)]
    struct Record(RefCell<Vec<Op>>);

    impl Medium for Record {
        fn size(&self) -> u64 {
            DISK as u64
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
            self.0.borrow_mut().push(Op::Write(bytes.to_vec(), offset.try_into()?));
            Ok(())
        }

        fn zero(&self, offset: u64, length: u64) -> Result<()> {
            self.0.borrow_mut().push(Op::Zero(offset.try_into()?, length.try_into()?));
            Ok(())
        }

        fn sync(&self) -> Result<()> {
            self.0.borrow_mut().push(Op::Sync);
            Ok(())
        }
    }

    fn apply<'a>(disk: &mut [u8], ops: impl IntoIterator<Item = &'a Op>) {
        for op in ops {
            match op {
                Op::Write(bytes, at) => disk[*at..*at + bytes.len()].copy_from_slice(bytes),
                Op::Zero(at, length) => disk[*at..*at + *length].fill(0),
                Op::Sync => {}
            }
        }
    }

    fn image() -> Vec<u8> {
        let mut device = Cursor::new(vec![0; IMAGE]);
        let sectors = u32::try_from(IMAGE / 512 - 1).unwrap();
        ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut device).unwrap();
        let config = gpt::GptConfig::new().writable(true);
        let mut table = config.create_from_device(device, None).unwrap();
        let kind = gpt::partition_types::LINUX_FS;
        table.add_partition_at("root", 1, 2048, 4096, kind, 0).unwrap();
        let mut bytes = table.write().unwrap().into_inner();
        bytes[1 << 20..2 << 20].fill(7);
        bytes
    }

    /// Returns everything that was asked of a disk during one installation.
    fn recorded(image: &[u8]) -> Vec<Op> {
        let disk = Record::default();
        let reader = CheckedReader::new(Box::new(Cursor::new(image.to_vec())), Trust::Insecure);
        let stream = ImageStream::start(reader.unwrap()).unwrap();
        let Piece::Bytes(head) = stream.next(|| Ok(())).unwrap() else { panic!("no head") };
        let table = Table::parse(&head).unwrap();
        let placed = table.place(&head, DISK as u64).unwrap();
        let unsealed = Unsealed::begin(&disk, &table).unwrap();
        let verified = unsealed.write_body(&stream, &mut Progress::default(), || Ok(())).unwrap();
        unsealed.seal(&placed, &verified).unwrap();
        disk.0.into_inner()
    }

    /// A disk boots if its boot sector and a table are there; this one carried a system before.
    #[test]
    fn a_power_cut_at_any_write_leaves_nothing_or_everything() {
        let image = image();
        let ops = recorded(&image);
        let old = [&image[..], &vec![0xEE; DISK - IMAGE]].concat();
        let mut complete = old.clone();
        apply(&mut complete, &ops);
        // Before the erasure is on the medium, the old system is still whole.
        let erased = ops.iter().position(|op| matches!(op, Op::Sync)).unwrap();
        let mut durable = old;
        let mut pending: Vec<&Op> = Vec::new();
        let mut cuts = 0;
        for (at, op) in ops.iter().enumerate() {
            pending.push(op);
            if at > erased {
                // What was not synced may be there in full, not at all, or the last part alone.
                for survives in [&pending[..], &[], &pending[pending.len() - 1..]] {
                    let mut disk = durable.clone();
                    apply(&mut disk, survives.iter().copied());
                    assert!(disk[510..512] != [0x55, 0xAA] || disk == complete, "operation {at}");
                    cuts += 1;
                }
            }
            if matches!(op, Op::Sync) {
                apply(&mut durable, pending.drain(..));
            }
        }
        assert!(cuts > 20 && durable == complete && complete[510..512] == [0x55, 0xAA]);
    }
}
