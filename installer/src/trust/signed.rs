//! Signatures by known keys that lack only one thing: the content they were made over.

use std::fmt;
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use nestos_host::term::WithHint;
use pgp::packet::Signature;
use serde::Serialize;

use super::certificate::{Certificate, Key, shown};
use super::hashes::{Hashes, Need};
use super::refusal::Moment;
use crate::digest::Digest;

/// Who signed an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// The name that the key states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Fingerprint of the primary key.
    pub key: String,
    /// Fingerprint of the subkey that signed, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subkey: Option<String>,
    /// When, as the signature says.
    pub made: String,
}

impl Signer {
    pub(super) fn new(certificate: &Certificate, key: &Key, made: Moment, now: SystemTime) -> Self {
        let subkey = match key {
            Key::Primary(_) => None,
            Key::Subkey(subkey) => Some(shown(subkey)),
        };
        let primary = format!("{:X}", certificate.fingerprint());
        Self { owner: certificate.owner(now), key: primary, subkey, made: made.to_string() }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(owner) = &self.owner {
            write!(f, "{owner}, ")?;
        }
        write!(f, "key {}, on {}", self.key, self.made)
    }
}

/// A signature that holds if the content is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) signature: Signature,
    pub(super) key: Key,
    pub(super) signer: Signer,
}

/// What [`super::settle`] found to vouch for an image: at least one signature by a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    candidates: Vec<Candidate>,
    digest: Option<Digest>,
}

impl Signed {
    pub(super) fn new(candidates: Vec<Candidate>, digest: Option<Digest>) -> Self {
        Self { candidates, digest }
    }

    /// Returns who is said to have signed.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.candidates.iter().map(|candidate| &candidate.signer)
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Begins the hashes that the signatures need.
    pub(super) fn begin(&self) -> Hashes {
        let needs = self.candidates.iter().filter_map(|candidate| Need::of(&candidate.signature));
        Hashes::begin(needs)
    }

    /// Makes sure that every signature is over the content that was hashed.
    pub(super) fn check(self, hashes: &Hashes) -> Result<Vec<Signer>> {
        for candidate in &self.candidates {
            let checked = candidate.check(hashes).map_err(|_one_word_for_all| {
                anyhow!(
                    "bad signature: the image was changed or damaged after it was signed by {}",
                    candidate.signer
                )
            });
            checked.hint("get the image and its signature again, from a place that you trust")?;
        }
        Ok(self.candidates.into_iter().map(|candidate| candidate.signer).collect())
    }
}

impl Candidate {
    fn check(&self, hashes: &Hashes) -> Result<()> {
        let missing = || anyhow!("the signature cannot be checked");
        let need = Need::of(&self.signature).ok_or_else(missing)?;
        let mut state = hashes.state(&need).ok_or_else(missing)?;
        let config = self.signature.config().ok_or_else(missing)?;
        let length = config.hash_signature_data(&mut state)?;
        state.update(&config.trailer(length)?);
        let hash = state.finalize();
        let begins = self.signature.signed_hash_value().ok_or_else(missing)?;
        if !hash.starts_with(&begins) {
            return Err(anyhow!("the hash is another one"));
        }
        let bytes = self.signature.signature().ok_or_else(missing)?;
        self.key.verifying().verify(config.hash_alg, &hash, bytes)?;
        Ok(())
    }
}
