//! The hashes of an image, all made in one pass over it: one for all signatures of a kind.

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureVersionSpecific};

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::digest::Digest;

/// What a signature is over: a hash of its salt, if it has one, and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    algorithm: HashAlgorithm,
    salt: Vec<u8>,
}

impl Need {
    pub(super) fn of(signature: &Signature) -> Option<Self> {
        let config = signature.config()?;
        let salt = match &config.version_specific {
            SignatureVersionSpecific::V6 { salt } => salt.clone(),
            _ => Vec::new(),
        };
        Some(Self { algorithm: config.hash_alg, salt })
    }
}

/// The hashes that an image needs; always its digest, too.
#[derive(Debug, Clone)]
pub(super) struct Hashes {
    digest: Sha256,
    others: Vec<(Need, State)>,
}

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hashes {
    pub(super) fn begin(needs: impl IntoIterator<Item = Need>) -> Self {
        let mut hashes = Self { digest: Sha256::new(), others: Vec::new() };
        for need in needs {
            if let Some(state) = State::begin(&need)
                && hashes.state(&need).is_none()
            {
                hashes.others.push((need, state));
            }
        }
        hashes
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        for (_, state) in &mut self.others {
            state.update(bytes);
        }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::from(<[u8; 32]>::from(self.digest.clone().finalize()))
    }

    /// Returns a copy of the hash after what was seen so far.
    pub(super) fn state(&self, need: &Need) -> Option<Box<dyn sha2::digest::DynDigest + Send>> {
        if need.algorithm == HashAlgorithm::Sha256 && need.salt.is_empty() {
            return Some(Box::new(self.digest.clone()));
        }
        let (_, state) = self.others.iter().find(|(other, _)| other == need)?;
        Some(state.boxed())
    }
}

impl State {
    fn begin(need: &Need) -> Option<Self> {
        let mut state = match need.algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            HashAlgorithm::Sha384 => Self::Sha384(Sha384::new()),
            HashAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
            _ => return None,
        };
        state.update(&need.salt);
        Some(state)
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha384(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    fn boxed(&self) -> Box<dyn sha2::digest::DynDigest + Send> {
        match self {
            Self::Sha256(state) => Box::new(state.clone()),
            Self::Sha384(state) => Box::new(state.clone()),
            Self::Sha512(state) => Box::new(state.clone()),
        }
    }
}
