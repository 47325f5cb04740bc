//! Minimal ISO images: without the root file system, which comes over the network. A full image
//! holds a description of its minimal one (see [`nestos_formats::miniso`]), which is cut out of it
//! bit by bit.

mod command;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;
use liblzma::write::XzEncoder;
use nestos_formats::miniso::{LIMIT, Miniso, SECTOR, Segment, SharedFile, Table};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::initrd::XZ_MEMORY;

pub use command::pack;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;

/// A file of an ISO image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsoFile {
    /// Its path.
    pub path: String,
    /// Its first byte in the image.
    pub offset: u64,
    /// Its size.
    pub length: u64,
}

/// An ISO image and its files.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The image.
    pub image: &'a File,
    /// Its files.
    pub files: Vec<IsoFile>,
}

/// Describes `minimal` in terms of `full`, and makes sure that it can be cut out again.
pub fn describe(full: &Listing<'_>, minimal: &Listing<'_>) -> Result<Miniso> {
    let table = Table::new(shared(full, minimal)?)?;
    let (packed, digest) = compress(minimal.image, &table)?;
    let app_version = env!("CARGO_PKG_VERSION").to_owned();
    let miniso = Miniso { app_version, table, digest: digest.bytes(), packed };
    cut(&miniso, full.image, io::sink())
        .context("the minimal image cannot be cut out of the full one")?;
    Ok(miniso)
}

/// Writes the minimal image that is described.
pub fn cut(miniso: &Miniso, full: &File, to: impl Write) -> Result<()> {
    // What is shared is in the full image, and what is packed should be little.
    let left = { full }.seek(SeekFrom::End(0))? + LIMIT as u64;
    let mut to = Hashing { to, hash: Sha256::new(), left };
    let stream = Stream::new_stream_decoder(XZ_MEMORY, 0)?;
    let mut packed = XzDecoder::new_stream(&miniso.packed[..], stream);
    for segment in miniso.table.segments() {
        match segment {
            Segment::Packed(length) => copy(&mut packed, length, &mut to)
                .context("the description of the minimal image is damaged")?,
            Segment::Full { at, length } => {
                let from = At { file: full, at };
                copy(from, length, &mut to).context("the full image is cut off")?;
            }
        }
    }
    io::copy(&mut packed, &mut to).context("the description of the minimal image is damaged")?;
    to.flush()?;
    let digest = Digest::from(<[u8; 32]>::from(to.hash.finalize()));
    let expected = Digest::from(miniso.digest);
    if digest != expected {
        bail!("wrong final digest: expected {expected}, found {digest}");
    }
    Ok(())
}

/// Returns the files that both images hold with the same bytes. Those that name their own place,
/// as boot loaders may, differ, and are packed.
fn shared(full: &Listing<'_>, minimal: &Listing<'_>) -> Result<Vec<SharedFile>> {
    let by_path: HashMap<&str, &IsoFile> =
        full.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut shared = Vec::new();
    for file in &minimal.files {
        let Some(same) = by_path.get(file.path.as_str()).filter(|f| f.length == file.length) else {
            continue;
        };
        let ours = At { file: full.image, at: same.offset }.take(same.length);
        let theirs = At { file: minimal.image, at: file.offset }.take(file.length);
        if equal(ours, theirs).with_context(|| format!("cannot compare {}", file.path))? {
            shared.push(SharedFile {
                minimal: sector(file)?,
                full: sector(same)?,
                length: u32::try_from(file.length)
                    .with_context(|| format!("{} is too large", file.path))?,
            });
        }
    }
    Ok(shared)
}

fn sector(file: &IsoFile) -> Result<u32> {
    if !file.offset.is_multiple_of(SECTOR) {
        bail!("{} does not begin at a sector", file.path);
    }
    u32::try_from(file.offset / SECTOR).with_context(|| format!("{} is too far away", file.path))
}

fn compress(minimal: &File, table: &Table) -> Result<(Vec<u8>, Digest)> {
    let mut file = minimal;
    file.seek(SeekFrom::Start(0))?;
    let mut from = Hashing { to: io::sink(), hash: Sha256::new(), left: u64::MAX };
    let mut packed = XzEncoder::new(Vec::new(), 9);
    for segment in table.segments() {
        match segment {
            Segment::Packed(length) => copy(&mut file, length, &mut Both(&mut from, &mut packed)),
            Segment::Full { length, .. } => copy(&mut file, length, &mut from),
        }
        .context("the minimal image is cut off")?;
        // What is much too large shall not fill the memory.
        if packed.get_ref().len() > LIMIT {
            bail!("the minimal image has too little in common with the full one");
        }
    }
    io::copy(&mut file, &mut Both(&mut from, &mut packed))
        .context("cannot read the minimal image")?;
    Ok((packed.finish()?, Digest::from(<[u8; 32]>::from(from.hash.finalize()))))
}

fn copy(from: impl Read, length: u64, to: &mut impl Write) -> io::Result<()> {
    match io::copy(&mut from.take(length), to)? {
        copied if copied == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn equal(mut one: impl Read, mut other: impl Read) -> io::Result<bool> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    loop {
        ours.clear();
        theirs.clear();
        one.by_ref().take(BLOCK as u64).read_to_end(&mut ours)?;
        other.by_ref().take(BLOCK as u64).read_to_end(&mut theirs)?;
        if ours != theirs {
            return Ok(false);
        }
        if ours.is_empty() {
            return Ok(true);
        }
    }
}

/// Reads a file from a place on, wherever others read it.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(to, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Hashes what is written.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    /// How many more bytes are taken.
    left: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        let more = "it describes far more bytes than the full image has";
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other(more))?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes to two places.
struct Both<A, B>(A, B);

impl<A: Write, B: Write> Write for Both<A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

#[cfg(test)]
mod tests;
