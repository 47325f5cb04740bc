//! What it takes to cut a minimal ISO image, one without a root file system, out of the full one:
//! a table that says which of its files are where in the full one, and an xz stream of its other
//! bytes. The layout is that of coreos-installer, in `/nestos/miniso.dat` of the full image.

use std::io::Read;

use thiserror::Error;

use crate::bincode::{BincodeError, Reader, put_bytes, put_u64};

/// The most bytes that are written or read.
pub const LIMIT: usize = 1024 * 1024;

/// Bytes of a sector of an ISO image.
pub const SECTOR: u64 = 2048;

const MAGIC: &[u8; 8] = b"MINISO\0\0";
const VERSION: u32 = 1;

/// A minimal ISO image in terms of the full one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miniso {
    /// Version of the program that made it, for people.
    pub app_version: String,
    /// The files that both images hold.
    pub table: Table,
    /// SHA-256 of the minimal image.
    pub digest: [u8; 32],
    /// The xz stream.
    pub packed: Vec<u8>,
}

/// A file that both images hold; places are sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedFile {
    /// Where it is in the minimal image.
    pub minimal: u32,
    /// Where it is in the full image.
    pub full: u32,
    /// Its size in bytes.
    pub length: u32,
}

/// Files that two images share, by their place in the minimal one; they do not overlap there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(Vec<SharedFile>);

/// Where the next bytes of a minimal image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The next bytes of the xz stream.
    Packed(u64),
    /// Bytes of the full image.
    Full {
        /// First byte.
        at: u64,
        /// Number of bytes.
        length: u64,
    },
}

/// Why bytes do not describe a minimal image.
#[derive(Debug, Error)]
pub enum MinisoError {
    /// They begin with something else.
    #[error("it does not describe a minimal ISO image")]
    Magic,
    /// Made for another program.
    #[error("it has version {0} of the format for minimal ISO images; only {VERSION} is known")]
    Version(u32),
    /// They cannot be read.
    #[error("the description of the minimal ISO image is damaged: {0}")]
    Damaged(#[from] BincodeError),
    /// No file is in both.
    #[error("the images have no file in common")]
    Empty,
    /// Two files share bytes.
    #[error("two files of the minimal ISO image overlap, at sectors {0} and {1}")]
    Overlap(u32, u32),
    /// The description does not fit.
    #[error("the description of the minimal ISO image has {0} bytes; {LIMIT} is the most")]
    TooLong(usize),
}

impl SharedFile {
    fn start(self) -> u64 {
        u64::from(self.minimal) * SECTOR
    }

    fn end(self) -> u64 {
        self.start() + u64::from(self.length)
    }
}

impl Table {
    /// Sorts the files that two images share, and takes each place once.
    pub fn new(mut files: Vec<SharedFile>) -> Result<Self, MinisoError> {
        files.retain(|file| file.length > 0);
        files.sort_unstable();
        files.dedup();
        Self::check(files)
    }

    fn check(files: Vec<SharedFile>) -> Result<Self, MinisoError> {
        if files.is_empty() {
            return Err(MinisoError::Empty);
        }
        match files.windows(2).find(|pair| pair[0].end() > pair[1].start()) {
            Some(pair) => Err(MinisoError::Overlap(pair[0].minimal, pair[1].minimal)),
            None => Ok(Self(files)),
        }
    }

    /// Returns the files.
    pub fn files(&self) -> &[SharedFile] {
        &self.0
    }

    /// Returns where the bytes of the minimal image are; what follows the last segment is packed,
    /// too.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        let mut at = 0;
        let both = self.0.iter().flat_map(move |file| {
            let packed = Segment::Packed(file.start() - at);
            at = file.end();
            let (at, length) = (u64::from(file.full) * SECTOR, u64::from(file.length));
            [packed, Segment::Full { at, length }]
        });
        both.filter(|s| !matches!(s, Segment::Packed(0) | Segment::Full { length: 0, .. }))
    }
}

impl Miniso {
    /// Reads a description; zeros and anything else may follow it.
    pub fn parse(bytes: &[u8]) -> Result<Self, MinisoError> {
        let mut from = Reader(bytes.take(LIMIT as u64));
        if from.array().ok().as_ref() != Some(MAGIC) {
            return Err(MinisoError::Magic);
        }
        match from.u32()? {
            VERSION => {}
            other => return Err(MinisoError::Version(other)),
        }
        let app_version = from.text(LIMIT)?;
        let mut files = Vec::new();
        for _ in 0..from.length(LIMIT)? {
            let (minimal, full, length) = (from.u32()?, from.u32()?, from.u32()?);
            files.push(SharedFile { minimal, full, length });
        }
        let (digest, packed) = (from.array()?, from.bytes(LIMIT)?);
        Ok(Self { app_version, table: Table::check(files)?, digest, packed })
    }

    /// Returns the description as bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MinisoError> {
        let mut out = MAGIC.to_vec();
        put_u64(&mut out, VERSION.into());
        put_bytes(&mut out, self.app_version.as_bytes());
        put_u64(&mut out, self.table.0.len() as u64);
        for file in &self.table.0 {
            for number in [file.minimal, file.full, file.length] {
                put_u64(&mut out, number.into());
            }
        }
        out.extend_from_slice(&self.digest);
        put_bytes(&mut out, &self.packed);
        if out.len() > LIMIT { Err(MinisoError::TooLong(out.len())) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(minimal: u32, full: u32, length: u32) -> SharedFile {
        SharedFile { minimal, full, length }
    }

    fn miniso(files: &[SharedFile]) -> Result<Miniso, MinisoError> {
        let (table, packed) = (Table::new(files.to_vec())?, b"xz".to_vec());
        Ok(Miniso { app_version: "0.1".to_owned(), table, digest: [5; 32], packed })
    }

    #[test]
    fn the_bytes_are_those_of_the_format_and_read_back() {
        // Sorted; hard links and empty files are dropped.
        let files = [file(300, 70_000, 1), file(20, 30, 2048), file(300, 70_000, 1), file(9, 9, 0)];
        let miniso = miniso(&files).unwrap();
        let mut wanted = b"MINISO\0\0\x01\x030.1\x02".to_vec();
        wanted.extend(b"\x14\x1E\xFB\x00\x08\xFB\x2C\x01\xFC\x70\x11\x01\0\x01");
        wanted.extend([5; 32]);
        wanted.extend(b"\x02xz");
        assert_eq!(miniso.to_bytes().unwrap(), wanted);
        wanted.extend([0; 100]);
        assert_eq!(Miniso::parse(&wanted).unwrap(), miniso);
        for cut in 0..wanted.len() - 100 {
            assert!(Miniso::parse(&wanted[..cut]).is_err(), "{cut}");
        }
        assert!(Miniso::parse(&[0; 16384]).is_err(), "reserved and not packed");
    }

    #[test]
    fn segments_alternate() {
        let files = [file(1, 100, 2048), file(2, 7, 5), file(4, 200, 10)];
        let miniso = miniso(&files).unwrap();
        let wanted = [
            Segment::Packed(2048),
            Segment::Full { at: 204_800, length: 2048 },
            Segment::Full { at: 14336, length: 5 },
            Segment::Packed(4091),
            Segment::Full { at: 409_600, length: 10 },
        ];
        assert_eq!(miniso.table.segments().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn impossible_tables_are_refused() {
        assert!(matches!(miniso(&[]), Err(MinisoError::Empty)));
        assert!(matches!(miniso(&[file(1, 1, 0)]), Err(MinisoError::Empty)));
        let two = [file(10, 1, 2049), file(11, 9, 1)];
        assert!(matches!(miniso(&two), Err(MinisoError::Overlap(10, 11))));
        let long = Miniso { packed: vec![0; LIMIT], ..miniso(&two[..1]).unwrap() };
        assert!(matches!(long.to_bytes(), Err(MinisoError::TooLong(_))));
    }
}
