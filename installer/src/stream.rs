//! An image on its way to the disk: a thread reads, verifies and decodes while the caller writes,
//! so that both go on at the same time and a stalled source never keeps Ctrl-C waiting.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nestos_host::gpt_disk::HEAD_LEN;

use crate::checked::CheckedReader;
use crate::trust::Verified;

/// Bytes of the disk in one piece; the first piece is the disk's first MiB.
pub const PIECE: usize = HEAD_LEN;

/// Pieces that wait for the writer at most.
const AHEAD: usize = 8;

/// How often the caller is asked whether to go on while nothing arrives.
const TICK: Duration = Duration::from_millis(100);

/// The next part of an image.
#[derive(Debug)]
pub enum Piece {
    /// The bytes that follow; only the last piece is shorter than [`PIECE`].
    Bytes(Vec<u8>),
    /// The image was read to its end.
    End(Verified),
}

/// The pieces of an image.
#[derive(Debug)]
pub struct ImageStream {
    pieces: Receiver<Result<Piece>>,
}

impl ImageStream {
    /// Starts reading.
    pub fn start(reader: CheckedReader) -> Result<Self> {
        let (sender, pieces) = sync_channel(AHEAD);
        thread::Builder::new()
            .name("image".to_owned())
            .spawn(move || read_all(reader, &sender))
            .context("cannot start the thread that reads the image")?;
        Ok(Self { pieces })
    }

    /// Returns the next piece; asks `go_on` again and again while it waits.
    pub fn next(&self, go_on: impl Fn() -> Result<()>) -> Result<Piece> {
        loop {
            go_on()?;
            match self.pieces.recv_timeout(TICK) {
                Ok(piece) => return piece,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("reading the image ended early"),
            }
        }
    }
}

fn read_all(mut reader: CheckedReader, sender: &SyncSender<Result<Piece>>) {
    loop {
        let mut bytes = vec![0; PIECE];
        let filled = reader.fill(&mut bytes);
        let last = !matches!(filled, Ok(PIECE));
        let piece = filled.map(|n| {
            bytes.truncate(n);
            Piece::Bytes(bytes)
        });
        let failed = piece.is_err();
        // A receiver that went away has an error of its own to tell.
        if sender.send(piece).is_err() || failed {
            return;
        }
        if last {
            drop(sender.send(reader.finish().map(Piece::End)));
            return;
        }
    }
}
