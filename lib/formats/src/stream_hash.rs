//! Digests of a stream, chunk by chunk, so that whoever reads it never sees a byte that was not
//! verified and never holds more than one chunk. A live system checks its root file system with
//! them while it is fetched. The text has a line `stream-hash sha256 CHUNK-BYTES` and then one
//! hexadecimal digest per chunk; only the last chunk may be short.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ostree::Checksum;

/// The size of chunks in what is written here.
pub const CHUNK: usize = 2 * 1024 * 1024;
/// The largest chunks that are read, because a reader holds one of them.
pub const MAX_CHUNK: usize = 64 * 1024 * 1024;

const INTRODUCTION: &str = "stream-hash sha256 ";

/// The digests of all chunks of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHash {
    chunk: usize,
    digests: Vec<Checksum>,
}

/// A text that is no list of digests.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the stream hash is wrong: {why}")]
pub struct Malformed {
    line: usize,
    why: String,
}

/// Why a stream is refused; readers return it inside an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// A chunk has another digest.
    #[error("the {length} bytes from byte {at} on are not those that the stream hash names")]
    Damaged {
        /// First byte of the chunk.
        at: u64,
        /// Its size.
        length: usize,
    },
    /// It ends too early.
    #[error("the stream ends after {length} bytes, where the stream hash names more")]
    Short {
        /// How long it is.
        length: u64,
    },
    /// Bytes follow the last chunk.
    #[error("the stream goes on after the {expected} bytes that the stream hash names")]
    Long {
        /// How long it should be.
        expected: u64,
    },
}

impl StreamHash {
    /// Reads a stream to its end and returns its digests.
    pub fn of(mut stream: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        io::copy(&mut stream, &mut hasher)?;
        Ok(hasher.finish())
    }

    /// Returns a reader that hands on the bytes of `stream` once they are verified.
    pub fn verify<R: Read>(&self, stream: R) -> Verifier<'_, R> {
        let place = Place { chunk: 0, start: 0, verified: 0, taken: 0 };
        Verifier { hash: self, stream, buffer: Vec::new(), place, refused: None }
    }

    /// Returns the size of a chunk.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Returns the number of chunks.
    pub fn chunks(&self) -> usize {
        self.digests.len()
    }
}

impl FromStr for StreamHash {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |line: usize, why: String| Malformed { line: line + 1, why };
        let mut lines = text.lines().map(str::trim_end).enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let Some(chunk) = first.strip_prefix(INTRODUCTION) else {
            return Err(wrong(0, format!("it does not begin with {INTRODUCTION:?}")));
        };
        let chunk = match chunk.parse::<usize>() {
            Ok(chunk @ 1..=MAX_CHUNK) => chunk,
            _ => return Err(wrong(0, format!("chunks of {chunk:?} bytes, not 1 to {MAX_CHUNK}"))),
        };
        let digest = |(at, line): (usize, &str)| {
            line.parse::<Checksum>().map_err(|e| wrong(at, e.to_string()))
        };
        Ok(Self { chunk, digests: lines.map(digest).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for StreamHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{INTRODUCTION}{}", self.chunk)?;
        self.digests.iter().try_for_each(|digest| writeln!(f, "{digest}"))
    }
}

/// Takes the digests of what is written to it, in chunks of [`CHUNK`] bytes.
#[derive(Debug, Clone)]
pub struct Hasher {
    digests: Vec<Checksum>,
    current: Sha256,
    // How much of the current chunk was seen.
    seen: usize,
}

impl Hasher {
    /// Waits for the first byte.
    pub fn new() -> Self {
        Self { digests: Vec::new(), current: Sha256::new(), seen: 0 }
    }

    /// Takes the next bytes of the stream.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.seen));
            self.current.update(now);
            self.seen += now.len();
            bytes = later;
            if self.seen == CHUNK {
                self.end_chunk();
            }
        }
    }

    /// Returns the digests of the stream, which is at its end.
    pub fn finish(mut self) -> StreamHash {
        if self.seen > 0 {
            self.end_chunk();
        }
        StreamHash { chunk: CHUNK, digests: self.digests }
    }

    fn end_chunk(&mut self) {
        self.digests.push(Checksum(self.current.finalize_reset().into()));
        self.seen = 0;
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader of verified bytes. When the stream fails it can be read again, and goes on where it
/// was; a stream that was refused stays refused.
#[derive(Debug)]
pub struct Verifier<'a, R> {
    hash: &'a StreamHash,
    stream: R,
    // The current chunk, or as much of it as has come.
    buffer: Vec<u8>,
    place: Place,
    refused: Option<Refused>,
}

#[derive(Debug)]
struct Place {
    // The number of the current chunk.
    chunk: usize,
    // Where it starts in the stream.
    start: u64,
    // How much of it was verified: nothing or all.
    verified: usize,
    // How much of it was handed on.
    taken: usize,
}

impl<R: Read> Read for Verifier<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        if self.place.taken == self.place.verified {
            self.next_chunk()?;
        }
        let left = &self.buffer[self.place.taken..self.place.verified];
        let length = left.len().min(to.len());
        to[..length].copy_from_slice(&left[..length]);
        self.place.taken += length;
        Ok(length)
    }
}

impl<R: Read> Verifier<'_, R> {
    /// Returns the number of verified bytes so far, handed on or not.
    pub fn verified(&self) -> u64 {
        self.place.start + self.place.verified as u64
    }

    /// Takes and verifies the next chunk; at the end of a good stream there is none.
    fn next_chunk(&mut self) -> io::Result<()> {
        if let Some(refused) = self.refused {
            return Err(refused.into());
        }
        if self.place.verified > 0 {
            let start = self.verified();
            self.buffer.clear();
            self.place = Place { chunk: self.place.chunk + 1, start, verified: 0, taken: 0 };
        }
        self.fill()?;
        self.check(self.place.start).inspect_err(|refused| self.refused = Some(*refused))?;
        self.place.verified = self.buffer.len();
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        let size = match self.place.chunk < self.hash.digests.len() {
            true => self.hash.chunk,
            // One byte tells whether the stream goes on.
            false => 1,
        };
        let missing = size - self.buffer.len();
        self.buffer.reserve_exact(missing);
        self.stream.by_ref().take(missing as u64).read_to_end(&mut self.buffer).map(drop)
    }

    fn check(&self, start: u64) -> Result<(), Refused> {
        let length = self.buffer.len();
        match self.hash.digests.get(self.place.chunk) {
            None if length == 0 => Ok(()),
            None => Err(Refused::Long { expected: start }),
            Some(digest) if *digest == Checksum::of(&self.buffer) && length > 0 => Ok(()),
            Some(_) if length < self.hash.chunk && self.is_cut() => {
                Err(Refused::Short { length: start + length as u64 })
            }
            Some(_) => Err(Refused::Damaged { at: start, length }),
        }
    }

    /// Returns whether a chunk that is too short cannot be the last one.
    fn is_cut(&self) -> bool {
        self.buffer.is_empty() || self.place.chunk + 1 < self.hash.digests.len()
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::Short { .. } => ErrorKind::UnexpectedEof,
            Refused::Damaged { .. } | Refused::Long { .. } => ErrorKind::InvalidData,
        };
        Self::new(kind, refused)
    }
}

/// Returns why a stream was refused, if that is what an error of a reader says.
pub fn refusal(error: &io::Error) -> Option<Refused> {
    error.get_ref()?.downcast_ref().copied()
}

#[cfg(test)]
mod tests;
