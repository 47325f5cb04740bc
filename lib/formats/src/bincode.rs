//! The subset of bincode 1 that media made by coreos-installer are written in: little-endian
//! numbers of variable length, and lengths before texts and lists. Nothing is allocated for what
//! has not arrived.

use std::io::{self, ErrorKind, Read};

use thiserror::Error;

/// First byte of numbers of two, four and eight bytes; smaller bytes are numbers themselves.
const TWO: u8 = 251;
const FOUR: u8 = 252;
const EIGHT: u8 = 253;

/// Why bytes cannot be read.
#[derive(Debug, Error)]
pub enum BincodeError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes end within a value.
    #[error("it is cut off")]
    Cut,
    /// A value is none that there can be.
    #[error("{0}")]
    Wrong(&'static str),
}

/// Reads one value after the other and not a byte more.
pub(crate) struct Reader<R>(pub(crate) R);

impl<R: Read> Reader<R> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], BincodeError> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => BincodeError::Cut,
            _ => e.into(),
        })?;
        Ok(bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, BincodeError> {
        let [first] = self.array()?;
        Ok(match first {
            TWO => u16::from_le_bytes(self.array()?).into(),
            FOUR => u32::from_le_bytes(self.array()?).into(),
            EIGHT => u64::from_le_bytes(self.array()?),
            0..TWO => first.into(),
            _ => return Err(BincodeError::Wrong("a number is too large")),
        })
    }

    pub(crate) fn u32(&mut self) -> Result<u32, BincodeError> {
        u32::try_from(self.u64()?).map_err(|_large| BincodeError::Wrong("a number is too large"))
    }

    /// Returns the length of a list, which has at most `most` items.
    pub(crate) fn length(&mut self, most: usize) -> Result<usize, BincodeError> {
        let length = usize::try_from(self.u64()?).ok().filter(|length| *length <= most);
        length.ok_or(BincodeError::Wrong("a list is too long"))
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Result<Vec<u8>, BincodeError> {
        let length = self.length(most)?;
        let mut bytes = Vec::new();
        (&mut self.0).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() == length { Ok(bytes) } else { Err(BincodeError::Cut) }
    }

    pub(crate) fn text(&mut self, most: usize) -> Result<String, BincodeError> {
        String::from_utf8(self.bytes(most)?)
            .map_err(|_other| BincodeError::Wrong("a text is not UTF-8"))
    }
}

/// Adds a number in its shortest form.
pub(crate) fn put_u64(out: &mut Vec<u8>, number: u64) {
    match (u8::try_from(number), u16::try_from(number), u32::try_from(number)) {
        (Ok(byte @ 0..TWO), ..) => out.push(byte),
        (_, Ok(number), _) => put(out, TWO, &number.to_le_bytes()),
        (_, _, Ok(number)) => put(out, FOUR, &number.to_le_bytes()),
        _ => put(out, EIGHT, &number.to_le_bytes()),
    }
}

/// Adds bytes, or a text, after their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put(out: &mut Vec<u8>, first: u8, rest: &[u8]) {
    out.push(first);
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_length_they_need() {
        for (number, bytes) in [
            (0, &[0][..]),
            (250, &[250]),
            (251, &[251, 251, 0]),
            (255, &[251, 255, 0]),
            (65535, &[251, 255, 255]),
            (65536, &[252, 0, 0, 1, 0]),
            (1 << 32, &[253, 0, 0, 0, 0, 1, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            put_u64(&mut out, number);
            assert_eq!(out, bytes);
            assert_eq!(Reader(&out[..]).u64().unwrap(), number);
        }
        for wrong in [&[][..], &[251, 1], &[254], &[255], &[253, 1, 2, 3, 4, 5, 6, 7]] {
            assert!(Reader(wrong).u64().is_err());
        }
        assert!(Reader(&[253, 0, 0, 0, 0, 1, 0, 0, 0][..]).u32().is_err());
    }

    #[test]
    fn lengths_are_bounded_and_believed_only_when_the_bytes_are_there() {
        let mut out = Vec::new();
        put_bytes(&mut out, b"abc");
        assert_eq!(Reader(&out[..]).text(3).unwrap(), "abc");
        assert!(matches!(Reader(&out[..]).text(2), Err(BincodeError::Wrong(_))));
        assert!(matches!(Reader(&out[..3]).text(3), Err(BincodeError::Cut)));
        let huge = [253, 0, 0, 0, 0, 0, 0, 0, 0x10];
        assert!(matches!(Reader(&huge[..]).bytes(usize::MAX), Err(BincodeError::Cut)));
        assert!(Reader(&[1, 0xFF][..]).text(1).is_err());
    }
}
