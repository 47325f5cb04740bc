//! The only maker of [`Verified`]: a [`Witness`] that sees every stored byte of an image and then
//! says whether it is the one vouched for.

use std::fmt;

use anyhow::{Result, anyhow, bail};
use nestos_host::term::WithHint;
use serde::Serialize;

use super::hashes::Hashes;
use super::signed::{Signed, Signer};
use crate::digest::Digest;

/// What vouches for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The stored bytes have this digest.
    Digest(Digest),
    /// Known keys signed the stored bytes.
    Signed(Signed),
    /// The image belongs to the system that is running.
    LiveMedium,
    /// The image is put together from the system that is running, and has this digest.
    Rebuilt(Digest),
    /// Nothing: accepted with `--insecure`.
    Insecure,
    /// Nothing: accepted with `--insecure`, but the stream it comes from states this digest.
    Stated(Digest),
}

/// What vouched for an image that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Vouched {
    /// Known keys signed it.
    Signatures {
        /// Who signed.
        by: Vec<Signer>,
    },
    /// Its digest was given.
    Digest,
    /// It belongs to the live medium.
    LiveMedium,
    /// Nothing did; it was accepted with `--insecure`.
    Nothing,
}

impl fmt::Display for Vouched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signatures { by } => {
                let by: Vec<String> = by.iter().map(Signer::to_string).collect();
                write!(f, "signed by {}", by.join("; and by "))
            }
            Self::Digest => f.write_str("its digest is the one given"),
            Self::LiveMedium => f.write_str("it is part of the live medium"),
            Self::Nothing => f.write_str("nothing (--insecure)"),
        }
    }
}

/// Says that an image was read to its end and is what it should be. Only [`Witness::finish`]
/// makes it, and sealing a disk needs it.
#[derive(Debug)]
pub struct Verified {
    digest: Digest,
    vouched: Vouched,
}

impl Verified {
    /// Returns the digest of the image as stored.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns what vouched for the image.
    pub fn vouched_by(&self) -> &Vouched {
        &self.vouched
    }
}

/// Sees an image as it is stored, byte by byte.
#[derive(Debug)]
pub struct Witness {
    hashes: Hashes,
    trust: Trust,
}

impl Witness {
    /// Waits for the first byte.
    pub fn new(trust: Trust) -> Self {
        let hashes = match &trust {
            Trust::Signed(signed) => signed.begin(),
            _ => Hashes::begin([]),
        };
        Self { hashes, trust }
    }

    /// Takes the next stored bytes.
    pub fn update(&mut self, stored: &[u8]) {
        self.hashes.update(stored);
    }

    /// Vouches for the image, whose last byte was seen.
    pub fn finish(self) -> Result<Verified> {
        let digest = self.hashes.digest();
        let expected = match &self.trust {
            Trust::Digest(expected) | Trust::Stated(expected) => Some(*expected),
            Trust::Signed(signed) => signed.digest(),
            Trust::Rebuilt(stated) if *stated != digest => {
                return Err(anyhow!(
                    "the image that was put together has the digest {digest}, but the live medium \
                     says {stated}"
                ))
                .hint("the live medium is damaged: check it, or write it anew");
            }
            Trust::Rebuilt(_) => None,
            Trust::LiveMedium | Trust::Insecure => None,
        };
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            bail!("the image has the digest {digest}, but {expected} was asked for");
        }
        let vouched = match self.trust {
            Trust::Signed(signed) => Vouched::Signatures { by: signed.check(&self.hashes)? },
            Trust::Digest(_) => Vouched::Digest,
            Trust::LiveMedium | Trust::Rebuilt(_) => Vouched::LiveMedium,
            Trust::Insecure | Trust::Stated(_) => Vouched::Nothing,
        };
        Ok(Verified { digest, vouched })
    }
}
