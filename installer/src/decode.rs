//! Compressed images, known by their content and never by their name: gzip (RFC 1952), xz,
//! zstd (RFC 8878) or none. Several members, streams or frames in a row are one image; anything
//! after them is an error, and so is a missing end.
//!
//! A thread decodes while others read and write. zstd frames and xz blocks that say how much they
//! hold are decoded on all processors; gzip, and images made of one frame or block, on one.

mod gzip;
mod outlet;
mod raw;
mod workers;
mod xz;
mod zstd;
pub mod zstd_frames;

use std::fmt;
use std::sync::mpsc::Receiver;
use std::thread;

use anyhow::{Context, Result, anyhow};

pub(crate) use outlet::Slot;
use outlet::{Outlet, Stop};

use crate::stored::StoredReader;

/// How an image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is on the disk.
    Raw,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
}

impl Compression {
    /// Recognizes the first bytes of an image.
    pub fn sniff(start: &[u8]) -> Self {
        // A zstd file may begin with a skippable frame.
        let zstd = start.first_chunk().is_some_and(|magic| zstd_frames::kind(*magic).is_ok());
        if start.starts_with(b"\x1F\x8B\x08") {
            Self::Gzip
        } else if start.starts_with(b"\xFD7zXZ\0") {
            Self::Xz
        } else if zstd {
            Self::Zstd
        } else {
            Self::Raw
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// Starts to decode what is stored; the bytes of the disk come in order, in the slots.
pub(crate) fn start(stored: StoredReader, compression: Compression) -> Result<Receiver<Slot>> {
    let (outlet, slots) = Outlet::new();
    thread::Builder::new()
        .name("decode".to_owned())
        .spawn(move || run(stored, compression, &outlet))
        .context("cannot start the thread that decodes the image")?;
    Ok(slots)
}

fn run(mut stored: StoredReader, compression: Compression, outlet: &Outlet) {
    let decoded = match compression {
        Compression::Raw => raw::decode(&mut stored, outlet),
        Compression::Gzip => gzip::decode(&mut stored, outlet),
        Compression::Xz => xz::decode(&mut stored, outlet),
        Compression::Zstd => zstd::decode(&mut stored, outlet),
    };
    let end = match decoded {
        Ok(()) => stored.finish(),
        Err(Stop::NobodyListens) => return,
        Err(Stop::Failed(cause)) => Err(match stored.take_failure() {
            Some(cause) => anyhow!(cause).context("cannot read the image"),
            None => cause.context(format!(
                "cannot decode the {compression} image: it is cut off, damaged, or has garbage \
                 at its end"
            )),
        }),
    };
    // A listener that went away has an error of its own to tell.
    drop(outlet.send(Slot::End(end)));
}

#[cfg(test)]
mod tests;
