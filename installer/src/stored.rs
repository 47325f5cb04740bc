//! Where an image comes from: a thread reads what is stored, shows every byte to a [`Witness`]
//! in order, and runs ahead of the decoder by a few pieces. A source that stalls holds up only
//! that thread.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::chunk::{Buffer, Chunk, Pool};
use crate::stream::PIECE;
use crate::trust::{Trust, Verified, Witness};

/// Pieces that are read before the decoder wants them.
const AHEAD: usize = 8;

enum Stored {
    Bytes(Chunk),
    End(Witness),
}

/// What is stored, in order.
pub(crate) struct StoredReader {
    from: Receiver<io::Result<Stored>>,
    chunk: Option<Chunk>,
    at: usize,
    end: Option<Witness>,
    failure: Option<io::Error>,
}

impl StoredReader {
    /// Starts to read.
    pub(crate) fn start(stored: Box<dyn Read + Send>, trust: Trust) -> Result<Self> {
        let (sender, from) = sync_channel(AHEAD);
        thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || read_all(stored, Witness::new(trust), &sender))
            .context("cannot start the thread that reads the image")?;
        Ok(Self { from, chunk: None, at: 0, end: None, failure: None })
    }

    /// Returns the bytes that were read but not consumed, without copying; nothing at the end.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        if self.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut chunk = self.chunk.take();
        if let Some(chunk) = &mut chunk {
            chunk.split_front(self.at);
        }
        self.at = 0;
        Ok(chunk)
    }

    /// Returns why reading failed, if it did.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Makes sure that nothing is left, and asks the witness for its word.
    pub(crate) fn finish(mut self) -> Result<Verified> {
        if !self.fill_buf().context("cannot read the image")?.is_empty() {
            return Err(anyhow!("there is garbage after the end of the compressed image"));
        }
        match self.end {
            Some(witness) => witness.finish(),
            None => Err(anyhow!("the image was not read to its end")),
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        match self.from.recv() {
            Ok(Ok(Stored::Bytes(chunk))) => {
                self.chunk = Some(chunk);
                self.at = 0;
            }
            Ok(Ok(Stored::End(witness))) => self.end = Some(witness),
            Ok(Err(cause)) => {
                let shown = io::Error::new(cause.kind(), "the source failed");
                self.failure = Some(cause);
                return Err(shown);
            }
            Err(_gone) => return Err(io::Error::other("the source ended without a word")),
        }
        Ok(())
    }
}

impl Read for StoredReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let n = ready.len().min(buf.len());
        buf[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for StoredReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.end.is_none() && self.chunk.as_ref().is_none_or(|c| self.at >= c.len()) {
            // The memory goes back before more is waited for.
            self.chunk = None;
            self.receive()?;
        }
        Ok(self.chunk.as_ref().map_or(&[], |c| &c[self.at..]))
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
        if self.chunk.as_ref().is_some_and(|c| self.at >= c.len()) {
            self.chunk = None;
            self.at = 0;
        }
    }
}

fn read_all(
    mut stored: Box<dyn Read + Send>,
    mut witness: Witness,
    sender: &SyncSender<io::Result<Stored>>,
) {
    let pool: Arc<Pool> = Pool::new(4 * AHEAD * PIECE);
    loop {
        let mut buffer = pool.take(PIECE);
        let (filled, failure) = fill(&mut stored, &mut buffer);
        witness.update(&buffer[..filled]);
        let full = filled == buffer.len();
        // A receiver that went away has an error of its own to tell.
        if filled > 0 && sender.send(Ok(Stored::Bytes(buffer.filled(filled)))).is_err() {
            return;
        }
        if let Some(cause) = failure {
            drop(sender.send(Err(cause)));
            return;
        }
        if !full {
            drop(sender.send(Ok(Stored::End(witness))));
            return;
        }
    }
}

/// Reads until the buffer is full or the source ends or fails.
fn fill(stored: &mut impl Read, buffer: &mut Buffer) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match stored.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (filled, Some(e)),
        }
    }
    (filled, None)
}
