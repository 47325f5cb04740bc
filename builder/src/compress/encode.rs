//! The encoders, and how their work is cut into parts that are independent of each other.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use clap::ValueEnum;
use flate2::{Compression, GzBuilder};
use liblzma::stream::{Check, MtStreamBuilder};

/// Content of a zstd frame: small enough for a decoder to keep several in memory, large enough
/// to find most repetitions.
const FRAME: usize = 4 * 1024 * 1024;

/// Frames that are compressed together, for each thread.
const FRAMES_AHEAD: usize = 4;

/// Content of an xz block, which is also what preset 6 looks back at.
const BLOCK: u64 = 8 * 1024 * 1024;

const BUFFER: usize = 1024 * 1024;

/// Format of a compressed file, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// zstd: fastest to install
    Zst,
    /// xz: smallest
    Xz,
    /// gzip: read by everything
    Gz,
}

impl Format {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Zst, Self::Xz, Self::Gz];

    fn default_level(self) -> u32 {
        match self {
            Self::Zst => 12,
            Self::Xz | Self::Gz => 6,
        }
    }

    fn highest_level(self) -> u32 {
        match self {
            Self::Zst => 22,
            Self::Xz | Self::Gz => 9,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zst => "zst",
            Self::Xz => "xz",
            Self::Gz => "gz",
        })
    }
}

/// How to compress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    format: Format,
    level: u32,
    threads: u32,
}

impl Settings {
    /// Checks the level; without a number of threads, there is one for each processor.
    pub(crate) fn new(
        format: Format,
        level: Option<u32>,
        threads: Option<NonZeroU32>,
    ) -> Result<Self> {
        let level = level.unwrap_or(format.default_level());
        if !(1..=format.highest_level()).contains(&level) {
            bail!("{format} has levels from 1 to {}, not {level}", format.highest_level());
        }
        let processors = thread::available_parallelism().ok().and_then(|n| n.try_into().ok());
        let threads = threads.or(processors).map_or(1, NonZeroU32::get);
        Ok(Self { format, level, threads })
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn encode(&self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Zst => self.zstd(from, to),
            Format::Xz => self.xz(from, to),
            Format::Gz => {
                // No name and no time: the same input gives the same output.
                let level = Compression::new(self.level);
                let mut encoder = GzBuilder::new().mtime(0).write(to, level);
                copy(from, &mut encoder)?;
                encoder.finish().map(drop)
            }
        }
    }

    /// The encoder for several threads writes sizes into the headers of blocks, and the same
    /// bytes for any number of threads (lzma/container.h).
    fn xz(&self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        let mut builder = MtStreamBuilder::new();
        builder.threads(self.threads).preset(self.level).block_size(BLOCK).check(Check::Crc64);
        let mut encoder = liblzma::write::XzEncoder::new_stream(to, builder.encoder()?);
        copy(from, &mut encoder)?;
        encoder.finish().map(drop)
    }

    fn zstd(&self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        let threads = usize::try_from(self.threads).map_err(io::Error::other)?;
        let mut parts: Vec<Vec<u8>> = Vec::new();
        loop {
            parts.resize_with(threads * FRAMES_AHEAD, Vec::new);
            let mut used = 0;
            for part in &mut parts {
                part.clear();
                from.take(FRAME as u64).read_to_end(part)?;
                if part.is_empty() {
                    break;
                }
                used += 1;
            }
            for frame in self.frames(&parts[..used], threads)? {
                to.write_all(&frame)?;
            }
            if used < parts.len() {
                return Ok(());
            }
        }
    }

    fn frames(&self, parts: &[Vec<u8>], threads: usize) -> io::Result<Vec<Vec<u8>>> {
        let next = AtomicUsize::new(0);
        let frames: Vec<_> = parts.iter().map(|_part| Mutex::new(Ok(Vec::new()))).collect();
        thread::scope(|scope| {
            for _ in 0..threads.min(parts.len()) {
                scope.spawn(|| {
                    while let Some((part, frame)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        parts.get(at).zip(frames.get(at))
                    } {
                        *frame.lock().unwrap_or_else(PoisonError::into_inner) = self.frame(part);
                    }
                });
            }
        });
        let inner = |frame: Mutex<_>| frame.into_inner().unwrap_or_else(PoisonError::into_inner);
        frames.into_iter().map(inner).collect()
    }

    fn frame(&self, part: &[u8]) -> io::Result<Vec<u8>> {
        let level = i32::try_from(self.level).map_err(io::Error::other)?;
        let mut compressor = zstd::bulk::Compressor::new(level)?;
        compressor.include_checksum(true)?;
        compressor.include_contentsize(true)?;
        compressor.compress(part)
    }
}

/// Returns what reads a compressed file.
pub(crate) fn decoder<'a>(
    format: Format,
    file: impl BufRead + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Zst => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        Format::Xz => Box::new(liblzma::bufread::XzDecoder::new_parallel(file)),
        Format::Gz => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
    })
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..n])?;
    }
}
