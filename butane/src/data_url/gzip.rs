//! Compresses contents as the reference does: best level, no name, no time, unknown system. Keeps
//! the compressor between uses, since setting one up costs more than a short text does.

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
        self.0.reset();
        let mut rest = bytes;
        loop {
            let before = self.0.total_in();
            let status = self.0.compress_vec(rest, &mut zipped, FlushCompress::Finish).ok()?;
            let taken = usize::try_from(self.0.total_in() - before).ok()?;
            rest = rest.get(taken..)?;
            if zipped.len() > HEADER.len() + room {
                return None;
            }
            match status {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError if zipped.len() < zipped.capacity() => {}
                // What is left of the capacity is for the trailer: the limit is reached.
                Status::Ok | Status::BufError => return None,
            }
        }
        let mut crc = Crc::new();
        crc.update(bytes);
        zipped.extend(crc.sum().to_le_bytes());
        zipped.extend(crc.amount().to_le_bytes());
        zipped.shrink_to_fit();
        Some(zipped)
    }
}

/// How much of the bytes is looked at as a whole.
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
