//! The outermost layer of OpenPGP: packets, each a tag, a length and a body. Signatures and keys
//! come in packets of a stated length only, so that what is cut off and what was appended can be
//! told from each other. See RFC 9580, section 4.2.

use thiserror::Error;

/// What a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Signature,
    PublicKey,
    PublicSubkey,
    /// A secret key or subkey.
    Secret,
    UserId,
    UserAttribute,
    /// What says nothing: a marker, padding, GnuPG's own notes, or what may be passed over.
    Ignored,
    /// Anything else: part of a message.
    Other(u8),
}

impl From<u8> for Tag {
    fn from(number: u8) -> Self {
        match number {
            2 => Self::Signature,
            5 | 7 => Self::Secret,
            6 => Self::PublicKey,
            10 | 12 | 21 | 40..=63 => Self::Ignored,
            13 => Self::UserId,
            14 => Self::PublicSubkey,
            17 => Self::UserAttribute,
            other => Self::Other(other),
        }
    }
}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) tag: Tag,
    pub(crate) body: &'a [u8],
}

/// Why bytes are not a row of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum PacketError {
    /// The bytes end inside a packet.
    #[error("it is cut off")]
    Truncated(Tag),
    /// This is no packet, or none that a signature or a key may be in.
    #[error("there is something that is no packet")]
    NoPacket,
}

/// Takes the first packet off `rest`, which must not be empty.
pub(crate) fn take<'a>(rest: &mut &'a [u8]) -> Result<Packet<'a>, PacketError> {
    let (&head, mut bytes) = rest.split_first().ok_or(PacketError::NoPacket)?;
    let (number, length) = match head >> 6 {
        0b11 => (head & 0x3f, new_length(&mut bytes)),
        0b10 => (head >> 2 & 0x0f, old_length(head & 3, &mut bytes)),
        _ => return Err(PacketError::NoPacket),
    };
    let tag = Tag::from(number);
    let length = match length {
        Length::Known(length) => length,
        Length::CutOff => return Err(PacketError::Truncated(tag)),
        Length::Open => return Err(PacketError::NoPacket),
    };
    let (body, after) = bytes.split_at_checked(length).ok_or(PacketError::Truncated(tag))?;
    *rest = after;
    Ok(Packet { tag, body })
}

enum Length {
    Known(usize),
    CutOff,
    /// Partial or up to the end: only data come like this.
    Open,
}

fn new_length(bytes: &mut &[u8]) -> Length {
    match number(bytes, 1) {
        None => Length::CutOff,
        Some(short @ 0..=191) => Length::Known(short),
        Some(first @ 192..=223) => match number(bytes, 1) {
            Some(second) => Length::Known((first - 192) * 256 + second + 192),
            None => Length::CutOff,
        },
        Some(255) => number(bytes, 4).map_or(Length::CutOff, Length::Known),
        Some(_) => Length::Open,
    }
}

fn old_length(kind: u8, bytes: &mut &[u8]) -> Length {
    match kind {
        0..=2 => number(bytes, 1 << kind).map_or(Length::CutOff, Length::Known),
        _ => Length::Open,
    }
}

fn number(bytes: &mut &[u8], width: usize) -> Option<usize> {
    let (digits, rest) = bytes.split_at_checked(width)?;
    *bytes = rest;
    Some(digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_every_length_are_taken_off() {
        for (header, length) in [
            (vec![0xC2, 3], 3),
            (vec![0xC2, 192, 0], 192),
            (vec![0xC2, 223, 255], 8383),
            (vec![0xC2, 255, 0, 0, 0, 5], 5),
            (vec![0x88, 7], 7),
            (vec![0x89, 1, 0], 256),
            (vec![0x8A, 0, 0, 1, 1], 257),
        ] {
            let bytes = [header.clone(), vec![9; length], vec![1]].concat();
            let mut rest = &bytes[..];
            let packet = take(&mut rest).unwrap();
            assert_eq!((packet.tag, packet.body.len()), (Tag::Signature, length), "{header:?}");
            assert_eq!(rest, [1]);
            let mut cut = &bytes[..bytes.len() - 2];
            assert_eq!(take(&mut cut), Err(PacketError::Truncated(Tag::Signature)), "{header:?}");
        }
    }

    #[test]
    fn what_is_no_packet_is_told() {
        for bytes in [&b"<html>"[..], b"", &[0xC2, 224, 0], &[0x8B, 0]] {
            assert_eq!(take(&mut &bytes[..]), Err(PacketError::NoPacket), "{bytes:?}");
        }
        assert_eq!(take(&mut &[0xC2, 200][..]), Err(PacketError::Truncated(Tag::Signature)));
    }
}
