//! Detached signatures as they lie beside an image, binary or armoured, and what can be told of
//! each before the image is read.

use std::time::SystemTime;

use nestos_host::clock;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PacketHeader, Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types as pgp_types;

use super::armor::{self, ArmorError, Around, Kind};
use super::packets::{self, PacketError, Tag};
use super::refusal::{MalformedSignature, Moment, Refusal};

/// No file with detached signatures is larger.
pub const SIGNATURE_FILE_LIMIT: usize = 64 * 1024;

/// Clocks that run on local time are up to 14 hours off.
const CLOCK_SLACK: u32 = 15 * 60 * 60;

/// The signatures of one file, none of them checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFile {
    signatures: Vec<Signature>,
}

impl SignatureFile {
    /// Reads a file, which must hold nothing but signatures. Those of unknown versions are passed
    /// over, as a later program may make them beside one for us.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedSignature> {
        if bytes.is_empty() {
            return Err(MalformedSignature::Empty);
        }
        if bytes.len() > SIGNATURE_FILE_LIMIT {
            return Err(MalformedSignature::TooLarge(SIGNATURE_FILE_LIMIT));
        }
        if armor::is_armored(bytes) {
            let binary = armor::decode(bytes, Kind::Signature, Around::Nothing)?;
            return parse_binary(&binary);
        }
        parse_binary(bytes)
    }

    /// Returns the signatures, at least one.
    pub(crate) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

impl From<ArmorError> for MalformedSignature {
    fn from(error: ArmorError) -> Self {
        match error {
            ArmorError::Truncated(_) => Self::Truncated,
            ArmorError::OtherKind(kind) => Self::OtherContent(format!("a {kind}")),
            ArmorError::Garbage(_) | ArmorError::NotBase64(_) => Self::Armor(error.to_string()),
        }
    }
}

fn parse_binary(bytes: &[u8]) -> Result<SignatureFile, MalformedSignature> {
    let mut rest = bytes;
    let (mut signatures, mut unknown) = (Vec::new(), false);
    while !rest.is_empty() {
        let behind = rest.len();
        let nothing_yet = signatures.is_empty() && !unknown;
        match packets::take(&mut rest) {
            Ok(packet) if packet.tag == Tag::Signature => match parse_signature(packet.body)? {
                Some(signature) => signatures.push(signature),
                None => unknown = true,
            },
            Ok(packet) if packet.tag == Tag::Ignored => {}
            Err(PacketError::Truncated(Tag::Signature)) => {
                return Err(MalformedSignature::Truncated);
            }
            Ok(packet) if nothing_yet => return Err(other_content(packet.tag)),
            Err(_) if nothing_yet => return Err(MalformedSignature::NotOpenPgp(guess(bytes))),
            Ok(_) | Err(_) => return Err(MalformedSignature::TrailingGarbage(behind)),
        }
    }
    match (signatures.is_empty(), unknown) {
        (false, _) => Ok(SignatureFile { signatures }),
        (true, true) => Err(MalformedSignature::UnknownVersion),
        (true, false) => Err(MalformedSignature::Empty),
    }
}

fn other_content(tag: Tag) -> MalformedSignature {
    MalformedSignature::OtherContent(match tag {
        Tag::PublicKey | Tag::PublicSubkey => "a public key".to_owned(),
        Tag::Secret => "a secret key".to_owned(),
        Tag::Other(4) => "a message together with its signature".to_owned(),
        _ => "an OpenPGP message".to_owned(),
    })
}

fn guess(bytes: &[u8]) -> &'static str {
    let start = bytes.trim_ascii_start();
    match start.first() {
        Some(b'<') => ": it looks like a web page",
        _ if start.starts_with(b"untrusted comment:") => ": it is one of minisign or signify",
        _ if start.starts_with(b"-----BEGIN SSH SIGNATURE") => ": it is one of OpenSSH",
        _ => "",
    }
}

/// Returns `None` for a version that is neither 4 nor 6.
pub(crate) fn parse_signature(body: &[u8]) -> Result<Option<Signature>, MalformedSignature> {
    let damaged = |why: String| MalformedSignature::Damaged(why);
    match body.first() {
        None => return Err(damaged("it is empty".to_owned())),
        Some(4 | 6) => {}
        Some(_) => return Ok(None),
    }
    let header = u32::try_from(body.len()).map_err(|e| damaged(e.to_string()))?;
    let header = PacketHeader::new_fixed(pgp_types::Tag::Signature, header);
    let mut rest = body;
    let signature = Signature::try_from_reader(header, &mut rest);
    match signature {
        Err(e) => Err(damaged(e.to_string())),
        Ok(_) if !rest.is_empty() => Err(damaged("there is more than its length says".to_owned())),
        Ok(signature) => Ok(Some(signature)),
    }
}

/// Who made a signature, and when, as the signature itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) made: Moment,
    pub(crate) expires: Option<Moment>,
}

/// Checks what needs neither key nor image.
pub(crate) fn check_alone(signature: &Signature, now: SystemTime) -> Result<Claim, Refusal> {
    match signature.typ() {
        Some(SignatureType::Binary) => {}
        Some(SignatureType::Text) => return Err(Refusal::Text),
        Some(other) => return Err(Refusal::OtherType(other.into())),
        None => return Err(Refusal::Silent("what it is made over")),
    }
    match signature.hash_alg() {
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => {}
        Some(other) => return Err(Refusal::Hash(other)),
        None => return Err(Refusal::Silent("which hash it uses")),
    }
    check_form(signature, now)
}

/// Checks what holds for signatures over files and over keys alike.
pub(crate) fn check_form(signature: &Signature, now: SystemTime) -> Result<Claim, Refusal> {
    let known = matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6);
    let config = signature.config().filter(|_| known);
    let config = config.ok_or(Refusal::Silent("its version in a known way"))?;
    if !is_safe(config.hash_alg) {
        return Err(Refusal::Hash(config.hash_alg));
    }
    let subpackets = config.hashed_subpackets().chain(config.unhashed_subpackets());
    if let Some(demand) = subpackets.filter(|s| s.is_critical).find_map(|s| unknown(&s.data)) {
        return Err(Refusal::Critical(demand));
    }
    let created = signature.created().ok_or(Refusal::Silent("when it was made"))?;
    let made = Moment::from_unix(created.as_secs().into());
    check_clock(made, now)?;
    let lifetime = signature.signature_expiration_time().map(|d| d.as_secs());
    let expires = lifetime.filter(|seconds| *seconds != 0).map(|seconds| made.plus(seconds));
    Ok(Claim { made, expires })
}

/// Refuses what was made in the future.
pub(crate) fn check_clock(made: Moment, now: SystemTime) -> Result<(), Refusal> {
    let now = moment(now);
    if made > now.plus(CLOCK_SLACK) {
        return Err(Refusal::FromTheFuture { made, now });
    }
    Ok(())
}

pub(crate) fn moment(time: SystemTime) -> Moment {
    Moment::from_unix(clock::unix_seconds(time))
}

fn is_safe(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}

/// Names what a critical subpacket demands if this program does not know it. No notation is known.
fn unknown(data: &SubpacketData) -> Option<String> {
    match data {
        SubpacketData::Notation(notation) => {
            let name = String::from_utf8_lossy(&notation.name);
            Some(format!("the notation {name:?}"))
        }
        SubpacketData::Experimental(number, _) | SubpacketData::Other(number, _) => {
            Some(format!("subpacket {number}"))
        }
        SubpacketData::RegularExpression(_) => Some("a regular expression".to_owned()),
        SubpacketData::SignatureTarget(..) => Some("a signature that it is about".to_owned()),
        SubpacketData::IntendedRecipientFingerprint(_) => Some("a certain recipient".to_owned()),
        _ => None,
    }
}
