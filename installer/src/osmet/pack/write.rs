//! Writes an osmet file: the table, then everything that is in no object.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::thread;

use anyhow::{Context, Result};
use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;
use nestos_formats::osmet::{Osmet, Segment};
use sha2::{Digest as _, Sha256};

use super::Effort;
use super::source::Source;
use crate::digest::Digest;

/// What is read at once.
const BLOCK: usize = 1024 * 1024;

/// Bytes of an xz block: several are packed and unpacked at once, in a few MiB for each.
const XZ_BLOCK: u64 = 8 * 1024 * 1024;

/// Writes the file and returns the digest of the whole image.
pub(super) fn write(
    source: &Source,
    osmet: &Osmet,
    effort: Effort,
    output: &File,
) -> Result<Digest> {
    let mut output = BufWriter::new(output);
    output.write_all(&osmet.to_bytes())?;
    let mut xz = encoder(effort, output)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    for segment in osmet.image().segments() {
        let end = at + segment.length();
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
            let bytes = &mut buffer[..length];
            source.file.read_exact_at(bytes, at).context("cannot read the image")?;
            hash.update(&bytes);
            if let Segment::Packed(_) = segment {
                xz.write_all(bytes).context("cannot compress")?;
            }
            at += length as u64;
        }
    }
    xz.finish().context("cannot compress")?.flush()?;
    Ok(Digest::from(<[u8; 32]>::from(hash.finalize())))
}

fn encoder<W: Write>(effort: Effort, output: W) -> Result<XzEncoder<W>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let preset = match effort {
        Effort::Small => 6,
        Effort::Fast => 0,
    };
    let mut builder = MtStreamBuilder::new();
    builder
        .threads(u32::try_from(threads).unwrap_or(1))
        .preset(preset)
        .block_size(XZ_BLOCK)
        .check(Check::Crc64);
    Ok(XzEncoder::new_stream(output, builder.encoder()?))
}
