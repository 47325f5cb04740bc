//! Threads that decode zstd frames, one for each processor.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use zstd::bulk::Decompressor;

use crate::chunk::{Buffer, Chunk};

/// A whole frame.
pub(crate) struct Frame {
    /// Its bytes.
    pub(crate) packed: Chunk,
    /// Where they are decoded to; as long as the frame says.
    pub(crate) plain: Buffer,
}

struct Job {
    frame: Frame,
    done: SyncSender<Result<Chunk>>,
}

/// The threads; they end when this value is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    jobs: SyncSender<Job>,
}

impl Workers {
    pub(crate) fn start() -> Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = sync_channel(count);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..count {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("zstd".to_owned())
                .spawn(move || work(&queue))
                .context("cannot start a thread that decodes")?;
        }
        Ok(Self { jobs })
    }

    /// Hands a frame to a worker; what it holds arrives at the receiver.
    pub(crate) fn decode(&self, frame: Frame) -> Result<Receiver<Result<Chunk>>> {
        let (done, result) = sync_channel(1);
        self.jobs
            .send(Job { frame, done })
            .map_err(|_gone| anyhow!("the threads that decode are gone"))?;
        Ok(result)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let mut decompressor = Decompressor::default();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { frame, done }) = job else { return };
        // A receiver that went away has an error of its own to tell.
        drop(done.send(decode(&mut decompressor, frame)));
    }
}

fn decode(decompressor: &mut Decompressor<'_>, frame: Frame) -> Result<Chunk> {
    let Frame { packed, mut plain } = frame;
    let len = decompressor.decompress_to_buffer(&packed, &mut plain[..])?;
    if len != plain.len() {
        bail!("a frame holds {len} bytes, but says {}", plain.len());
    }
    Ok(plain.filled(len))
}
