//! The image that is packed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::ROOT_LABEL;
use nestos_formats::image_note::ImageNote;
use nestos_host::gpt_disk::{HEAD_LEN, Partition, Table};
use nestos_host::loopdev::LoopDevice;
use nestos_host::mount::ReadOnly;

use crate::source::this_architecture;

/// A disk image with a system in it.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) table: Table,
    pub(super) root: Partition,
    pub(super) fstype: ReadOnly,
    pub(super) architecture: String,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self> {
        File::open(path)
            .map_err(anyhow::Error::from)
            .and_then(Self::read)
            .with_context(|| format!("cannot use the image {}", path.display()))
    }

    fn read(mut file: File) -> Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        (&file).take(HEAD_LEN as u64).read_to_end(&mut head)?;
        let table = Table::parse(&head)?;
        if table.disk_size() != size {
            bail!("it has {size} bytes, but its partition table says {}", table.disk_size());
        }
        let mut named = table.partitions().iter().filter(|p| p.name == ROOT_LABEL);
        let (Some(root), None) = (named.next().cloned(), named.next()) else {
            bail!("it does not have one partition called {ROOT_LABEL:?}");
        };
        let fstype = fstype(&file, &root)?;
        let note = ImageNote::find(&head);
        let architecture = note.map_or_else(|| this_architecture().to_owned(), |n| n.architecture);
        Ok(Self { file, size, table, root, fstype, architecture })
    }

    /// Makes a block device of the root partition.
    pub(super) fn attach_root(&self) -> Result<LoopDevice> {
        let sector = self.table.sector_size().bytes();
        LoopDevice::attach(&self.file, self.root.start, self.root.length, sector)
    }
}

/// Knows a file system by its superblock (fs/xfs/libxfs/xfs_format.h, fs/ext4/ext4.h of Linux).
fn fstype(file: &File, partition: &Partition) -> Result<ReadOnly> {
    let mut start = [0; 2048];
    file.read_exact_at(&mut start, partition.start)?;
    if start.starts_with(b"XFSB") {
        Ok(ReadOnly::Xfs)
    } else if start[1080..1082] == [0x53, 0xEF] {
        Ok(ReadOnly::Ext4)
    } else {
        Err(anyhow!("its root partition holds neither ext4 nor XFS"))
    }
}
