//! What vouches for an image: a digest that somebody gave, signatures by known keys, the live
//! medium, or nothing. Everything that can be known before the image is read is settled before
//! the disk is touched; the rest by a [`Witness`], the only maker of [`Verified`].

mod armor;
mod certificate;
mod evidence;
mod hashes;
mod keyring;
mod packets;
mod refusal;
mod settle;
mod signature;
mod signed;
mod witness;

pub use evidence::{Evidence, SIGNATURE_SUFFIXES};
pub use keyring::{KEY_FILE_LIMIT, KeySources, Keyring, SYSTEM_DIRECTORIES};
pub use refusal::{MalformedSignature, Moment, Refusal};
pub use settle::{Policy, Settled, settle};
pub use signature::{SIGNATURE_FILE_LIMIT, SignatureFile};
pub use signed::{Signed, Signer};
pub use witness::{Trust, Verified, Vouched, Witness};
