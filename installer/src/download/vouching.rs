//! What vouches for a downloaded file.

use std::path::Path;

use anyhow::{Result, anyhow};
use nestos_host::term::WithHint;

use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::request::Unsigned;
use crate::source::Chosen;
use crate::trust::Trust;

/// Longest signature.
const SIGNATURE_LIMIT: u64 = 1024 * 1024;

/// What must vouch for a file.
#[derive(Debug, Clone)]
pub struct Vouching {
    /// Whether a file that nobody signed is accepted.
    pub unsigned: Unsigned,
}

/// A detached signature.
#[derive(Debug)]
pub(super) struct Signature {
    place: String,
    bytes: Vec<u8>,
}

impl Signature {
    /// Reads one that is there already.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        Some(Self { place: path.display().to_string(), bytes })
    }

    /// Fetches the one of a file, if there is one.
    pub(super) fn fetch(file: &Chosen, retries: Retries) -> Result<Option<Self>> {
        let url = file.signature_url();
        let bytes = fetch::bytes_if_there(&url, retries, SIGNATURE_LIMIT)?;
        Ok(bytes.map(|bytes| Self { place: fetch::shown(&url), bytes }))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Vouching {
    /// Settles what vouches for a file that has a signature or not, and whose digest is known or
    /// not.
    pub(super) fn settle(
        &self,
        signature: Option<&Signature>,
        sha256: Option<Digest>,
    ) -> Result<Trust> {
        if self.unsigned == Unsigned::Refuse {
            let reason = match signature {
                Some(signature) => format!("the signature {} cannot be checked", signature.place),
                None => "there is no signature".to_owned(),
            };
            return Err(anyhow!("nothing vouches for the file: {reason}"))
                .hint("accept it unverified with --insecure");
        }
        Ok(sha256.map_or(Trust::Insecure, Trust::Digest))
    }
}

/// Returns whether the trust depends on every byte.
pub(super) fn tells_content(trust: &Trust) -> bool {
    *trust != Trust::Insecure
}
