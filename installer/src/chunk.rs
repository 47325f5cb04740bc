//! Memory for the bytes of an image: buffers that are used again and again, and that together
//! never exceed the limit of their pool, whatever the image says. They start at an address that
//! `O_DIRECT` accepts (open(2)).

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What direct I/O wants addresses to be a multiple of; no disk asks for more.
const ALIGNMENT: usize = 4096;

/// Sizes are rounded up to this, so that most buffers suit most uses.
const STEP: usize = 1024 * 1024;

/// Hands out buffers and makes the taker wait while too much is in use.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    allocated: usize,
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// Starts empty; `limit` bytes may be allocated at any time.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), returned: Condvar::new() })
    }

    /// Returns a buffer of `len` bytes, with what was in it before; waits for one if need be.
    /// A pool whose buffers are all free gives one of any size.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let size = len.next_multiple_of(STEP) + ALIGNMENT;
        let mut state = self.state();
        loop {
            if let Some(bytes) = state.reuse(size) {
                return self.buffer(bytes, len);
            }
            while state.allocated + size > self.limit
                && let Some(spare) = state.free.pop()
            {
                state.allocated -= spare.len();
            }
            if state.allocated + size <= self.limit || state.allocated == 0 {
                state.allocated += size;
                drop(state);
                return self.buffer(vec![0; size], len);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn buffer(self: &Arc<Self>, bytes: Vec<u8>, len: usize) -> Buffer {
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer { bytes, start, len, home: Arc::clone(self) }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        self.state().free.push(bytes);
        self.returned.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reuse(&mut self, size: usize) -> Option<Vec<u8>> {
        let fitting = self.free.iter().enumerate().filter(|(_, bytes)| bytes.len() >= size);
        let (at, _) = fitting.min_by_key(|(_, bytes)| bytes.len())?;
        Some(self.free.swap_remove(at))
    }
}

/// A buffer to fill.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
    home: Arc<Pool>,
}

impl Buffer {
    /// Makes the first `len` bytes readable for many.
    pub(crate) fn filled(self, len: usize) -> Chunk {
        let to = len.min(self.len);
        Chunk { buffer: Arc::new(self), from: 0, to }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

/// Some bytes of an image; the memory is used again once nobody has them any more.
#[derive(Debug, Clone)]
pub struct Chunk {
    buffer: Arc<Buffer>,
    from: usize,
    to: usize,
}

impl Chunk {
    /// Says whether the bytes start where direct I/O wants them to.
    pub(crate) fn is_aligned(&self) -> bool {
        self.as_ptr().align_offset(ALIGNMENT) == 0
    }

    /// Cuts off the first `len` bytes and returns them.
    pub(crate) fn split_front(&mut self, len: usize) -> Self {
        let middle = (self.from + len).min(self.to);
        let front = Self { buffer: Arc::clone(&self.buffer), from: self.from, to: middle };
        self.from = middle;
        front
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        let pool = Pool::new(3 * STEP);
        let mut buffer = pool.take(STEP);
        assert_eq!((buffer.as_ptr() as usize % ALIGNMENT, buffer.len()), (0, STEP));
        buffer[..3].copy_from_slice(b"abc");
        let mut chunk = buffer.filled(3);
        let front = chunk.split_front(1);
        assert_eq!((&front[..], &chunk[..]), (&b"a"[..], &b"bc"[..]));
        drop((front, chunk));
        assert_eq!(&pool.take(10)[..3], b"abc", "the same memory");
        assert_eq!(pool.state().allocated, STEP + ALIGNMENT);
    }

    #[test]
    fn the_limit_makes_the_taker_wait_and_spares_make_room() {
        let pool = Pool::new(3 * STEP);
        let (first, second) = (pool.take(STEP), pool.take(STEP));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.take(2 * STEP).len());
            drop((first, second));
            assert_eq!(waiting.join().unwrap(), 2 * STEP);
        });
        assert!(pool.state().allocated <= 3 * STEP);
        assert_eq!(pool.take(9 * STEP).len(), 9 * STEP, "one of any size when none is in use");
    }
}
