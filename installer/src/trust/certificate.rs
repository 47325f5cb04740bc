//! A public key with everything said about it, and what of that holds: only what the key itself
//! signed, with a hash that is safe, counts. Copies of one key are joined, so that a revocation
//! in any file counts, and so does the newest date of expiry.

use std::fmt;
use std::time::SystemTime;

use pgp::packet::{
    PacketHeader, PublicKey, PublicSubkey, RevocationCode, Signature, SignatureType, UserId,
};
use pgp::types::{Fingerprint, KeyDetails, KeyId, PublicParams, Tag as PgpTag, VerifyingKey};

use super::packets::{Packet, Tag};
use super::refusal::{Moment, Refusal};
use super::signature::{check_clock, check_form, moment, parse_signature};

/// A primary key, its names and its subkeys.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    primary: PublicKey,
    /// Signatures over the key itself.
    direct: Vec<Signature>,
    names: Vec<(UserId, Vec<Signature>)>,
    subkeys: Vec<(PublicSubkey, Vec<Signature>)>,
}

/// A key that can check signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Primary(PublicKey),
    Subkey(PublicSubkey),
}

impl Key {
    pub(crate) fn verifying(&self) -> &dyn VerifyingKey {
        match self {
            Self::Primary(key) => key,
            Self::Subkey(key) => key,
        }
    }
}

/// What names the key that made a signature.
#[derive(Debug)]
pub(crate) struct Issuer<'a> {
    fingerprints: Vec<&'a Fingerprint>,
    ids: Vec<&'a KeyId>,
}

impl<'a> Issuer<'a> {
    pub(crate) fn of(signature: &'a Signature) -> Self {
        Self { fingerprints: signature.issuer_fingerprint(), ids: signature.issuer_key_id() }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.fingerprints.is_empty() && self.ids.is_empty()
    }

    fn names(&self, key: &impl KeyDetails) -> bool {
        if self.fingerprints.is_empty() {
            return self.ids.contains(&&key.legacy_key_id());
        }
        self.fingerprints.contains(&&key.fingerprint())
    }
}

impl fmt::Display for Issuer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fingerprints.first(), self.ids.first()) {
            (Some(fingerprint), _) => write!(f, "{fingerprint:X}"),
            (None, Some(id)) => write!(f, "{}", id.to_string().to_uppercase()),
            (None, None) => f.write_str("(not named)"),
        }
    }
}

/// What a signature that holds says about a key.
struct Statement<'a> {
    made: Moment,
    signature: &'a Signature,
}

impl Certificate {
    /// Begins with the packet of a primary key.
    pub(crate) fn begin(packet: Packet<'_>) -> pgp::errors::Result<Self> {
        let mut body = packet.body;
        let header = header(PgpTag::PublicKey, body)?;
        let primary = PublicKey::try_from_reader(header, &mut body)?;
        Ok(Self { primary, direct: Vec::new(), names: Vec::new(), subkeys: Vec::new() })
    }

    /// Takes the packets that follow the primary key. What cannot be read is left out together
    /// with what is said about it.
    pub(crate) fn extend(&mut self, packets: &[Packet<'_>]) {
        let mut ignored = Vec::new();
        let mut about: &mut Vec<Signature> = &mut self.direct;
        for packet in packets {
            match packet.tag {
                Tag::Signature => about.extend(parse_signature(packet.body).ok().flatten()),
                Tag::UserId => match parse_name(packet.body) {
                    Ok(name) => {
                        self.names.push((name, Vec::new()));
                        about = self.names.last_mut().map_or(&mut ignored, |(_, list)| list);
                    }
                    Err(_unreadable) => about = &mut ignored,
                },
                Tag::PublicSubkey => match parse_subkey(packet.body) {
                    Ok(subkey) => {
                        self.subkeys.push((subkey, Vec::new()));
                        about = self.subkeys.last_mut().map_or(&mut ignored, |(_, list)| list);
                    }
                    Err(_unreadable) => about = &mut ignored,
                },
                Tag::Ignored => {}
                _ => about = &mut ignored,
            }
        }
    }

    /// Takes what another copy of the same key says.
    pub(crate) fn join(&mut self, other: Self) {
        self.direct.extend(other.direct);
        self.names.extend(other.names);
        self.subkeys.extend(other.subkeys);
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.primary.fingerprint()
    }

    /// Returns whether the key is of a version that is still in use.
    pub(crate) fn is_current(&self) -> bool {
        matches!(u8::from(self.primary.version()), 4 | 6)
    }

    /// Returns the keys that may be the issuer.
    pub(crate) fn keys<'a>(&'a self, issuer: &'a Issuer<'a>) -> impl Iterator<Item = Key> + 'a {
        let primary = issuer.names(&self.primary).then(|| Key::Primary(self.primary.clone()));
        let subkeys = self.subkeys.iter().filter(|(subkey, _)| issuer.names(subkey));
        primary.into_iter().chain(subkeys.map(|(subkey, _)| Key::Subkey(subkey.clone())))
    }

    /// Returns the name of the owner, as the key states it.
    pub(crate) fn owner(&self, now: SystemTime) -> Option<String> {
        let stated = self.names.iter().filter_map(|(name, list)| {
            let newest = self.newest_certification(name, list, now)?;
            Some((newest.signature.is_primary(), newest.made, name))
        });
        let (_, _, name) = stated.max_by_key(|(primary, made, _)| (*primary, *made))?;
        let printable = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
        Some(String::from_utf8_lossy(name.id()).chars().map(printable).collect())
    }

    /// Makes sure that `key`, one of this certificate, may sign files.
    pub(crate) fn check(&self, key: &Key, made: Moment, now: SystemTime) -> Result<(), Refusal> {
        let created = created(key.verifying());
        check_strength(key.verifying())?;
        check_clock(created, now)?;
        if made < created {
            let key = shown(key.verifying());
            return Err(Refusal::OlderThanKey { key, made, created });
        }
        self.check_primary(now)?;
        match key {
            Key::Primary(primary) => {
                let statement = self.statement(now)?;
                let flags = statement.signature.key_flags();
                if has_flags(statement.signature) && !flags.sign() {
                    return Err(unusable(primary, "it is not for signing"));
                }
                Ok(())
            }
            Key::Subkey(subkey) => self.check_subkey(subkey, now),
        }
    }

    fn check_primary(&self, now: SystemTime) -> Result<(), Refusal> {
        let primary = &self.primary;
        check_strength(primary)?;
        check_clock(created(primary), now)?;
        // Whatever its hash and its time: better one revocation too many.
        let revocation = self
            .direct
            .iter()
            .find(|s| is(s, SignatureType::KeyRevocation) && s.verify_key(primary).is_ok());
        if let Some(revocation) = revocation {
            return Err(Refusal::RevokedKey { key: shown(primary), why: reason(revocation) });
        }
        check_expiry(primary, self.lifetime(now)?, now)
    }

    fn check_subkey(&self, subkey: &PublicSubkey, now: SystemTime) -> Result<(), Refusal> {
        let primary = &self.primary;
        // Copies of a key bring copies of its subkeys.
        let about = self.subkeys.iter().filter(|(other, _)| other == subkey);
        let signatures: Vec<&Signature> = about.flat_map(|(_, list)| list).collect();
        let revocation = signatures.iter().find(|s| {
            is(s, SignatureType::SubkeyRevocation)
                && s.verify_subkey_binding(primary, subkey).is_ok()
        });
        if let Some(revocation) = revocation {
            return Err(Refusal::RevokedKey { key: shown(subkey), why: reason(revocation) });
        }
        let bindings = signatures.into_iter().filter(|s| {
            is(s, SignatureType::SubkeyBinding) && s.verify_subkey_binding(primary, subkey).is_ok()
        });
        let binding = newest(bindings, now)
            .ok_or_else(|| unusable(subkey, "its primary key does not vouch for it"))?;
        if !binding.signature.key_flags().sign() {
            return Err(unusable(subkey, "it is not for signing"));
        }
        // Without this, somebody could pass another's key off as a subkey of his own.
        let back = binding.signature.embedded_signature();
        let back = back.filter(|s| check_form(s, now).is_ok());
        if back.is_none_or(|s| s.verify_primary_key_binding(subkey, primary).is_err()) {
            return Err(unusable(subkey, "it does not vouch for its primary key"));
        }
        check_expiry(subkey, lifetime(binding.signature), now)
    }

    /// Returns the newest statement that the primary key makes about itself.
    fn statement(&self, now: SystemTime) -> Result<Statement<'_>, Refusal> {
        let names = self.names.iter();
        let certified = names.filter_map(|(name, list)| self.newest_certification(name, list, now));
        let all = certified.chain(self.newest_direct(now));
        all.max_by_key(|statement| statement.made).ok_or_else(|| {
            unusable(&self.primary, "no signature of its own, with a safe hash, vouches for it")
        })
    }

    /// Returns how long the primary key is good for. As with GnuPG, what is said about the key
    /// goes before what is said about its names.
    fn lifetime(&self, now: SystemTime) -> Result<Option<u32>, Refusal> {
        let newest = self.statement(now)?;
        let direct = self.newest_direct(now).and_then(|statement| lifetime(statement.signature));
        Ok(direct.or_else(|| lifetime(newest.signature)))
    }

    fn newest_direct(&self, now: SystemTime) -> Option<Statement<'_>> {
        let direct = self.direct.iter().filter(|s| is(s, SignatureType::Key));
        newest(direct.filter(|s| s.verify_key(&self.primary).is_ok()), now)
    }

    fn newest_certification<'a>(
        &self,
        name: &UserId,
        list: &'a [Signature],
        now: SystemTime,
    ) -> Option<Statement<'a>> {
        let own = list.iter().filter(|s| {
            s.is_certification()
                && s.verify_certification(&self.primary, PgpTag::UserId, name).is_ok()
        });
        let newest = newest(own, now)?;
        (!is(newest.signature, SignatureType::CertRevocation)).then_some(newest)
    }
}

fn parse_name(body: &[u8]) -> pgp::errors::Result<UserId> {
    UserId::try_from_reader(header(PgpTag::UserId, body)?, body)
}

fn parse_subkey(mut body: &[u8]) -> pgp::errors::Result<PublicSubkey> {
    PublicSubkey::try_from_reader(header(PgpTag::PublicSubkey, body)?, &mut body)
}

fn header(tag: PgpTag, body: &[u8]) -> pgp::errors::Result<PacketHeader> {
    Ok(PacketHeader::new_fixed(tag, u32::try_from(body.len())?))
}

fn is(signature: &Signature, kind: SignatureType) -> bool {
    signature.typ() == Some(kind)
}

/// Returns the newest of these signatures, which were verified, that may be relied on now.
fn newest<'a>(
    signatures: impl Iterator<Item = &'a Signature>,
    now: SystemTime,
) -> Option<Statement<'a>> {
    let holding = signatures.filter_map(|signature| {
        let claim = check_form(signature, now).ok()?;
        let over = claim.expires.is_some_and(|end| end <= moment(now));
        (!over).then_some(Statement { made: claim.made, signature })
    });
    holding.max_by_key(|statement| statement.made)
}

fn check_expiry(
    key: &(impl KeyDetails + ?Sized),
    lifetime: Option<u32>,
    now: SystemTime,
) -> Result<(), Refusal> {
    let end = lifetime.map(|seconds| created(key).plus(seconds));
    match end.filter(|end| *end <= moment(now)) {
        Some(at) => Err(Refusal::ExpiredKey { key: shown(key), at }),
        None => Ok(()),
    }
}

fn check_strength(key: &(impl KeyDetails + ?Sized)) -> Result<(), Refusal> {
    let weak = |why: String| Refusal::WeakKey { key: shown(key), why };
    match key.public_params() {
        PublicParams::RSA(rsa) => match rsa_bits(rsa) {
            bits @ 0..2048 => Err(weak(format!("RSA with {bits} bits; 2048 is the least"))),
            _ => Ok(()),
        },
        PublicParams::ECDSA(_)
        | PublicParams::EdDSALegacy(_)
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_) => Ok(()),
        _ => Err(weak(format!("keys of the kind {:?} are not accepted", key.algorithm()))),
    }
}

/// Returns the length of the modulus: what is printed begins with it, as a number of 16 bits.
fn rsa_bits(rsa: &pgp::types::RsaPublicParams) -> u16 {
    let mut printed = Vec::new();
    match pgp::ser::Serialize::to_writer(rsa, &mut printed) {
        Ok(()) => printed.first_chunk().map_or(0, |bits| u16::from_be_bytes(*bits)),
        Err(_unprintable) => 0,
    }
}

fn created(key: &(impl KeyDetails + ?Sized)) -> Moment {
    Moment::from_unix(key.created_at().as_secs().into())
}

pub(crate) fn shown(key: &(impl KeyDetails + ?Sized)) -> String {
    format!("{:X}", key.fingerprint())
}

fn unusable(key: &impl KeyDetails, why: &str) -> Refusal {
    Refusal::UnusableKey { key: shown(key), why: why.to_owned() }
}

fn lifetime(signature: &Signature) -> Option<u32> {
    let seconds = signature.key_expiration_time().map(|duration| duration.as_secs());
    seconds.filter(|seconds| *seconds != 0)
}

fn has_flags(signature: &Signature) -> bool {
    use pgp::packet::SubpacketData::KeyFlags;
    let config = signature.config();
    config.is_some_and(|c| c.hashed_subpackets().any(|s| matches!(s.data, KeyFlags(_))))
}

fn reason(revocation: &Signature) -> String {
    match revocation.revocation_reason_code() {
        Some(RevocationCode::KeySuperseded) => ": its owner has another one",
        Some(RevocationCode::KeyCompromised) => ": it fell into wrong hands",
        Some(RevocationCode::KeyRetired) => ": its owner no longer uses it",
        _ => " by its owner",
    }
    .to_owned()
}
