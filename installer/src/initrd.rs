//! What the kernel unpacks at its start: archives in a row, each as it is or compressed, with zeros
//! between them (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst). They
//! are read as a stream; of untrusted ones no more is kept than was asked for.

mod live;
mod lookahead;
mod members;

use std::fmt;
use std::io::Read;

use anyhow::{Context, Result, bail};
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use nestos_formats::cpio::{self, Member};

pub use live::{LiveInitrd, NotLive};
use lookahead::Lookahead;
pub use members::{Members, TooLarge};

/// Memory for decoding xz: `xz -9` wants 65 MiB.
pub(crate) const XZ_MEMORY: u64 = 192 * 1024 * 1024;

/// What is done with each regular file: its header, and its content, of which some may be left.
pub type Visit<'a> = &'a mut dyn FnMut(&Member, &mut dyn Read) -> Result<()>;

/// What begins at a place of an initramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Archive,
    Gzip,
    Xz,
    Zstd,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => "archive",
            Self::Gzip => "gzip archive",
            Self::Xz => "xz archive",
            Self::Zstd => "zstd archive",
        })
    }
}

/// Shows all regular files of an initramfs in order; a later one takes the place of an earlier
/// one of the same path.
pub fn walk<R: Read>(from: R, visit: Visit<'_>) -> Result<()> {
    let mut input = Lookahead::new(from);
    loop {
        input.skip_zeros().context("cannot read the initramfs")?;
        let at = input.position();
        let start = input.peek(6).context("cannot read the initramfs")?;
        if start.is_empty() {
            return Ok(());
        }
        let piece = recognise(start)
            .with_context(|| format!("cannot read the initramfs from byte {at} on"))?;
        let walked = match piece {
            Piece::Archive => walk_archive(&mut input, visit),
            Piece::Gzip => walk_packed(GzDecoder::new(&mut input), visit),
            Piece::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, 0)?;
                walk_packed(XzDecoder::new_stream(&mut input, stream), visit)
            }
            Piece::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&mut input)?;
                walk_packed(decoder.single_frame(), visit)
            }
        };
        walked.with_context(|| format!("cannot read the {piece} at byte {at} of the initramfs"))?;
    }
}

fn recognise(start: &[u8]) -> Result<Piece> {
    Ok(match start {
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2'] => Piece::Archive,
        [0x1F, 0x8B, 8, ..] => Piece::Gzip,
        [0xFD, b'7', b'z', b'X', b'Z', 0] => Piece::Xz,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Piece::Zstd,
        [0x02, 0x21, 0x4C, 0x18, ..] | [0x04, 0x22, 0x4D, 0x18, ..] => {
            bail!("it is compressed with lz4; gzip, xz and zstd are known")
        }
        [b'B', b'Z', b'h', ..] => bail!("it is compressed with bzip2; gzip, xz and zstd are known"),
        [0x89, b'L', b'Z', b'O', ..] => {
            bail!("it is compressed with lzo; gzip, xz and zstd are known")
        }
        _ => bail!("there is neither a cpio archive nor gzip, xz or zstd"),
    })
}

/// Reads the archives within one compressed piece, and that piece to its end.
fn walk_packed<R: Read>(decoder: R, visit: Visit<'_>) -> Result<()> {
    let mut input = Lookahead::new(decoder);
    loop {
        input.skip_zeros()?;
        match input.peek(6)? {
            [] => return Ok(()),
            start if start.starts_with(b"0707") => walk_archive(&mut input, visit)?,
            _ => bail!("garbage follows the archive"),
        }
    }
}

fn walk_archive<R: Read>(input: &mut Lookahead<R>, visit: Visit<'_>) -> Result<()> {
    let mut reader = cpio::Reader::new(input);
    while let Some(member) = reader.next_member()? {
        if member.is_file() {
            visit(&member, &mut reader)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
