//! Why a signature does not vouch: one reason, one message, one piece of advice each.

use std::fmt;

use jiff::Timestamp;
use pgp::crypto::hash::HashAlgorithm;
use thiserror::Error;

/// A moment, printed as a day and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Seconds since 1970-01-01 UTC.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds)
    }

    pub(crate) fn plus(self, seconds: u32) -> Self {
        Self(self.0 + u64::from(seconds))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        match Timestamp::from_second(seconds) {
            Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
            Err(_beyond_the_calendar) => write!(f, "{seconds} seconds after 1970"),
        }
    }
}

/// A file that is no detached signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MalformedSignature {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Larger than any signature.
    #[error("it has more than {0} bytes, as no detached signature has")]
    TooLarge(usize),
    /// Something else altogether.
    #[error("it is not an OpenPGP signature{0}")]
    NotOpenPgp(&'static str),
    /// OpenPGP, but something else than a signature.
    #[error("it is not a detached signature: it holds {0}")]
    OtherContent(String),
    /// It ends too early.
    #[error("it is cut off")]
    Truncated,
    /// It ends too late.
    #[error("there are {0} bytes of garbage after the signature")]
    TrailingGarbage(usize),
    /// Damaged armour.
    #[error("its armour is damaged: {0}")]
    Armor(String),
    /// A signature inside is not what the standard says.
    #[error("a signature in it is damaged: {0}")]
    Damaged(String),
    /// Only signatures of versions that nobody here can check.
    #[error("it has only signatures of versions other than 4 and 6")]
    UnknownVersion,
}

/// Why one signature does not vouch for an image.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Made over text.
    #[error("the signature is one over text, which ignores changes of line ends")]
    Text,
    /// Made over something that is no file.
    #[error("the signature is not one over a file (its type is {0:#04x})")]
    OtherType(u8),
    /// A hash for which forgeries can be made, or one that nobody uses for files.
    #[error("the signature uses the hash {0}; only SHA256, SHA384 and SHA512 are accepted")]
    Hash(HashAlgorithm),
    /// Nobody can tell what its maker meant.
    #[error("the signature demands something unknown to this program: {0}")]
    Critical(String),
    /// A field that every signature has is missing.
    #[error("the signature does not say {0}")]
    Silent(&'static str),
    /// No keyring has the key.
    #[error("the image is signed by the unknown key {key}; the keyrings are {searched}")]
    UnknownKey {
        /// Fingerprint or key ID.
        key: String,
        /// Where keys were looked for.
        searched: String,
    },
    /// The signature was not to be used any more.
    #[error("the signature by key {key} expired on {at}")]
    ExpiredSignature {
        /// Fingerprint.
        key: String,
        /// When.
        at: Moment,
    },
    /// The key was not to be used any more.
    #[error("the image is signed by key {key}, which expired on {at}")]
    ExpiredKey {
        /// Fingerprint.
        key: String,
        /// When.
        at: Moment,
    },
    /// The owner of the key took it back.
    #[error("the image is signed by key {key}, which was revoked{why}")]
    RevokedKey {
        /// Fingerprint.
        key: String,
        /// What the owner says about it, after a colon.
        why: String,
    },
    /// From the future: a clock is wrong.
    #[error("the signature was made on {made}, but the clock of this machine says {now}")]
    FromTheFuture {
        /// When it was made, or its key.
        made: Moment,
        /// What the clock says.
        now: Moment,
    },
    /// Made before the key existed.
    #[error("the signature says it was made on {made}, before its key {key} was on {created}")]
    OlderThanKey {
        /// Fingerprint.
        key: String,
        /// When the signature was made.
        made: Moment,
        /// When the key was made.
        created: Moment,
    },
    /// A key that can be broken or is of a kind that is not accepted.
    #[error("the image is signed by key {key}, which is too weak: {why}")]
    WeakKey {
        /// Fingerprint.
        key: String,
        /// What is weak.
        why: String,
    },
    /// A key that does not belong to its owner, as far as can be told.
    #[error("the image is signed by key {key}, which is not usable: {why}")]
    UnusableKey {
        /// Fingerprint.
        key: String,
        /// What is missing.
        why: String,
    },
}

impl Refusal {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => {
                "if you trust that key, put it into /etc/nestos/keys or give it with --keyring FILE; \
                 or give the digest of the image with --image-digest sha256:HEX"
            }
            Self::FromTheFuture { .. } => "set the clock of this machine, then try again",
            Self::ExpiredKey { .. } => {
                "get the renewed key into /etc/nestos/keys or give it with --keyring FILE, or use a \
                 newer image; or give the digest of the image with --image-digest sha256:HEX"
            }
            Self::RevokedKey { .. } => {
                "do not use this image unless its digest is known from elsewhere; then give it with \
                 --image-digest sha256:HEX"
            }
            _ => {
                "get a newer image with its signature, or give the digest of the image with \
                 --image-digest sha256:HEX"
            }
        }
    }
}
