//! Compresses contents as the reference does: best level, no name, no time, unknown system. Keeps
//! the compressor between uses, since setting one up costs more than a short text does.

use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic number, deflate, no flags, no time, best compression, unknown system (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
/// Checksum and length.
const TRAILER: usize = 8;

/// The reference's deflate ends a stream with an empty block, which costs it this much; counted
/// so that the choice for short texts is the same.
const REFERENCE_TRAILER: usize = 3;

/// From here on a look at the bytes is cheaper than compressing those that do not shrink.
const LARGE: usize = 256 * 1024;

/// A compressor.
pub(crate) struct Gzip(Compress);

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    /// Compresses; `None` if the result would be longer than `most` bytes.
    pub(crate) fn below(&mut self, bytes: &[u8], most: usize) -> Option<Vec<u8>> {
        let room = most.checked_sub(HEADER.len() + TRAILER + REFERENCE_TRAILER)?;
        if bytes.len() >= LARGE && !shrinks(bytes) {
            return None;
        }
        let mut zipped = Vec::with_capacity(HEADER.len() + room.min(bytes.len()) + TRAILER);
        zipped.extend(HEADER);
        if bytes.len() >= 2 * PIECE {
            pieces(bytes)?.iter().for_each(|piece| zipped.extend(piece));
        } else {
            self.0.reset();
            deflate(&mut self.0, bytes, FlushCompress::Finish, &mut zipped)?;
        }
        if zipped.len() > HEADER.len() + room {
            return None;
        }
        let mut crc = Crc::new();
        crc.update(bytes);
        zipped.extend(crc.sum().to_le_bytes());
        zipped.extend(crc.amount().to_le_bytes());
        zipped.shrink_to_fit();
        Some(zipped)
    }
}

/// Appends the deflated bytes to `out`; `None` if its capacity does not do.
fn deflate(
    compress: &mut Compress,
    bytes: &[u8],
    flush: FlushCompress,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut rest = bytes;
    loop {
        let before = compress.total_in();
        let status = compress.compress_vec(rest, out, flush).ok()?;
        let taken = usize::try_from(compress.total_in() - before).ok()?;
        rest = rest.get(taken..)?;
        let room_left = out.len() < out.capacity();
        match status {
            Status::StreamEnd => return Some(()),
            Status::Ok | Status::BufError if !room_left => return None,
            // A flush is done when it leaves room; a finish says so itself.
            Status::Ok | Status::BufError if flush != FlushCompress::Finish => {
                return rest.is_empty().then_some(());
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// How much of a large file one thread compresses at a time.
const PIECE: usize = 1024 * 1024;

/// Deflates large contents piece by piece on all processors. Each piece knows what came right
/// before it and ends at a byte, so that together they are one stream, and hardly a longer one.
fn pieces(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let next = AtomicUsize::new(0);
    let count = bytes.len().div_ceil(PIECE);
    let work = || -> Option<Vec<(usize, Vec<u8>)>> {
        let mut done = vec![];
        let mut gzip = Gzip::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Some(done);
            }
            done.push((n, piece(&mut gzip.0, bytes, n * PIECE)?));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    let results: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mine = work();
        // A thread that panics leaves the contents as they are.
        let joined = others.into_iter().map(|thread| thread.join().ok().flatten());
        std::iter::once(mine).chain(joined.collect::<Vec<_>>()).collect()
    });
    let mut pieces: Vec<(usize, Vec<u8>)> = vec![];
    for result in results {
        pieces.extend(result?);
    }
    pieces.sort_by_key(|(n, _)| *n);
    Some(pieces.into_iter().map(|(_, piece)| piece).collect())
}

/// Deflates the piece that starts at `start`.
fn piece(compress: &mut Compress, bytes: &[u8], start: usize) -> Option<Vec<u8>> {
    let end = bytes.len().min(start + PIECE);
    let piece = bytes.get(start..end)?;
    compress.reset();
    if start > 0 {
        compress.set_dictionary(bytes.get(start - WINDOW..start)?).ok()?;
    }
    let last = end == bytes.len();
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    // Room for what does not shrink: five bytes for each stored block, and an empty one at the end.
    let mut out = Vec::with_capacity(piece.len() + piece.len() / 1024 + 64);
    deflate(compress, piece, flush, &mut out)?;
    out.shrink_to_fit();
    Some(out)
}

/// How far deflate looks back, and how much is looked at as a whole to see whether it would help.
const WINDOW: usize = 32 * 1024;
/// Below this share of eight bits a byte, Huffman codes shorten a window.
const RANDOM: f64 = 0.995;
/// One repetition in so many bytes is what random bytes have, or gains nothing.
const RARE: usize = 512;

/// Returns whether deflate could shorten bytes: whether in any window some bytes are more frequent
/// than others, or sequences repeat.
fn shrinks(bytes: &[u8]) -> bool {
    let mut seen = vec![0u32; 1 << HASH_BITS];
    bytes.chunks(WINDOW).any(|window| entropy(window) < RANDOM || repeats(window, &mut seen))
}

/// Returns the bits that a byte of the window carries, as a share of eight; corrected for the
/// window being a sample.
fn entropy(window: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    window.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = window.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    // Miller and Madow: a sample looks less random than its source by (m - 1) / 2n nats.
    let correction = 255.0 / (2.0 * total * std::f64::consts::LN_2);
    (bits + correction) / 8.0
}

const HASH_BITS: u32 = 15;

/// Returns whether sequences of four bytes come again in a window more often than by chance. `seen`
/// is kept between windows: what came in the one before counts too.
fn repeats(window: &[u8], seen: &mut [u32]) -> bool {
    let mut found = 0;
    for four in window.windows(4) {
        let Ok(four) = four.try_into() else { continue };
        let word = u32::from_le_bytes(four);
        let slot = (word.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS)) as usize;
        if let Some(last) = seen.get_mut(slot) {
            found += usize::from(*last == word);
            *last = word;
        }
    }
    found > window.len() / RARE
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Bytes without a pattern, the same each time.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .take(length)
        .collect()
    }

    #[test]
    fn only_bytes_without_a_pattern_are_given_up_at_a_glance() {
        let random = noise(1 << 20);
        assert!(!shrinks(&random));
        assert!(shrinks(&[0; 1 << 20]));
        let mut partly = random.clone();
        partly[500_000..540_000].fill(b'x');
        assert!(shrinks(&partly));
        let mut repeated = random.clone();
        repeated.copy_within(100_000..120_000, 125_000);
        assert!(shrinks(&repeated));
        let base64: Vec<u8> = random.iter().map(|byte| b'A' + (byte & 31)).collect();
        assert!(shrinks(&base64));
    }

    #[test]
    fn large_contents_are_one_stream_whatever_the_pieces_hold() {
        let text = b"the same words over and over, as in a log; ".repeat(100_000);
        let mut mixed = text.clone();
        mixed[PIECE - 1000..PIECE + 5000].copy_from_slice(&noise(6000));
        mixed.extend(noise(PIECE / 2));
        for bytes in [&text, &mixed, &mixed[..2 * PIECE].to_vec(), &mixed[..2 * PIECE + 1].to_vec()]
        {
            let zipped = Gzip::new().below(bytes, bytes.len()).unwrap();
            let mut back = vec![];
            let read = flate2::read::GzDecoder::new(zipped.as_slice()).read_to_end(&mut back);
            assert!(read.is_ok() && back == *bytes, "{}", bytes.len());
        }
    }

    #[test]
    fn what_is_too_long_is_not_returned_whatever_the_limit() {
        let random = noise(10_000);
        let mut gzip = Gzip::new();
        for most in [0, 10, 20, 100, 5_000, 9_999] {
            assert_eq!(gzip.below(&random, most), None, "{most}");
        }
        let text = [b'a'; 10_000];
        let whole = gzip.below(&text, 10_000).unwrap();
        let exact = whole.len() + REFERENCE_TRAILER;
        assert_eq!(gzip.below(&text, exact).as_ref(), Some(&whole));
        assert_eq!(gzip.below(&text, exact - 1), None);
    }
}
