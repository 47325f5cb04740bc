//! The only way to get bytes of an image, and the only maker of [`Verified`]: a reader that
//! digests what is stored while it decodes, and vouches for the image once all of it was read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest as _, Sha256};

use crate::decode::{Compression, Decoder};
use crate::digest::Digest;

const BUFFER: usize = 256 * 1024;

/// What vouches for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The stored bytes have this digest.
    Digest(Digest),
    /// The image belongs to the system that is running.
    LiveMedium,
    /// Nothing: accepted with `--insecure`.
    Insecure,
}

/// Says that an image was read to its end and is what it should be. Only
/// [`CheckedReader::finish`] makes it, and sealing a disk needs it.
#[derive(Debug)]
pub struct Verified {
    digest: Digest,
}

impl Verified {
    /// Returns the digest of the image as stored.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Reads an image, decodes it and digests what is stored.
pub struct CheckedReader {
    decoder: Decoder<BufReader<Digesting>>,
    trust: Trust,
}

impl CheckedReader {
    /// Wraps a stored image.
    pub fn new(stored: Box<dyn Read + Send>, trust: Trust) -> Result<Self> {
        let digesting = Digesting { stored, hash: Sha256::new() };
        let decoder = Decoder::new(BufReader::with_capacity(BUFFER, digesting))
            .context("cannot read the image")?;
        Ok(Self { decoder, trust })
    }

    /// Returns how the image is stored.
    pub fn compression(&self) -> Compression {
        self.decoder.compression()
    }

    /// Fills `buf` as far as the image reaches and returns the number of bytes.
    pub fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.decoder.read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.explain(e)),
            }
        }
        Ok(filled)
    }

    /// Makes sure that nothing is left and that the image is the one vouched for.
    pub fn finish(mut self) -> Result<Verified> {
        if self.fill(&mut [0])? != 0 {
            bail!("the image was not read to its end");
        }
        let mut stored = self.decoder.into_stored();
        if !stored.fill_buf().context("cannot read the image")?.is_empty() {
            bail!("there is garbage after the end of the compressed image");
        }
        let digest = Digest::from(<[u8; 32]>::from(stored.into_inner().hash.finalize()));
        match self.trust {
            Trust::Digest(expected) if expected != digest => {
                bail!("the image has the digest {digest}, but {expected} was asked for")
            }
            Trust::Digest(_) | Trust::LiveMedium | Trust::Insecure => Ok(Verified { digest }),
        }
    }

    fn explain(&self, cause: io::Error) -> anyhow::Error {
        match self.compression() {
            Compression::Raw => anyhow!(cause).context("cannot read the image"),
            packed => anyhow!(cause).context(format!(
                "cannot decode the {packed} image: it is cut off, damaged, or has garbage at its end"
            )),
        }
    }
}

impl fmt::Debug for CheckedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedReader({}, {:?})", self.compression(), self.trust)
    }
}

struct Digesting {
    stored: Box<dyn Read + Send>,
    hash: Sha256,
}

impl Read for Digesting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.stored.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        r.fill(&mut [0; 8]).unwrap();
        assert!(r.finish().unwrap_err().to_string().contains(&digest.to_string()));
    }
}
