//! The only way to get bytes of an image: a reader that shows what is stored to a witness while
//! it decodes, and asks it for its word once all of the image was read.

use std::fmt;
use std::io::{BufRead, Read};

use anyhow::{Context, Result, bail};

use crate::chunk::Chunk;
use crate::decode::{self, Compression};
use crate::stored::StoredReader;
use crate::stream::{ImageStream, Piece};
use crate::trust::{Trust, Verified};

/// Reads an image, decodes it and lets a witness see what is stored; other threads do so ahead
/// of the one that asks.
pub struct CheckedReader {
    stream: ImageStream,
    compression: Compression,
    rest: Option<Chunk>,
    verified: Option<Verified>,
}

impl CheckedReader {
    /// Wraps a stored image, and waits for its first bytes.
    pub fn new(stored: Box<dyn Read + Send>, trust: Trust) -> Result<Self> {
        let mut stored = StoredReader::start(stored, trust)?;
        let start = stored.fill_buf().map(Compression::sniff);
        let compression = match (start, stored.take_failure()) {
            (_, Some(cause)) => return Err(cause).context("cannot read the image"),
            (start, None) => start.context("cannot read the image")?,
        };
        let stream = ImageStream::new(decode::start(stored, compression)?);
        Ok(Self { stream, compression, rest: None, verified: None })
    }

    /// Returns how the image is stored.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Fills `buf` as far as the image reaches and returns the number of bytes.
    pub fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() && self.verified.is_none() {
            let Some(mut rest) = self.rest.take().filter(|rest| !rest.is_empty()) else {
                match self.stream.next(|| Ok(()))? {
                    Piece::Bytes(chunk) => self.rest = Some(chunk),
                    Piece::End(verified) => self.verified = Some(verified),
                }
                continue;
            };
            let front = rest.split_front(buf.len() - filled);
            buf[filled..filled + front.len()].copy_from_slice(&front);
            filled += front.len();
            self.rest = Some(rest);
        }
        Ok(filled)
    }

    /// Makes sure that nothing is left and that the image is the one vouched for.
    pub fn finish(mut self) -> Result<Verified> {
        if self.fill(&mut [0])? != 0 {
            bail!("the image was not read to its end");
        }
        self.verified.context("the image was not read to its end")
    }

    pub(crate) fn into_stream(self) -> ImageStream {
        self.stream
    }
}

impl fmt::Debug for CheckedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedReader({})", self.compression())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn reader(bytes: &'static [u8], trust: Trust) -> CheckedReader {
        CheckedReader::new(Box::new(bytes), trust).unwrap()
    }

    #[test]
    fn only_a_drained_reader_vouches() {
        let mut r = reader(b"abc", Trust::Insecure);
        assert_eq!(r.fill(&mut [0; 2]).unwrap(), 2);
        assert!(r.finish().is_err());
        let mut r = reader(b"abc", Trust::Insecure);
        assert_eq!(r.fill(&mut [0; 8]).unwrap(), 3);
        let digest = r.finish().unwrap().digest().to_string();
        assert!(digest.starts_with("sha256:ba7816bf"));
    }

    #[test]
    fn another_digest_is_refused() {
        let digest = Digest::from([7; 32]);
        let mut r = reader(b"abc", Trust::Digest(digest));
        assert!(r.fill(&mut [0; 8]).unwrap_err().to_string().contains(&digest.to_string()));
        assert!(r.finish().is_err(), "an error stays");
    }
}
