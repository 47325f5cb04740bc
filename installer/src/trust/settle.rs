//! Settles, before a disk is touched, what vouches for an image.

use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term::WithHint;
use pgp::packet::Signature;

use super::certificate::Issuer;
use super::evidence::Evidence;
use super::keyring::Keyring;
use super::refusal::Refusal;
use super::signature::{self, SignatureFile};
use super::signed::{Candidate, Signed, Signer};
use super::witness::Trust;
use crate::digest::Digest;
use crate::request::Unsigned;

/// What is asked of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// `--image-digest`, which vouches for an image that nobody signed, too.
    pub digest: Option<Digest>,
    /// The digest that the metadata of a stream states. It must be right but vouches for nothing,
    /// as it comes from the same place as the image.
    pub stated: Option<Digest>,
    /// Whether an image without signature is accepted, as `--insecure` asks.
    pub unsigned: Unsigned,
}

/// What was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What vouches for the image, if its content is right.
    pub trust: Trust,
    /// Signatures that count for nothing although something else vouches for the image.
    pub warnings: Vec<String>,
}

/// Decides what vouches for an image, or refuses it.
///
/// A signature that is there counts: `--insecure` accepts an image without one, never one whose
/// signature is of no use. Of several signatures, one suffices. The digest given on the command
/// line stands in for a signature that is missing or of no use, but a signature by a known key
/// that turns out not to be over this content is always refused, by the witness.
pub fn settle(
    evidence: &Evidence,
    policy: &Policy,
    keyring: &Keyring,
    now: SystemTime,
) -> Result<Settled> {
    if let (Some(given), Some(stated)) = (policy.digest, policy.stated)
        && given != stated
    {
        bail!("--image-digest asks for {given}, but the stream has the image {stated}");
    }
    let trust = match (evidence, policy.digest) {
        (Evidence::Found { place, bytes }, digest) => {
            let judged = judge_file(bytes, keyring, now)
                .with_context(|| format!("the signature {place} does not vouch for the image"));
            return match (judged, digest) {
                (Ok(judged), _) => Ok(judged.settled(place, policy)),
                (Err(e), Some(digest)) => Ok(Settled {
                    trust: Trust::Digest(digest),
                    warnings: vec![format!("{}, its digest does", without_hints(&e))],
                }),
                (Err(e), None) => Err(e),
            };
        }
        (Evidence::Rebuilt(own), Some(given)) if *own != given => {
            bail!("--image-digest asks for {given}, but the live medium has the image {own}");
        }
        (Evidence::Rebuilt(own), _) => Trust::Rebuilt(*own),
        (_, Some(digest)) => Trust::Digest(digest),
        (Evidence::LiveMedium, None) => Trust::LiveMedium,
        (Evidence::Missing { places }, None) => settle_missing(places, policy)?,
    };
    Ok(Settled { trust, warnings: Vec::new() })
}

fn settle_missing(places: &[String], policy: &Policy) -> Result<Trust> {
    match (policy.unsigned, policy.stated) {
        (Unsigned::Accept, None) => Ok(Trust::Insecure),
        (Unsigned::Accept, Some(stated)) => Ok(Trust::Stated(stated)),
        (Unsigned::Refuse, _) => Err(anyhow!(
            "nothing vouches for the image: there is no signature (looked for {})",
            places.join(" and ")
        ))
        .hint(
            "put its signature there, give its digest with --image-digest sha256:HEX, or accept \
             it unverified with --insecure",
        ),
    }
}

struct Judged {
    candidates: Vec<Candidate>,
    refused: Vec<Refusal>,
}

impl Judged {
    fn settled(self, place: &str, policy: &Policy) -> Settled {
        let warnings = self.refused.iter().map(|r| format!("{place}: passed over: {r}")).collect();
        let digest = policy.digest.or(policy.stated);
        Settled { trust: Trust::Signed(Signed::new(self.candidates, digest)), warnings }
    }
}

fn judge_file(bytes: &[u8], keyring: &Keyring, now: SystemTime) -> Result<Judged> {
    let file = SignatureFile::parse(bytes)?;
    let (mut candidates, mut refused) = (Vec::new(), Vec::new());
    for (i, signature) in file.signatures().iter().enumerate() {
        // A file full of copies shall not cost more than one of them.
        if file.signatures()[..i].contains(signature) {
            continue;
        }
        match judge(signature, keyring, now) {
            Ok(candidate) => candidates.push(candidate),
            Err(refusal) => refused.push(refusal),
        }
    }
    match &refused[..] {
        _ if !candidates.is_empty() => Ok(Judged { candidates, refused }),
        [only] => Err(only.clone()).hint(only.hint()),
        [first, ..] => {
            let all: Vec<String> = refused.iter().map(Refusal::to_string).collect();
            Err(anyhow!("none of its {} signatures counts: {}", all.len(), all.join("; ")))
                .hint(first.hint())
        }
        [] => bail!("it holds no signature"),
    }
}

fn judge(signature: &Signature, keyring: &Keyring, now: SystemTime) -> Result<Candidate, Refusal> {
    let claim = signature::check_alone(signature, now)?;
    let issuer = Issuer::of(signature);
    if issuer.is_silent() {
        return Err(Refusal::Silent("who made it"));
    }
    let mut refusal = None;
    for (certificate, key) in keyring.find(&issuer) {
        let checked = certificate.check(&key, claim.made, now);
        let checked = checked.and_then(|()| match claim.expires {
            Some(at) if at <= signature::moment(now) => {
                Err(Refusal::ExpiredSignature { key: issuer.to_string(), at })
            }
            _ => Ok(()),
        });
        match checked {
            Ok(()) => {
                let signer = Signer::new(certificate, &key, claim.made, now);
                return Ok(Candidate { signature: signature.clone(), key, signer });
            }
            Err(why) => refusal = Some(why),
        }
    }
    Err(refusal.unwrap_or_else(|| Refusal::UnknownKey {
        key: issuer.to_string(),
        searched: keyring.described(),
    }))
}

fn without_hints(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string).filter(|text| !text.starts_with("hint: "));
    causes.collect::<Vec<_>>().join(": ")
}
