//! The only way to get bytes of an image: a reader that shows what is stored to a [`Witness`]
//! while it decodes, and asks it for its word once all of the image was read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result, anyhow, bail};

use crate::decode::{Compression, Decoder};
use crate::trust::{Trust, Verified, Witness};

const BUFFER: usize = 256 * 1024;

/// Reads an image, decodes it and lets a witness see what is stored.
pub struct CheckedReader {
    decoder: Decoder<BufReader<Witnessed>>,
}

impl CheckedReader {
    /// Wraps a stored image.
    pub fn new(stored: Box<dyn Read + Send>, trust: Trust) -> Result<Self> {
        let witnessed = Witnessed { stored, witness: Witness::new(trust) };
        let decoder = Decoder::new(BufReader::with_capacity(BUFFER, witnessed))
            .context("cannot read the image")?;
        Ok(Self { decoder })
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
        stored.into_inner().witness.finish()
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
        write!(f, "CheckedReader({})", self.compression())
    }
}

struct Witnessed {
    stored: Box<dyn Read + Send>,
    witness: Witness,
}

impl Read for Witnessed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.stored.read(buf)?;
        self.witness.update(&buf[..n]);
        Ok(n)
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
        r.fill(&mut [0; 8]).unwrap();
        assert!(r.finish().unwrap_err().to_string().contains(&digest.to_string()));
    }
}
