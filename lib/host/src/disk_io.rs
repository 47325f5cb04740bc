//! How large images get to a disk fast: past the page cache where the kernel allows it
//! (`O_DIRECT`, open(2)), and flushed to the medium while more is being written.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};

/// What direct I/O wants addresses, offsets and lengths to be multiples of.
const ALIGNMENT: usize = 4096;

/// Writes shorter than this go through the page cache.
const LARGE: usize = 64 * 1024;

/// The ways to a disk beside its open file.
#[derive(Debug)]
pub(crate) struct DiskIo {
    direct: Option<File>,
    flush: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl DiskIo {
    /// For a device: large writes go past the page cache.
    pub(crate) fn direct(file: &File) -> Self {
        // The same device again; a system without /proc does without.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = (OFlag::O_DIRECT | OFlag::O_CLOEXEC).bits();
        let direct = File::options().read(true).write(true).custom_flags(flags).open(path).ok();
        Self { direct, flush: Mutex::default() }
    }

    /// For a regular file: all writes go through the page cache.
    pub(crate) fn cached() -> Self {
        Self { direct: None, flush: Mutex::default() }
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let past_cache = match &self.direct {
            Some(direct) => write_direct(direct, bytes, offset)?,
            None => 0,
        };
        file.write_all_at(&bytes[past_cache..], offset + past_cache as u64)
    }

    /// Fills `bytes` with what the medium has at `offset`, not what is in memory.
    pub(crate) fn read_back(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if let Some(direct) = &self.direct
            && aligned(bytes, offset) == bytes.len()
            && direct.read_exact_at(bytes, offset).is_ok()
        {
            return Ok(());
        }
        let signed = |n: u64| i64::try_from(n).map_err(io::Error::other);
        let len = signed(bytes.len() as u64)?;
        posix_fadvise(file, signed(offset)?, len, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        file.read_exact_at(bytes, offset)
    }

    /// Starts to flush what was written; `false` while an earlier flush is still at work.
    pub(crate) fn start_flush(&self, file: &File) -> io::Result<bool> {
        let mut flush = self.flush.lock().unwrap_or_else(PoisonError::into_inner);
        if flush.as_ref().is_some_and(|earlier| !earlier.is_finished()) {
            return Ok(false);
        }
        ended(flush.take())?;
        let file = file.try_clone()?;
        let start = thread::Builder::new().name("flush".to_owned());
        *flush = Some(start.spawn(move || file.sync_data())?);
        Ok(true)
    }

    /// Waits for a flush that was started; fails if it did.
    pub(crate) fn end_flush(&self) -> io::Result<()> {
        ended(self.flush.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl Drop for DiskIo {
    fn drop(&mut self) {
        // The thread has the disk open: nobody else could claim it yet. Who gives up a disk
        // without a last sync has an error of its own to tell.
        drop(self.end_flush());
    }
}

fn ended(flush: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match flush.map(JoinHandle::join) {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(_panic)) => Err(io::Error::other("the thread that flushes ended early")),
    }
}

/// Writes the part that may go past the page cache and returns its length.
fn write_direct(direct: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    let len = aligned(bytes, offset);
    if len < LARGE {
        return Ok(0);
    }
    match direct.write_all_at(&bytes[..len], offset) {
        Ok(()) => Ok(len),
        // This disk wants more than ours is aligned to.
        Err(e) if e.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(0),
        Err(e) => Err(e),
    }
}

/// Returns how many of the bytes direct I/O can take.
fn aligned(bytes: &[u8], offset: u64) -> usize {
    let starts =
        bytes.as_ptr().align_offset(ALIGNMENT) == 0 && offset.is_multiple_of(ALIGNMENT as u64);
    if starts { bytes.len() - bytes.len() % ALIGNMENT } else { 0 }
}
