//! What vouches for an image, and the only maker of [`Verified`]: a [`Witness`] that sees every
//! stored byte of an image and then says whether it is the one vouched for.

use anyhow::{Result, bail};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

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

/// Says that an image was read to its end and is what it should be. Only [`Witness::finish`]
/// makes it, and sealing a disk needs it.
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

/// Sees an image as it is stored, byte by byte.
#[derive(Debug)]
pub struct Witness {
    hash: Sha256,
    trust: Trust,
}

impl Witness {
    /// Waits for the first byte.
    pub fn new(trust: Trust) -> Self {
        Self { hash: Sha256::new(), trust }
    }

    /// Takes the next stored bytes.
    pub fn update(&mut self, stored: &[u8]) {
        self.hash.update(stored);
    }

    /// Vouches for the image, whose last byte was seen.
    pub fn finish(self) -> Result<Verified> {
        let digest = Digest::from(<[u8; 32]>::from(self.hash.finalize()));
        match self.trust {
            Trust::Digest(expected) if expected != digest => {
                bail!("the image has the digest {digest}, but {expected} was asked for")
            }
            Trust::Digest(_) | Trust::LiveMedium | Trust::Insecure => Ok(Verified { digest }),
        }
    }
}
