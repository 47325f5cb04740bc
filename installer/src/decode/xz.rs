//! xz: blocks whose headers tell their sizes, as `xz -T` writes them, are decoded on all
//! processors, others on one. Streams may follow each other, with padding between them
//! (The .xz File Format, 2.2).

use std::io::{self, BufRead};
use std::thread;

use anyhow::anyhow;
use liblzma::stream::{Action, Error, MtStreamBuilder, Status, Stream};

use super::outlet::{Filling, Outlet, Stop};
use crate::stored::StoredReader;
use crate::stream::PIECE;

const MIB: u64 = 1024 * 1024;

/// Memory for decoding several blocks at once; larger blocks are decoded one by one.
const PARALLEL_MEMORY: u64 = 64 * MIB;

/// Memory for decoding at all. `xz -9` wants 65 MiB; a dictionary may have up to 4 GiB.
const MOST_MEMORY: u64 = 192 * MIB;

pub(crate) fn decode(stored: &mut StoredReader, outlet: &Outlet) -> Result<(), Stop> {
    let mut filling = Filling::new(outlet, PIECE);
    loop {
        decode_stream(stored, &mut filling)?;
        skip_padding(stored)?;
        if stored.fill_buf()?.is_empty() {
            return filling.flush();
        }
    }
}

fn decode_stream(stored: &mut StoredReader, filling: &mut Filling<'_>) -> Result<(), Stop> {
    let mut decoder = decoder()?;
    // One call without progress may be due to threads that are about to deliver.
    let mut idle = 0;
    loop {
        let packed = stored.fill_buf()?;
        let at_end = packed.is_empty();
        let action = if at_end { Action::Finish } else { Action::Run };
        let before = (decoder.total_in(), decoder.total_out());
        let status = filling.step(|free| {
            let status = decoder.process(packed, free, action).map_err(explain)?;
            Ok((difference(decoder.total_out(), before.1)?, status))
        })?;
        stored.consume(difference(decoder.total_in(), before.0)?);
        if status == Status::StreamEnd {
            return Ok(());
        }
        let progress = (decoder.total_in(), decoder.total_out()) != before;
        idle = if progress { 0 } else { idle + 1 };
        if idle > 1 {
            let text = if at_end { "it ends too early" } else { "the decoder is stuck" };
            return Err(anyhow!(text).into());
        }
    }
}

fn decoder() -> Result<Stream, Stop> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut builder = MtStreamBuilder::new();
    builder
        .threads(u32::try_from(threads).unwrap_or(1))
        .memlimit_threading(PARALLEL_MEMORY)
        .memlimit_stop(MOST_MEMORY);
    Ok(builder.decoder().map_err(explain)?)
}

fn explain(cause: Error) -> io::Error {
    match cause {
        Error::MemLimit => io::Error::other(format!(
            "its dictionary needs more than the {} MiB of memory that are allowed; compress it \
             with a preset of xz, such as -9",
            MOST_MEMORY / MIB
        )),
        other => io::Error::other(other),
    }
}

fn difference(now: u64, before: u64) -> io::Result<usize> {
    usize::try_from(now - before).map_err(io::Error::other)
}

/// Skips zeros after a stream; they come in fours.
fn skip_padding(stored: &mut StoredReader) -> Result<(), Stop> {
    let mut padding = 0;
    loop {
        let packed = stored.fill_buf()?;
        let zeros = packed.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == packed.len();
        padding += zeros;
        stored.consume(zeros);
        if !all || zeros == 0 {
            break;
        }
    }
    if padding % 4 != 0 {
        return Err(anyhow!("the padding after a stream is damaged").into());
    }
    Ok(())
}
