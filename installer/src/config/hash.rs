//! The hash by which a config is known.

use std::str::FromStr;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;

/// The digest of a config as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigHash {
    kind: HashKind,
    hex: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HashKind {
    Sha256,
    Sha512,
}

/// A text that is no hash of a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConfigHashError {
    /// No kind that we know.
    #[error("a hash begins with sha256- or sha512-")]
    Kind,
    /// Not the right number of hexadecimal digits.
    #[error("the hash has to have {0} hexadecimal digits")]
    Length(usize),
}

impl FromStr for ConfigHash {
    type Err = ConfigHashError;

    fn from_str(text: &str) -> Result<Self, ConfigHashError> {
        let (kind, length, hex) = match text.split_once('-') {
            Some(("sha256", hex)) => (HashKind::Sha256, 64, hex),
            Some(("sha512", hex)) => (HashKind::Sha512, 128, hex),
            _ => return Err(ConfigHashError::Kind),
        };
        if hex.len() != length || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ConfigHashError::Length(length));
        }
        Ok(Self { kind, hex: hex.to_ascii_lowercase() })
    }
}

impl ConfigHash {
    /// Fails when `bytes` have another digest.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<()> {
        let hex = |digest: &[u8]| digest.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let actual = match self.kind {
            HashKind::Sha256 => hex(&Sha256::digest(bytes)),
            HashKind::Sha512 => hex(&Sha512::digest(bytes)),
        };
        if actual != self.hex {
            bail!("its digest is {actual}, but --ignition-hash asks for {}", self.hex);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_a_kind_and_the_right_length() {
        let empty = "sha256-E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
        let hash: ConfigHash = empty.parse().unwrap();
        hash.check(b"").unwrap();
        assert!(hash.check(b"x").unwrap_err().to_string().contains("but --ignition-hash asks"));
        for bad in ["", "sha256-", "md5-00", "sha512-00", &empty[..70], &empty.replace('E', "g")] {
            assert!(bad.parse::<ConfigHash>().is_err(), "{bad}");
        }
    }
}
