//! Writes the body of an image: everything but its first MiB and its backup table.

use anyhow::{Result, bail};
use nestos_host::gpt_disk::HEAD;

use crate::progress::{Phase, Progress};
use crate::stream::{ImageStream, Piece};
use crate::trust::Verified;
use crate::write::{Medium, Unsealed};

/// Runs of zeros this long are made by the kernel instead of being written.
const BLOCK: usize = 64 * 1024;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Bytes after which the disk is synced, so that progress tells what is really written.
const SYNC_EVERY: u64 = 128 * 1024 * 1024;

impl<M: Medium> Unsealed<'_, M> {
    /// Writes everything of the image but its first MiB and its backup table.
    pub fn write_body(
        &self,
        stream: &ImageStream,
        progress: &mut Progress,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<Verified> {
        let size = self.table.disk_size();
        progress.start(Phase::Write, size);
        let mut at = HEAD;
        let mut synced = at;
        loop {
            match stream.next(&go_on)? {
                Piece::Bytes(bytes) => {
                    if at + bytes.len() as u64 > size {
                        bail!(
                            "the image is longer than its partition table says ({size} bytes): \
                             it has garbage at its end"
                        );
                    }
                    self.write_piece(&bytes, at)?;
                    at += bytes.len() as u64;
                    if at - synced >= SYNC_EVERY {
                        self.disk.sync()?;
                        synced = at;
                    }
                    progress.set(at);
                }
                Piece::End(verified) => {
                    if at != size {
                        bail!("the image is cut off: it ends after {at} of {size} bytes");
                    }
                    self.disk.sync()?;
                    progress.finish();
                    return Ok(verified);
                }
            }
        }
    }

    /// Writes one piece, runs of zeros included: nothing of the old content stays.
    fn write_piece(&self, bytes: &[u8], at: u64) -> Result<()> {
        let end = self.table.body_end();
        let mut start = 0;
        while start < bytes.len() {
            let zero = is_zero(bytes, start);
            let mut stop = start;
            while stop < bytes.len() && is_zero(bytes, stop) == zero {
                stop = (stop + BLOCK).min(bytes.len());
            }
            let (from, to) = (at + start as u64, at + stop as u64);
            // The image's own backup table would let UEFI boot an unfinished disk.
            let keep = usize::try_from(end.clamp(from, to) - at).unwrap_or(stop);
            if zero {
                self.disk.zero(from, to - from)?;
            } else {
                self.disk.write_at(&bytes[start..keep], from)?;
                if keep < stop {
                    self.disk.zero(at + keep as u64, (stop - keep) as u64)?;
                }
            }
            start = stop;
        }
        Ok(())
    }
}

fn is_zero(bytes: &[u8], from: usize) -> bool {
    let block = &bytes[from..(from + BLOCK).min(bytes.len())];
    *block == ZEROS[..block.len()]
}
