//! Disk images without the files that their system holds anyway: a table that says which bytes of
//! the image are in which object of an ostree repository, and an xz stream of all other bytes.
//! Together they give the image back, bit by bit. The layout is that of coreos-installer: bincode
//! (a head, the table, the image's digest and size), then the xz stream to the end of the file.
//!
//! Tables are canonical: partitions and mappings are sorted and do not overlap.

use std::io::Read;

use thiserror::Error;

use crate::bincode::{BincodeError, Reader, put_bytes, put_u64};
use crate::ostree::Checksum;

const MAGIC: &[u8; 8] = b"OSMET\0\0\0";
const VERSION: u32 = 1;

/// Longest text that is read.
const TEXT_LIMIT: usize = 4096;
/// Most partitions that are read.
const PARTITION_LIMIT: usize = 1024;
/// Most mappings that are read, in all partitions: sixteen times what a large system has.
const MAPPING_LIMIT: usize = 4 * 1024 * 1024;

/// What an osmet is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Version of the program that made it, for people.
    pub app_version: String,
    /// Sector size of the disks that the image is for.
    pub sector_size: u32,
    /// Name and version of the system, for people.
    pub description: String,
    /// CPU architecture.
    pub architecture: String,
}

/// A disk image of which some bytes are in objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Osmet {
    head: Head,
    image: Image,
}

/// An image's digest and size, and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Partitions with bytes that are in objects.
    pub partitions: Vec<Partition>,
    /// SHA-256 of the whole image.
    pub digest: [u8; 32],
    /// Size of the whole image in bytes.
    pub size: u64,
}

/// A partition of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// First byte in the image.
    pub start: u64,
    /// First byte behind it.
    pub end: u64,
    /// Which of its bytes are in which objects.
    pub mappings: Vec<Mapping>,
}

/// Bytes of a partition that are in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapping {
    /// First byte in the partition.
    pub physical: u64,
    /// First byte in the object.
    pub logical: u64,
    /// Number of bytes.
    pub length: u64,
    /// The object, a file.
    pub object: Checksum,
}

/// Where the next bytes of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The next bytes of the xz stream.
    Packed(u64),
    /// Bytes of an object.
    Object(Mapping),
}

impl Segment {
    /// Returns the number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Packed(length) => *length,
            Self::Object(mapping) => mapping.length,
        }
    }
}

/// Why bytes are no osmet.
#[derive(Debug, Error)]
pub enum OsmetError {
    /// They begin with something else.
    #[error("it is no osmet file")]
    Magic,
    /// Made for another program.
    #[error("it has version {0} of the osmet format; only version {VERSION} is known")]
    Version(u32),
    /// They cannot be read.
    #[error("the osmet file is damaged: {0}")]
    Damaged(#[from] BincodeError),
    /// The table contradicts itself.
    #[error("the osmet file is damaged: {0}")]
    Table(&'static str),
}

impl Head {
    /// Reads what an osmet is for.
    pub fn read(from: impl Read) -> Result<Self, OsmetError> {
        read_head(&mut Reader(from))
    }
}

impl Osmet {
    /// Puts an osmet together; the table has to be canonical.
    pub fn new(head: Head, image: Image) -> Result<Self, OsmetError> {
        image.check()?;
        Ok(Self { head, image })
    }

    /// Reads everything before the xz stream, and not a byte more.
    pub fn read(from: impl Read) -> Result<Self, OsmetError> {
        let mut from = Reader(from);
        let head = read_head(&mut from)?;
        let mut left = MAPPING_LIMIT;
        let mut partitions = Vec::new();
        for _ in 0..from.length(PARTITION_LIMIT)? {
            partitions.push(read_partition(&mut from, &mut left)?);
        }
        let (digest, size) = (from.array()?, from.u64()?);
        Self::new(head, Image { partitions, digest, size })
    }

    /// Returns everything before the xz stream.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_u64(&mut out, VERSION.into());
        put_bytes(&mut out, self.head.app_version.as_bytes());
        put_u64(&mut out, self.head.sector_size.into());
        put_bytes(&mut out, self.head.description.as_bytes());
        put_bytes(&mut out, self.head.architecture.as_bytes());
        put_u64(&mut out, self.image.partitions.len() as u64);
        for partition in &self.image.partitions {
            put_u64(&mut out, partition.start);
            put_u64(&mut out, partition.end);
            put_u64(&mut out, partition.mappings.len() as u64);
            for mapping in &partition.mappings {
                put_u64(&mut out, mapping.logical);
                put_u64(&mut out, mapping.physical);
                put_u64(&mut out, mapping.length);
                out.extend_from_slice(&mapping.object.0);
            }
        }
        out.extend_from_slice(&self.image.digest);
        put_u64(&mut out, self.image.size);
        out
    }

    /// Returns what it is for.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the image's digest, size and table.
    pub fn image(&self) -> &Image {
        &self.image
    }
}

impl Image {
    /// Returns where the bytes of the image are, from its first to its last.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        let mapped = self.partitions.iter().flat_map(|partition| {
            partition.mappings.iter().map(|mapping| (partition.start + mapping.physical, *mapping))
        });
        let mut at = 0;
        let inner = mapped.flat_map(move |(start, mapping)| {
            let packed = Segment::Packed(start - at);
            at = start + mapping.length;
            [packed, Segment::Object(mapping)]
        });
        let rest = Segment::Packed(self.size - self.mapped_end());
        inner.chain([rest]).filter(|segment| segment.length() > 0)
    }

    /// Returns the number of bytes that are in objects.
    pub fn mapped(&self) -> u64 {
        self.partitions.iter().flat_map(|p| &p.mappings).map(|m| m.length).sum()
    }

    fn mapped_end(&self) -> u64 {
        let last = self.partitions.iter().rev().find_map(|p| Some((p, p.mappings.last()?)));
        last.map_or(0, |(p, m)| p.start + m.physical + m.length)
    }

    fn check(&self) -> Result<(), OsmetError> {
        if self.partitions.is_empty() {
            return Err(OsmetError::Table("it has no partition"));
        }
        let mut end = 0;
        for partition in &self.partitions {
            if partition.start < end || partition.end < partition.start {
                return Err(OsmetError::Table("its partitions are not in order"));
            }
            end = partition.end;
            check_mappings(&partition.mappings, partition.end - partition.start)?;
        }
        // File offsets are signed.
        if i64::try_from(self.size).is_err() {
            return Err(OsmetError::Table("its image is impossibly large"));
        }
        if end > self.size {
            return Err(OsmetError::Table("a partition ends behind the end of the image"));
        }
        Ok(())
    }
}

fn check_mappings(mappings: &[Mapping], limit: u64) -> Result<(), OsmetError> {
    let mut end = 0;
    for mapping in mappings {
        if mapping.physical < end {
            return Err(OsmetError::Table("its mappings are not in order"));
        }
        let after = |start: u64| start.checked_add(mapping.length);
        end = after(mapping.physical).filter(|end| *end <= limit).ok_or(OUTSIDE)?;
        after(mapping.logical).ok_or(OUTSIDE)?;
    }
    Ok(())
}

const OUTSIDE: OsmetError = OsmetError::Table("a mapping reaches behind the end of its partition");

fn read_head<R: Read>(from: &mut Reader<R>) -> Result<Head, OsmetError> {
    if from.array().ok().as_ref() != Some(MAGIC) {
        return Err(OsmetError::Magic);
    }
    match from.u32()? {
        VERSION => {}
        other => return Err(OsmetError::Version(other)),
    }
    Ok(Head {
        app_version: from.text(TEXT_LIMIT)?,
        sector_size: from.u32()?,
        description: from.text(TEXT_LIMIT)?,
        architecture: from.text(TEXT_LIMIT)?,
    })
}

fn read_partition<R: Read>(
    from: &mut Reader<R>,
    left: &mut usize,
) -> Result<Partition, BincodeError> {
    let (start, end) = (from.u64()?, from.u64()?);
    let count = from.length(*left)?;
    *left -= count;
    let mut mappings = Vec::new();
    for _ in 0..count {
        let (logical, physical, length) = (from.u64()?, from.u64()?, from.u64()?);
        let object = Checksum(from.array()?);
        mappings.push(Mapping { physical, logical, length, object });
    }
    Ok(Partition { start, end, mappings })
}

#[cfg(test)]
mod tests;
