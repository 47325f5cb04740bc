//! An image, put together again: one thread unpacks what is in no object, others read objects,
//! all a few pieces ahead of the one who reads the image.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::osmet::{Head, Image, Osmet, Segment};
use nestos_formats::ostree::Checksum;

use super::Repository;
use crate::checked::CheckedReader;
use crate::chunk::{Buffer, Chunk, Pool};
use crate::decode::Compression;
use crate::digest::Digest;
use crate::stream::PIECE;
use crate::trust::Trust;

/// Pieces that are put together before they are wanted.
const AHEAD: usize = 8;

/// Most threads that read objects.
const READERS: usize = 8;

/// Reads an image that is put together while it is read.
pub struct Rebuild {
    osmet: Osmet,
    pieces: Receiver<Later>,
    current: Option<Chunk>,
    left: u64,
}

/// A piece that somebody works on.
type Later = Receiver<Result<Chunk>>;

impl Rebuild {
    /// Starts to put together the image that an osmet file describes, with objects of `repository`.
    pub fn start(file: File, repository: Repository) -> Result<Self> {
        let mut file = BufReader::with_capacity(PIECE, file);
        let osmet = Osmet::read(&mut file)?;
        let packed = CheckedReader::new(Box::new(file), Trust::Insecure)?;
        if packed.compression() != Compression::Xz {
            bail!("the osmet file is damaged: no xz stream follows its table");
        }
        let (sender, pieces) = sync_channel(AHEAD);
        let (readers, image) = (Readers::start(repository)?, osmet.image().clone());
        thread::Builder::new()
            .name("rebuild".to_owned())
            .spawn(move || Assembly { packed, readers, sender }.run(&image))
            .context("cannot start the thread that puts the image together")?;
        let left = osmet.image().size;
        Ok(Self { osmet, pieces, current: None, left })
    }

    /// Returns the digest that the image has to have.
    pub fn digest(&self) -> Digest {
        self.osmet.image().digest.into()
    }

    /// Returns the size of the image.
    pub fn size(&self) -> u64 {
        self.osmet.image().size
    }

    /// Returns what the image is for.
    pub fn head(&self) -> &Head {
        self.osmet.head()
    }

    /// Returns the next bytes, nothing at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        if let Some(rest) = self.current.take().filter(|rest| !rest.is_empty()) {
            return Ok(Some(rest));
        }
        if self.left == 0 {
            // What is wrong behind the last byte is wrong, too.
            return self.pieces.recv().map_or(Ok(None), |late| wait(&late).map(Some));
        }
        let later = self.pieces.recv().map_err(|_gone| anyhow!("{GONE}"))?;
        let chunk = wait(&later)?;
        self.left = self.left.saturating_sub(chunk.len() as u64);
        Ok(Some(chunk))
    }
}

const GONE: &str = "putting the image together ended early";

fn wait(later: &Later) -> Result<Chunk> {
    later.recv().map_err(|_gone| anyhow!("{GONE}"))?
}

impl Read for Rebuild {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        let Some(mut chunk) = self.next_chunk().map_err(io::Error::other)? else { return Ok(0) };
        let front = chunk.split_front(to.len());
        to[..front.len()].copy_from_slice(&front);
        self.current = Some(chunk);
        Ok(front.len())
    }
}

impl fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rebuild({})", self.digest())
    }
}

/// Puts pieces together in order.
struct Assembly {
    packed: CheckedReader,
    readers: Readers,
    sender: SyncSender<Later>,
}

impl Assembly {
    fn run(mut self, image: &Image) {
        let result = self.assemble(image).and_then(|heard| match heard {
            Heard::Yes => self.packed.finish().context(UNPACK).map(drop),
            Heard::No => Ok(()),
        });
        if let Err(e) = result {
            let (failed, later) = sync_channel(1);
            // A reader that went away has an error of its own to tell.
            drop(failed.send(Err(e)));
            drop(self.sender.send(later));
        }
    }

    fn assemble(&mut self, image: &Image) -> Result<Heard> {
        let pool = Pool::new(2 * AHEAD * PIECE);
        let mut piece = Piece::new(&pool);
        for segment in image.segments() {
            let mut done = 0;
            while done < segment.length() {
                let left = usize::try_from(segment.length() - done).unwrap_or(usize::MAX);
                let place = piece.filled..piece.filled + left.min(PIECE - piece.filled);
                piece.filled = place.end;
                let length = place.len();
                match segment {
                    Segment::Packed(_) => self.unpack(&mut piece.buffer[place])?,
                    Segment::Object(from) => {
                        let at = from.logical + done;
                        piece.parts.push(Part { place, object: from.object, at });
                    }
                }
                done += length as u64;
                if piece.filled == PIECE
                    && self.send(std::mem::replace(&mut piece, Piece::new(&pool)))? == Heard::No
                {
                    return Ok(Heard::No);
                }
            }
        }
        if piece.filled > 0 { self.send(piece) } else { Ok(Heard::Yes) }
    }

    fn unpack(&mut self, to: &mut [u8]) -> Result<()> {
        if self.packed.fill(to).context(UNPACK)? < to.len() {
            return Err(anyhow!("it ends too early")).context(UNPACK);
        }
        Ok(())
    }

    fn send(&self, piece: Piece) -> Result<Heard> {
        let later = self.readers.read(piece)?;
        Ok(if self.sender.send(later).is_ok() { Heard::Yes } else { Heard::No })
    }
}

const UNPACK: &str = "cannot unpack the osmet file";

/// Whether anybody still wants the image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
}

/// Consecutive bytes of an image, of which some are still in objects.
struct Piece {
    buffer: Buffer,
    filled: usize,
    parts: Vec<Part>,
}

impl Piece {
    fn new(pool: &Arc<Pool>) -> Self {
        Self { buffer: pool.take(PIECE), filled: 0, parts: Vec::new() }
    }
}

/// Bytes that are in an object.
struct Part {
    place: Range<usize>,
    object: Checksum,
    at: u64,
}

/// The threads that read objects; they end when this value is dropped.
struct Readers {
    jobs: SyncSender<(Piece, SyncSender<Result<Chunk>>)>,
}

impl Readers {
    fn start(repository: Repository) -> Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from).clamp(2, READERS);
        let (jobs, queue) = sync_channel::<(Piece, SyncSender<Result<Chunk>>)>(count);
        let shared = Arc::new((Mutex::new(queue), repository));
        for _ in 0..count {
            let shared = Arc::clone(&shared);
            let work = move || {
                let (queue, repository) = &*shared;
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((piece, done)) = job else { return };
                    // A receiver that went away has an error of its own to tell.
                    drop(done.send(complete(piece, repository)));
                }
            };
            thread::Builder::new()
                .name("objects".to_owned())
                .spawn(work)
                .context("cannot start a thread that reads objects")?;
        }
        Ok(Self { jobs })
    }

    fn read(&self, piece: Piece) -> Result<Later> {
        let (done, later) = sync_channel(1);
        self.jobs
            .send((piece, done))
            .map_err(|_gone| anyhow!("the threads that read objects are gone"))?;
        Ok(later)
    }
}

fn complete(piece: Piece, repository: &Repository) -> Result<Chunk> {
    let Piece { mut buffer, filled, parts } = piece;
    for Part { place, object, at } in parts {
        repository.read(object, at, &mut buffer[place])?;
    }
    Ok(buffer.filled(filled))
}

#[cfg(test)]
mod tests;
