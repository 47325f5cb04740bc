//! The reader on top of every source: it never says "end" before size and digest are right.

use std::fmt;
use std::io::{self, Read};

use anyhow::{Result, anyhow};
use nestos_formats::image_ref::is_digest;
use oci_spec::image::Descriptor;
use sha2::{Digest as _, Sha256};

/// Checks size and digest of what passes through.
pub struct Verified<R> {
    inner: R,
    what: String,
    digest: String,
    size: u64,
    seen: u64,
    hasher: Sha256,
    verdict: Option<Result<(), String>>,
}

impl<R> fmt::Debug for Verified<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("what", &self.what).field("seen", &self.seen).finish()
    }
}

impl<R: Read> Verified<R> {
    /// Starts at the beginning of the blob; `place` names its source in errors.
    pub fn new(inner: R, descriptor: &Descriptor, place: &str) -> Result<Self> {
        let digest = sha256_of(descriptor, place)?;
        let what = format!("blob {digest} of {place}");
        let size = descriptor.size();
        let hasher = Sha256::new();
        Ok(Self { inner, what, digest, size, seen: 0, hasher, verdict: None })
    }

    fn judge(&mut self) -> Result<(), String> {
        let Self { what, digest, size, seen, .. } = self;
        if seen != size {
            return Err(format!("{what} ends after {seen} of {size} bytes"));
        }
        let found = format!("sha256:{:x}", std::mem::take(&mut self.hasher).finalize());
        if found != *digest {
            return Err(format!("{what} has the digest {found}"));
        }
        Ok(())
    }

    fn settle(&mut self, verdict: Result<(), String>) -> io::Result<usize> {
        let answer = match &verdict {
            Ok(()) => Ok(0),
            Err(reason) => Err(io::Error::new(io::ErrorKind::InvalidData, reason.clone())),
        };
        self.verdict = Some(verdict);
        answer
    }
}

/// Returns the digest of a blob if it is one that can be verified.
pub(super) fn sha256_of(descriptor: &Descriptor, place: &str) -> Result<String> {
    let digest = descriptor.digest().to_string();
    if !is_digest(&digest) {
        return Err(anyhow!("blob {digest} of {place}: only sha256 digests are supported"));
    }
    Ok(digest)
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if let Some(verdict) = self.verdict.take() {
            return self.settle(verdict);
        }
        let n = match self.inner.read(buf) {
            Ok(0) => {
                let verdict = self.judge();
                return self.settle(verdict);
            }
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                // Later reads fail as well, but only the first one has the cause.
                self.verdict = Some(Err(format!("{}: {e}", self.what)));
                return Err(e);
            }
        };
        self.seen = self.seen.saturating_add(n as u64);
        if self.seen > self.size {
            let reason = format!("{} is longer than {} bytes", self.what, self.size);
            return self.settle(Err(reason));
        }
        self.hasher.update(&buf[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::MediaType;
    use std::str::FromStr;

    fn descriptor(content: &[u8], size: u64) -> Descriptor {
        let digest = format!("sha256:{:x}", Sha256::digest(content));
        let digest = oci_spec::image::Digest::from_str(&digest).unwrap();
        Descriptor::new(MediaType::ImageLayerGzip, size, digest)
    }

    fn read(body: &[u8], descriptor: &Descriptor) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut reader = Verified::new(body, descriptor, "h/x").unwrap();
        let first = reader.read_to_end(&mut out).map_err(|e| e.to_string());
        let again = reader.read(&mut [0]).map_err(|e| e.to_string());
        assert_eq!(first.clone().map(|_| 0), again, "the verdict stays");
        first.map(|_| out)
    }

    #[test]
    fn only_the_right_bytes_end() {
        let digest = format!("{:x}", Sha256::digest(b"abc"));
        assert_eq!(read(b"abc", &descriptor(b"abc", 3)).unwrap(), b"abc");
        for (body, size, says) in [
            (&b"ab"[..], 3, "ends after 2 of 3 bytes"),
            (b"abcd", 3, "is longer than 3 bytes"),
            (
                b"abd",
                3,
                "has the digest \
                 sha256:a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9",
            ),
        ] {
            let error = read(body, &descriptor(b"abc", size)).unwrap_err();
            assert_eq!(error, format!("blob sha256:{digest} of h/x {says}"));
        }
    }

    #[test]
    fn nothing_is_a_blob_too() {
        assert_eq!(read(b"", &descriptor(b"", 0)).unwrap(), b"");
    }
}
