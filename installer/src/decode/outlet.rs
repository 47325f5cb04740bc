//! Where decoded bytes go: a queue of slots in the order of the image, some of which workers
//! fill later.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Result;

use crate::chunk::{Buffer, Chunk, Pool};
use crate::trust::Verified;

/// Decoded bytes in memory at most, those that are being decoded included.
const LIMIT: usize = 48 * 1024 * 1024;

/// Slots that wait to be written at most.
const AHEAD: usize = 16;

/// The next bytes of the disk.
pub(crate) enum Slot {
    /// They are here.
    Ready(Chunk),
    /// A worker is decoding them.
    Later(Receiver<Result<Chunk>>),
    /// There are no more, or something failed.
    End(Result<Verified>),
}

/// Why decoding stops before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The receiver of the slots is gone.
    NobodyListens,
    /// The image or its source is broken.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(cause: E) -> Self {
        Self::Failed(cause.into())
    }
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct Outlet {
    slots: SyncSender<Slot>,
    pool: Arc<Pool>,
}

impl Outlet {
    pub(crate) fn new() -> (Self, Receiver<Slot>) {
        let (slots, receiver) = sync_channel(AHEAD);
        (Self { slots, pool: Pool::new(LIMIT) }, receiver)
    }

    /// Returns memory for decoded bytes.
    pub(crate) fn buffer(&self, len: usize) -> Buffer {
        self.pool.take(len)
    }

    pub(crate) fn send(&self, slot: Slot) -> Result<(), Stop> {
        self.slots.send(slot).map_err(|_gone| Stop::NobodyListens)
    }
}

/// Collects the output of a decoder that goes step by step.
#[derive(Debug)]
pub(crate) struct Filling<'a> {
    outlet: &'a Outlet,
    piece: usize,
    buffer: Option<Buffer>,
    filled: usize,
}

impl<'a> Filling<'a> {
    /// Sends pieces of `piece` bytes.
    pub(crate) fn new(outlet: &'a Outlet, piece: usize) -> Self {
        Self { outlet, piece, buffer: None, filled: 0 }
    }

    /// Lets `step` write into free memory and say how much it wrote; sends what is full.
    pub(crate) fn step<T>(
        &mut self,
        step: impl FnOnce(&mut [u8]) -> io::Result<(usize, T)>,
    ) -> Result<T, Stop> {
        let mut buffer = match self.buffer.take() {
            Some(buffer) => buffer,
            None => self.outlet.buffer(self.piece),
        };
        let (written, result) = step(&mut buffer[self.filled..])?;
        self.filled += written;
        if self.filled == buffer.len() {
            self.outlet.send(Slot::Ready(buffer.filled(self.filled)))?;
            self.filled = 0;
        } else {
            self.buffer = Some(buffer);
        }
        Ok(result)
    }

    /// Sends the rest.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        let filled = std::mem::take(&mut self.filled);
        match self.buffer.take() {
            Some(buffer) if filled > 0 => self.outlet.send(Slot::Ready(buffer.filled(filled))),
            _ => Ok(()),
        }
    }
}
