//! An image on its way to the disk: other threads read, verify and decode while the caller
//! writes, so that all goes on at the same time and a stalled source never keeps Ctrl-C waiting.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, bail};
use nestos_host::gpt_disk::HEAD_LEN;

use crate::checked::CheckedReader;
use crate::chunk::{Buffer, Chunk, Pool};
use crate::decode::Slot;
use crate::trust::Verified;

/// The first piece is the disk's first MiB; all others but the last are whole MiB, too.
pub const PIECE: usize = HEAD_LEN;

/// Longest piece.
const LONGEST: usize = 4 * PIECE;

/// Memory for pieces that have to be put together from smaller ones.
const JOINED_LIMIT: usize = 16 * PIECE;

/// How often the caller is asked whether to go on while nothing arrives.
const TICK: Duration = Duration::from_millis(100);

/// The next part of an image.
#[derive(Debug)]
pub enum Piece {
    /// The bytes that follow; only the last piece is not a multiple of [`PIECE`].
    Bytes(Chunk),
    /// The image was read to its end.
    End(Verified),
}

/// The pieces of an image.
pub struct ImageStream {
    state: RefCell<State>,
}

struct State {
    slots: Option<Receiver<Slot>>,
    later: Option<Receiver<Result<Chunk>>>,
    cutter: Cutter,
    end: Option<Verified>,
}

impl ImageStream {
    pub(crate) fn new(slots: Receiver<Slot>) -> Self {
        let state = State { slots: Some(slots), later: None, cutter: Cutter::new(), end: None };
        Self { state: RefCell::new(state) }
    }

    /// Starts reading.
    pub fn start(reader: CheckedReader) -> Result<Self> {
        Ok(reader.into_stream())
    }

    /// Returns the next piece; asks `go_on` again and again while it waits.
    pub fn next(&self, go_on: impl Fn() -> Result<()>) -> Result<Piece> {
        let mut state = self.state.borrow_mut();
        let next = state.next(&go_on);
        if next.is_err() {
            // What comes after an error must not pass for the rest of the image.
            state.slots = None;
        }
        next
    }
}

impl fmt::Debug for ImageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageStream")
    }
}

impl State {
    fn next(&mut self, go_on: &impl Fn() -> Result<()>) -> Result<Piece> {
        loop {
            go_on()?;
            if let Some(chunk) = self.cutter.cut() {
                return Ok(Piece::Bytes(chunk));
            }
            let Some(slots) = &self.slots else { bail!("reading the image ended early") };
            if self.end.is_some() {
                if let Some(chunk) = self.cutter.rest() {
                    return Ok(Piece::Bytes(chunk));
                }
                self.slots = None;
            } else if let Some(later) = &self.later {
                if let Some(chunk) = wait(later)? {
                    self.cutter.put(chunk?);
                    self.later = None;
                }
            } else {
                match wait(slots)? {
                    Some(Slot::Ready(chunk)) => self.cutter.put(chunk),
                    Some(Slot::Later(later)) => self.later = Some(later),
                    Some(Slot::End(end)) => self.end = Some(end?),
                    None => {}
                }
            }
            if self.slots.is_none()
                && let Some(verified) = self.end.take()
            {
                return Ok(Piece::End(verified));
            }
        }
    }
}

/// Waits for one tick.
fn wait<T>(from: &Receiver<T>) -> Result<Option<T>> {
    match from.recv_timeout(TICK) {
        Ok(arrived) => Ok(Some(arrived)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => bail!("reading the image ended early"),
    }
}

/// Makes pieces of whole MiB of chunks of any length; copies only what does not fit.
struct Cutter {
    pool: Arc<Pool>,
    rest: Option<Chunk>,
    joined: Option<(Buffer, usize)>,
    longest: usize,
}

impl Cutter {
    fn new() -> Self {
        Self { pool: Pool::new(JOINED_LIMIT), rest: None, joined: None, longest: PIECE }
    }

    /// Takes the next chunk, after [`Self::cut`] returned nothing.
    fn put(&mut self, chunk: Chunk) {
        self.rest = Some(chunk);
    }

    /// Returns the next piece, if there are bytes enough.
    fn cut(&mut self) -> Option<Chunk> {
        let mut rest = self.rest.take()?;
        if self.joined.is_none() && rest.len() >= PIECE && rest.is_aligned() {
            let whole = rest.len() - rest.len() % PIECE;
            let piece = rest.split_front(whole.min(self.longest));
            self.longest = LONGEST;
            self.rest = Some(rest);
            return Some(piece);
        }
        if rest.is_empty() {
            return None;
        }
        let (mut buffer, filled) = self.joined.take().unwrap_or_else(|| (self.pool.take(PIECE), 0));
        let front = rest.split_front(PIECE - filled);
        buffer[filled..filled + front.len()].copy_from_slice(&front);
        let filled = filled + front.len();
        self.rest = Some(rest);
        if filled == PIECE {
            self.longest = LONGEST;
            return Some(buffer.filled(filled));
        }
        self.joined = Some((buffer, filled));
        None
    }

    /// Returns the last piece; an image without bytes has one without bytes.
    fn rest(&mut self) -> Option<Chunk> {
        let first = std::mem::replace(&mut self.longest, LONGEST) == PIECE;
        let empty = first.then(|| (self.pool.take(0), 0));
        let (buffer, filled) = self.joined.take().or(empty)?;
        Some(buffer.filled(filled))
    }
}
