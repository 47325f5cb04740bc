//! Writes the body of an image: everything but its first MiB and its backup table.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use nestos_host::gpt_disk::HEAD;

use crate::progress::{Phase, Progress};
use crate::read_back::Written;
use crate::stream::{ImageStream, Piece};
use crate::trust::Verified;
use crate::write::{Medium, Unsealed};

/// What is looked at for zeros at once.
const BLOCK: usize = 64 * 1024;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Runs of zeros this long are made by the kernel; shorter ones between other bytes are written
/// with them, because many small requests cost more than they save.
const LONG_RUN: usize = 2 * BLOCK;

/// Bytes after which the disk is asked to flush, so that little is left to do at the end and
/// progress tells what is really written.
const FLUSH_EVERY: u64 = 64 * 1024 * 1024;

/// How often is looked whether the last flush has ended.
const TICK: Duration = Duration::from_millis(10);

impl<M: Medium> Unsealed<'_, M> {
    /// Writes everything of the image but its first MiB and its backup table.
    pub fn write_body(
        &self,
        stream: &ImageStream,
        progress: &mut Progress,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<Verified> {
        self.write_body_noting(stream, progress, None, go_on)
    }

    /// Does the same and notes what was written, for
    /// [`verify_written`](crate::read_back::verify_written).
    pub fn write_body_noting(
        &self,
        stream: &ImageStream,
        progress: &mut Progress,
        mut written: Option<&mut Written>,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<Verified> {
        let size = self.table.disk_size();
        progress.start(Phase::Write, size);
        let mut writer = Writer { disk: &self.disk, at: HEAD, flushed: HEAD, zeros: HEAD..HEAD };
        loop {
            match stream.next(&go_on)? {
                Piece::Bytes(bytes) => {
                    if writer.at + bytes.len() as u64 > size {
                        bail!(
                            "the image is longer than its partition table says ({size} bytes): \
                             it has garbage at its end"
                        );
                    }
                    // The image's own backup table would let UEFI boot an unfinished disk.
                    let left = self.table.body_end().saturating_sub(writer.at);
                    let keep = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    if let Some(written) = &mut written {
                        let room = self.disk.limit().saturating_sub(writer.at);
                        let room = usize::try_from(room).unwrap_or(usize::MAX).min(keep);
                        written.note(&bytes[..room], writer.at);
                    }
                    writer.write(&bytes[..keep])?;
                    writer.zero((bytes.len() - keep) as u64)?;
                    writer.flush_sometimes(&go_on)?;
                    progress.set(writer.at);
                }
                Piece::End(verified) => {
                    if writer.at != size {
                        bail!("the image is cut off: it ends after {} of {size} bytes", writer.at);
                    }
                    writer.write_zeros()?;
                    self.disk.sync()?;
                    progress.finish();
                    return Ok(verified);
                }
            }
        }
    }
}

/// Writes one piece after the other, runs of zeros included: nothing of the old content stays.
struct Writer<'a, M> {
    disk: &'a M,
    at: u64,
    flushed: u64,
    /// Zeros that end at `at` and are not on the disk yet.
    zeros: Range<u64>,
}

impl<M: Medium> Writer<'_, M> {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let zeros = zeros_at(bytes);
            self.zero(zeros as u64)?;
            bytes = &bytes[zeros..];
            let (now, later) = bytes.split_at(before_zeros(bytes));
            if !now.is_empty() {
                self.write_zeros()?;
                self.disk.write_at(now, self.at)?;
                self.at += now.len() as u64;
            }
            bytes = later;
        }
        Ok(())
    }

    fn zero(&mut self, length: u64) -> Result<()> {
        if self.zeros.end != self.at {
            self.write_zeros()?;
            self.zeros = self.at..self.at;
        }
        self.at += length;
        self.zeros.end = self.at;
        Ok(())
    }

    fn write_zeros(&mut self) -> Result<()> {
        let run = std::mem::replace(&mut self.zeros, self.at..self.at);
        if run.is_empty() { Ok(()) } else { self.disk.zero(run.start, run.end - run.start) }
    }

    fn flush_sometimes(&mut self, go_on: &impl Fn() -> Result<()>) -> Result<()> {
        if self.at - self.flushed < FLUSH_EVERY {
            return Ok(());
        }
        // A disk that is slower than the image comes sets the pace.
        while !self.disk.start_flush()? {
            go_on()?;
            thread::sleep(TICK);
        }
        self.flushed = self.at;
        Ok(())
    }
}

/// Returns how many bytes at the start are zeros, in whole blocks.
fn zeros_at(bytes: &[u8]) -> usize {
    bytes.chunks(BLOCK).take_while(|block| **block == ZEROS[..block.len()]).map(<[u8]>::len).sum()
}

/// Returns how many bytes come before the next long run of zeros, or before zeros at the end.
fn before_zeros(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        let zeros = zeros_at(&bytes[at..]);
        if zeros >= LONG_RUN || (zeros > 0 && at + zeros == bytes.len()) {
            return at;
        }
        at = (at + zeros + BLOCK).min(bytes.len());
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_of_zeros_are_written_and_long_ones_are_not() {
        let block = |byte: u8| [byte; BLOCK];
        let bytes = [block(0), block(1), block(0), block(1), block(0), block(0)].concat();
        assert_eq!((zeros_at(&bytes), before_zeros(&bytes[BLOCK..])), (BLOCK, 3 * BLOCK));
        let hole = [&block(1)[..], &[0; LONG_RUN], &[1]].concat();
        assert_eq!((zeros_at(&hole), before_zeros(&hole)), (0, BLOCK));
        assert_eq!((zeros_at(&[0; 10]), before_zeros(&[1; 10])), (10, 10));
    }
}
