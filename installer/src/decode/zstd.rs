//! zstd: frames that say how much they hold, and are not too large, go to workers as a whole;
//! others are decoded here, step by step.

use std::io::{BufRead, Read};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use zstd::stream::raw::{Decoder, Operation};

use super::outlet::{Filling, Outlet, Slot, Stop};
use super::workers::{Frame, Workers};
use super::zstd_frames::{self, Header, Kind, LONGEST_HEADER};
use crate::chunk::{Buffer, Pool};
use crate::stored::StoredReader;
use crate::stream::PIECE;

const MIB: usize = 1024 * 1024;

/// Content of a frame that goes to a worker at most.
const LARGEST_FRAME: u64 = 16 * MIB as u64;

/// Frames in memory at most, as they are stored.
const PACKED_LIMIT: usize = 40 * MIB;

/// How far back frames may refer; what `zstd -d` accepts without being asked (`--long=27`).
const LARGEST_WINDOW: u64 = 128 * MIB as u64;

pub(crate) fn decode(stored: &mut StoredReader, outlet: &Outlet) -> Result<(), Stop> {
    let mut split = Split { outlet, pool: Pool::new(PACKED_LIMIT), workers: None };
    while !stored.fill_buf()?.is_empty() {
        let mut magic = [0; 4];
        take(stored, &mut magic)?;
        match zstd_frames::kind(magic)? {
            Kind::Skippable => skip(stored)?,
            Kind::Data => split.frame(stored, magic)?,
        }
    }
    Ok(())
}

/// Decides for each frame who decodes it.
struct Split<'a> {
    outlet: &'a Outlet,
    pool: Arc<Pool>,
    workers: Option<Workers>,
}

impl Split<'_> {
    fn frame(&mut self, stored: &mut StoredReader, magic: [u8; 4]) -> Result<(), Stop> {
        let mut bytes = [0; LONGEST_HEADER];
        bytes[..4].copy_from_slice(&magic);
        take(stored, &mut bytes[4..5])?;
        let len = zstd_frames::header_len(bytes[4]);
        take(stored, &mut bytes[5..len])?;
        let header = zstd_frames::header(&bytes[..len])?;
        let header = header.ok_or_else(|| anyhow!("the header of a frame is cut off"))?;
        match header.content {
            Some(content) if content <= LARGEST_FRAME => {
                self.small(stored, header, &bytes[..len], usize::try_from(content)?)
            }
            _ => self.stream(stored, header, &bytes[..len]),
        }
    }

    fn small(
        &mut self,
        stored: &mut StoredReader,
        header: Header,
        start: &[u8],
        content: usize,
    ) -> Result<(), Stop> {
        // What does not compress is a little longer than it was (ZSTD_COMPRESSBOUND).
        let bound = content + content / 256 + 64 * 1024;
        let mut packed = Packed { bytes: self.pool.take(bound), len: 0 };
        packed.bytes[..start.len()].copy_from_slice(start);
        packed.len = start.len();
        if !packed.gather(stored, header.checksum_len)? {
            // Valid, but nothing that an encoder makes.
            return self.stream(stored, header, &packed.bytes[..packed.len]);
        }
        let frame =
            Frame { packed: packed.bytes.filled(packed.len), plain: self.outlet.buffer(content) };
        let workers = match self.workers.take() {
            Some(workers) => workers,
            None => Workers::start()?,
        };
        let later = workers.decode(frame);
        self.workers = Some(workers);
        self.outlet.send(Slot::Later(later?))
    }

    /// Decodes a frame whose first bytes were taken already.
    fn stream(
        &self,
        stored: &mut StoredReader,
        header: Header,
        mut taken: &[u8],
    ) -> Result<(), Stop> {
        if header.window > LARGEST_WINDOW {
            return Err(anyhow!(
                "it refers back over {} bytes, which takes as much memory; compress it without \
                 --long, or with --long=27 at most",
                header.window
            )
            .into());
        }
        let mut decoder = Decoder::new()?;
        let mut filling = Filling::new(self.outlet, PIECE);
        let mut held = 0;
        loop {
            let from_stored = taken.is_empty();
            let packed = if from_stored { stored.fill_buf()? } else { taken };
            let at_end = packed.is_empty();
            let status = filling.step(|free| {
                let status = decoder.run_on_buffers(packed, free)?;
                Ok((status.bytes_written, status))
            })?;
            if from_stored {
                stored.consume(status.bytes_read);
            } else {
                taken = &taken[status.bytes_read..];
            }
            held += status.bytes_written as u64;
            if status.remaining == 0 {
                // The library does not compare them when the last block is empty.
                if let Some(said) = header.content.filter(|said| *said != held) {
                    return Err(anyhow!("a frame holds {held} bytes, but says {said}").into());
                }
                return filling.flush();
            }
            if at_end && status.bytes_written == 0 {
                return Err(anyhow!("it ends too early").into());
            }
        }
    }
}

/// A frame that is being read.
struct Packed {
    bytes: Buffer,
    len: usize,
}

impl Packed {
    /// Takes the blocks and the checksum of a frame; returns whether they fit.
    fn gather(&mut self, stored: &mut StoredReader, checksum_len: usize) -> Result<bool, Stop> {
        loop {
            // A header may stay behind when its block does not fit: the decoder goes on there.
            let Some(header) = self.take(stored, 3)? else { return Ok(false) };
            let block = zstd_frames::block([header[0], header[1], header[2]])?;
            if self.take(stored, block.len)?.is_none() {
                return Ok(false);
            }
            if block.last {
                return Ok(self.take(stored, checksum_len)?.is_some());
            }
        }
    }

    /// Takes `len` bytes, if they fit.
    fn take(&mut self, stored: &mut StoredReader, len: usize) -> Result<Option<&[u8]>, Stop> {
        let Some(free) = self.bytes.get_mut(self.len..self.len + len) else { return Ok(None) };
        take(stored, free)?;
        self.len += len;
        Ok(Some(&self.bytes[self.len - len..self.len]))
    }
}

fn take(stored: &mut StoredReader, bytes: &mut [u8]) -> Result<(), Stop> {
    Ok(stored.read_exact(bytes).context("it ends too early")?)
}

fn skip(stored: &mut StoredReader) -> Result<(), Stop> {
    let mut len = [0; 4];
    take(stored, &mut len)?;
    let len = u64::from(u32::from_le_bytes(len));
    let skipped = std::io::copy(&mut stored.take(len), &mut std::io::sink())?;
    if skipped != len {
        return Err(anyhow!("it ends too early").into());
    }
    Ok(())
}
