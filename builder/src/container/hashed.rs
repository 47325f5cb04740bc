//! A writer that knows the SHA-256 and the length of what went through it.

use std::io::{Result, Write};

use sha2::{Digest, Sha256};

/// The writer around `inner`.
#[derive(Debug)]
pub(crate) struct Hashed<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W> Hashed<W> {
    /// Wraps a writer.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    /// Returns the writer, the digest as lower-case hex and the length.
    pub(crate) fn finish(self) -> (W, String, u64) {
        (self.inner, format!("{:x}", self.hash.finalize()), self.length)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..n).unwrap_or_default());
        self.length += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}
