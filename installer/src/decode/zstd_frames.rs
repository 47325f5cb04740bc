//! The outlines of zstd frames (RFC 8878, section 3.1): enough to find where a frame ends and
//! how much it holds without decoding it, so that several can be decoded at once.

use thiserror::Error;

/// First bytes of a frame, as a little-endian number.
const MAGIC: u32 = 0xFD2F_B528;
/// First bytes of a skippable frame; the low four bits are free.
const SKIPPABLE: u32 = 0x184D_2A50;

/// Bytes that a frame header has at least and at most, its magic number included.
pub const SHORTEST_HEADER: usize = 6;
/// See [`SHORTEST_HEADER`].
pub const LONGEST_HEADER: usize = 18;

/// Bytes of a checksum at a frame's end.
pub const CHECKSUM_LEN: usize = 4;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame begins here.
    #[error("there is garbage after the end of a frame")]
    Magic,
    /// The header uses a bit that has no meaning yet.
    #[error("the header of a frame is damaged")]
    Header,
    /// A block of the type that has no meaning yet.
    #[error("the header of a block is damaged")]
    Block,
}

/// What begins with a magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of the image.
    Data,
    /// Something to skip: four bytes of length follow, then as many bytes as they say.
    Skippable,
}

/// Recognizes a magic number.
pub fn kind(magic: [u8; 4]) -> Result<Kind, FrameError> {
    match u32::from_le_bytes(magic) {
        MAGIC => Ok(Kind::Data),
        other if other & !0xF == SKIPPABLE => Ok(Kind::Skippable),
        _ => Err(FrameError::Magic),
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the header, its magic number included.
    pub len: usize,
    /// Bytes that the frame says to hold.
    pub content: Option<u64>,
    /// How far back the frame refers: what a decoder must remember.
    pub window: u64,
    /// Bytes of the checksum at the frame's end.
    pub checksum_len: usize,
}

/// Returns how long the header is whose byte after the magic number is `descriptor`.
pub fn header_len(descriptor: u8) -> usize {
    let single = descriptor & 0x20 != 0;
    5 + usize::from(!single) + dictionary_len(descriptor) + content_len(descriptor)
}

/// Reads the header of a frame; `None` when `start` is too short for it.
pub fn header(start: &[u8]) -> Result<Option<Header>, FrameError> {
    let Some((&magic, rest)) = start.split_first_chunk::<4>() else { return Ok(None) };
    if kind(magic)? != Kind::Data {
        return Err(FrameError::Magic);
    }
    let Some(&descriptor) = rest.first() else { return Ok(None) };
    if descriptor & 0x08 != 0 {
        return Err(FrameError::Header);
    }
    let len = header_len(descriptor);
    let Some(fields) = start.get(5..len) else { return Ok(None) };
    let single = descriptor & 0x20 != 0;
    let content_at = fields.len() - content_len(descriptor);
    let content = match &fields[content_at..] {
        [] => None,
        // Two bytes count from 256.
        number => Some(little_endian(number) + if number.len() == 2 { 256 } else { 0 }),
    };
    let window = match (single, content) {
        (true, Some(content)) => content,
        _ => window(fields[0]),
    };
    let checksum_len = if descriptor & 0x04 != 0 { CHECKSUM_LEN } else { 0 };
    Ok(Some(Header { len, content, window, checksum_len }))
}

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Bytes that follow the header.
    pub len: usize,
    /// Whether it is the frame's last block.
    pub last: bool,
}

/// Reads the header of a block.
pub fn block(header: [u8; 3]) -> Result<Block, FrameError> {
    let number = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let size = usize::try_from(number >> 3).map_err(|_16_bit| FrameError::Block)?;
    let len = match (number >> 1) & 3 {
        0 | 2 => size,
        // One byte, repeated.
        1 => 1,
        _ => return Err(FrameError::Block),
    };
    Ok(Block { len, last: number & 1 != 0 })
}

fn dictionary_len(descriptor: u8) -> usize {
    [0, 1, 2, 4][usize::from(descriptor & 3)]
}

fn content_len(descriptor: u8) -> usize {
    match descriptor >> 6 {
        0 => usize::from(descriptor & 0x20 != 0),
        1 => 2,
        2 => 4,
        _ => 8,
    }
}

fn window(descriptor: u8) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + (base >> 3) * u64::from(descriptor & 7)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_shapes_are_read() {
        // Descriptor, fields, (length, content, window, checksum).
        let cases: [(u8, &[u8], Header); 4] = [
            (0x20, &[9], Header { len: 6, content: Some(9), window: 9, checksum_len: 0 }),
            (0x04, &[0x58], Header { len: 6, content: None, window: 1 << 21, checksum_len: 4 }),
            (0x61, &[7, 1, 0], Header { len: 8, content: Some(257), window: 257, checksum_len: 0 }),
            (
                0xC3,
                &[0x01, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0x10],
                Header { len: 18, content: Some(1 << 60), window: 1152, checksum_len: 0 },
            ),
        ];
        for (descriptor, fields, expected) in cases {
            let bytes = [&MAGIC.to_le_bytes()[..], &[descriptor], fields].concat();
            assert_eq!(header(&bytes), Ok(Some(expected)));
            assert_eq!(header(&bytes[..bytes.len() - 1]), Ok(None), "one byte short");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        assert_eq!(header(b"\x28\xB5\x2F\xFC\0\0"), Err(FrameError::Magic));
        assert_eq!(header(b"\x50\x2A\x4D\x18\0\0"), Err(FrameError::Magic));
        assert_eq!(header(b"\x28\xB5\x2F\xFD\x08\0"), Err(FrameError::Header));
        assert_eq!(block([0x06, 0, 0]), Err(FrameError::Block));
        assert_eq!(kind(*b"\x5F\x2A\x4D\x18"), Ok(Kind::Skippable));
    }

    #[test]
    fn blocks_tell_their_length() {
        assert_eq!(block([0x01, 0, 0]), Ok(Block { len: 0, last: true }));
        assert_eq!(block([0x02, 0, 1]), Ok(Block { len: 1, last: false }));
        assert_eq!(block([0x05, 0, 0x10]), Ok(Block { len: 1 << 17, last: true }));
    }
}
