//! A layer from its source to a tar stream: the blob's digest, the compression and, for ordinary
//! layers, the diff id are checked on the way, and nothing counts before the end was reached.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::Progress;
use super::plan::{Compression, Layer};
use crate::fetch::ImageSource;

const BUFFER: usize = 128 * 1024;
/// zstd frames may ask for more memory than a small machine has; this is the format's usual limit.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What says that the content of a layer is the right one, besides the digest of the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Its diff id.
    DiffId,
    /// Each object in it has a checksum of its own: to hash all of it once more would cost a tenth
    /// of an import.
    Objects,
}

/// Reads a layer: `read` gets the tar stream, and its result counts when the rest of the layer was
/// read and verified as well.
pub(super) fn read<T>(
    source: &dyn ImageSource,
    (layer, content): (&Layer, Content),
    (progress, stop): (&dyn Progress, &AtomicBool),
    read: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let blob = source.blob(&layer.blob)?;
    let mut blob = Counted { blob, progress, stop };
    let (value, diff_id) = match layer.compression()? {
        Compression::None => drained(&mut blob, content, read)?,
        Compression::Gzip => {
            let buffered = BufReader::with_capacity(BUFFER, &mut blob);
            drained(&mut MultiGzDecoder::new(buffered), content, read)?
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(&mut blob)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            drained(&mut decoder, content, read)?
        }
    };
    io::copy(&mut blob, &mut io::sink())?;
    match diff_id {
        Some(found) if found != layer.diff_id => {
            bail!("it inflates to {found}, the image's config says {}", layer.diff_id)
        }
        _ => Ok(value),
    }
}

/// Reads a stream to its end; returns its digest as well, if that is what tells its content.
fn drained<T>(
    stream: &mut dyn Read,
    content: Content,
    read: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<(T, Option<String>)> {
    let hasher = (content == Content::DiffId).then(Sha256::new);
    let mut hashed = Hashed { stream, hasher };
    let value = {
        let mut buffered = BufReader::with_capacity(BUFFER, &mut hashed);
        let value = read(&mut buffered)?;
        io::copy(&mut buffered, &mut io::sink()).context("cannot read the layer's end")?;
        value
    };
    Ok((value, hashed.hasher.map(|h| format!("sha256:{:x}", h.finalize()))))
}

struct Counted<'a> {
    blob: Box<dyn Read + Send>,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped, because another layer failed"));
        }
        let n = self.blob.read(buffer)?;
        self.progress.bytes(n as u64);
        Ok(n)
    }
}

struct Hashed<'a> {
    stream: &'a mut dyn Read,
    hasher: Option<Sha256>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer.get(..n).unwrap_or_default());
        }
        Ok(n)
    }
}
