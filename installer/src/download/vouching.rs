//! What vouches for a downloaded file.

use anyhow::Result;
use nestos_host::{clock, term};

use crate::digest::Digest;
use crate::request::Unsigned;
use crate::trust::{Evidence, KeySources, Keyring, Policy, Trust, settle};

/// What must vouch for a file.
#[derive(Debug, Clone)]
pub struct Vouching {
    /// The digest that was asked for.
    pub digest: Option<Digest>,
    /// Whether a file that nobody signed is accepted.
    pub unsigned: Unsigned,
    /// Where the keys are that may sign.
    pub keys: KeySources,
}

/// The same with the keys at hand.
#[derive(Debug)]
pub(super) struct Judge {
    digest: Option<Digest>,
    unsigned: Unsigned,
    keyring: Keyring,
}

impl Judge {
    /// Reads the keys.
    pub(super) fn new(vouching: &Vouching) -> Result<Self> {
        let keyring = Keyring::load(&vouching.keys)?;
        keyring.warnings().iter().for_each(term::warning);
        Ok(Self { digest: vouching.digest, unsigned: vouching.unsigned, keyring })
    }

    /// Settles what vouches for a file whose digest the stream states or not.
    pub(super) fn settle(&self, evidence: &Evidence, stated: Option<Digest>) -> Result<Trust> {
        let policy = Policy { digest: self.digest, stated, unsigned: self.unsigned };
        let settled = settle(evidence, &policy, &self.keyring, clock::now())?;
        settled.warnings.iter().for_each(term::warning);
        Ok(settled.trust)
    }
}

/// Returns whether the trust depends on every byte.
pub(super) fn tells_content(trust: &Trust) -> bool {
    *trust != Trust::Insecure
}
