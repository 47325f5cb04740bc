//! Signatures made by GnuPG, judged by the installer's library: what vouches for an image, and
//! how each refusal reads.

use anyhow::Result;
use nestos_host::{clock, term};
use nestos_installer::digest::Digest;
use nestos_installer::request::Unsigned;
use nestos_installer::trust::{
    Evidence, KeySources, Keyring, Policy, Settled, Vouched, Witness, settle,
};

use crate::gpg::{Gpg, LONG_AGO};

const IMAGE: &[u8] = b"an image as it is stored";

const STRICT: Policy = Policy { digest: None, stated: None, unsigned: Unsigned::Refuse };

fn keyring(keys: &[u8]) -> Keyring {
    let mut keyring = Keyring::default();
    keyring.add("test.gpg", keys).unwrap();
    keyring
}

fn found(signature: &[u8]) -> Evidence {
    Evidence::Found { place: "image.sig".into(), bytes: signature.to_vec() }
}

fn decide(signature: &[u8], policy: &Policy, keys: &[u8]) -> Result<Settled> {
    settle(&found(signature), policy, &keyring(keys), clock::now())
}

fn read(settled: Settled, image: &[u8]) -> Result<Vouched> {
    let mut witness = Witness::new(settled.trust);
    // As a disk would be fed: in pieces.
    image.chunks(5).for_each(|piece| witness.update(piece));
    Ok(witness.finish()?.vouched_by().clone())
}

fn verify(signature: &[u8], keys: &[u8]) -> Result<Vouched> {
    read(decide(signature, &STRICT, keys)?, IMAGE)
}

/// Returns everything that a person would see of an error.
fn seen<T: std::fmt::Debug>(result: Result<T>) -> String {
    term::error_lines(&result.unwrap_err()).join("\n")
}

#[track_caller]
fn assert_refused(signature: &[u8], keys: &[u8], texts: &[&str]) {
    let seen = seen(decide(signature, &STRICT, keys));
    for text in texts {
        assert!(seen.contains(text), "no {text:?} in: {seen}");
    }
}

#[test]
fn a_signature_says_who_vouches() {
    let gpg = Gpg::new(&["ann"]);
    let keys = gpg.export(&["ann"]);
    for options in
        [&[][..], &["--armor"], &["--digest-algo", "SHA256"], &["--digest-algo", "SHA384"]]
    {
        let vouched = verify(&gpg.sign("ann", IMAGE, options), &keys).unwrap();
        let text = vouched.to_string();
        let start =
            format!("signed by ann <ann@example.org>, key {}, on 2", gpg.fingerprint("ann"));
        assert!(text.starts_with(&start) && text.ends_with(" UTC"), "{text}");
    }
}

#[test]
fn every_kind_of_key_and_subkeys_vouch() {
    let gpg = Gpg::new(&[]);
    for kind in ["rsa3072", "rsa2048", "nistp256", "nistp384", "nistp521", "ed25519"] {
        gpg.key(kind, &[kind, "cert", "never"]);
        let primary = gpg.fingerprint(kind);
        let curve = if kind.starts_with("nist") { "/ecdsa" } else { "" };
        gpg.run(&["--quick-add-key", &primary, &format!("{kind}{curve}"), "sign", "never"]);
        let subkey = &gpg.fingerprints(kind)[1];
        let keys = gpg.export(&[kind]);
        let vouched = verify(&gpg.sign(kind, IMAGE, &[]), &keys).unwrap();
        let Vouched::Signatures { by } = vouched else { panic!("{vouched:?}") };
        assert_eq!((&by[0].key, by[0].subkey.as_ref()), (&primary, Some(subkey)), "{kind}");
    }
}

/// GnuPG makes none of version 6: the key of RFC 9580, annex A.3, and two signatures by it, made
/// with rPGP: SHA-256 and SHA-512.
#[test]
fn signatures_of_version_6_vouch() {
    let keys = include_bytes!("openpgp_v6/key.asc");
    let signatures = include_bytes!("openpgp_v6/signatures.asc");
    let vouched = verify(signatures, keys).unwrap().to_string();
    let key = "key CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9";
    assert_eq!(vouched.matches(key).count(), 2, "{vouched}");
    let settled = decide(signatures, &STRICT, keys).unwrap();
    assert!(seen(read(settled, b"another image")).contains("bad signature"));
}

#[test]
fn a_changed_image_has_a_bad_signature() {
    let gpg = Gpg::new(&["ann"]);
    let (signature, keys) = (gpg.sign("ann", IMAGE, &[]), gpg.export(&["ann"]));
    for image in [&b"An image as it is stored"[..], b"an image as it is store", b""] {
        let settled = decide(&signature, &STRICT, &keys).unwrap();
        let seen = seen(read(settled, image));
        let text = "bad signature: the image was changed or damaged after it was signed by ann <";
        assert!(seen.contains(text), "{seen}");
    }
}

#[test]
fn an_unknown_key_is_named_and_how_to_add_it() {
    let gpg = Gpg::new(&["ann", "bob"]);
    let signature = gpg.sign("ann", IMAGE, &[]);
    let dir = tempfile::tempdir().unwrap();
    let places = dir.path().display().to_string();
    std::fs::write(dir.path().join("bob.gpg"), gpg.export(&["bob"])).unwrap();
    let keyring = Keyring::load(&KeySources::System(vec![dir.path().to_owned()])).unwrap();
    let seen = seen(settle(&found(&signature), &STRICT, &keyring, clock::now()));
    let key = gpg.fingerprint("ann");
    for text in [
        "the signature image.sig does not vouch for the image",
        &format!("signed by the unknown key {key}; the keyrings are {places}"),
        "put it into /etc/nestos/keys or give it with --keyring FILE",
    ] {
        assert!(seen.contains(text), "no {text:?} in: {seen}");
    }
}

#[test]
fn what_is_over_is_refused() {
    let gpg = Gpg::new(&["ann", "rev"]);
    let past = ["--faked-system-time", LONG_AGO];
    gpg.key("old", &["ed25519", "sign", "30d", past[0], past[1]]);
    let by_old = gpg.sign("old", IMAGE, &past);
    let keys = gpg.export(&["old"]);
    let old = format!("signed by key {}, which expired on 2020-01-31", gpg.fingerprint("old"));
    assert_refused(&by_old, &keys, &[&old, "get the renewed key"]);

    gpg.key("long", &["ed25519", "sign", "never", past[0], past[1]]);
    let expired = gpg.sign("long", IMAGE, &[&past[..], &["--default-sig-expire", "10d"]].concat());
    let text = format!("signature by key {} expired on 2020-01-11", gpg.fingerprint("long"));
    assert_refused(&expired, &gpg.export(&["long"]), &[&text]);

    let by_rev = gpg.sign("rev", IMAGE, &[]);
    assert!(verify(&by_rev, &gpg.export(&["rev"])).is_ok());
    gpg.revoke("rev");
    let rev = format!("signed by key {}, which was revoked", gpg.fingerprint("rev"));
    assert_refused(&by_rev, &gpg.export(&["rev"]), &[&rev, "do not use this image"]);
}

#[test]
fn a_renewed_key_vouches_again_and_a_revoked_copy_wins() {
    let gpg = Gpg::new(&[]);
    gpg.key("old", &["ed25519", "sign", "30d", "--faked-system-time", LONG_AGO]);
    let signature = gpg.sign("old", IMAGE, &["--faked-system-time", LONG_AGO]);
    let expired = gpg.export(&["old"]);
    gpg.run(&["--quick-set-expire", &gpg.fingerprint("old"), "2y"]);
    let renewed = gpg.export(&["old"]);
    gpg.revoke("old");
    let revoked = gpg.export(&["old"]);
    for copies in [[&expired, &renewed], [&renewed, &expired]] {
        assert!(verify(&signature, &copies.map(|c| c.as_slice()).concat()).is_ok());
    }
    for copies in [[&revoked, &renewed], [&renewed, &revoked]] {
        let keys = copies.map(|c| c.as_slice()).concat();
        assert_refused(&signature, &keys, &["which was revoked"]);
    }
}

#[test]
fn subkeys_end_too() {
    let gpg = Gpg::new(&[]);
    let past = ["--faked-system-time", LONG_AGO];
    gpg.key("ann", &["ed25519", "cert", "never", past[0], past[1]]);
    let ann = gpg.fingerprint("ann");
    gpg.run(&[&past[..], &["--quick-add-key", &ann, "ed25519", "sign", "20d"]].concat());
    let signature = gpg.sign("ann", IMAGE, &past);
    let subkey = &gpg.fingerprints("ann")[1];
    let text = format!("key {subkey}, which expired on 2020-01-21");
    assert_refused(&signature, &gpg.export(&["ann"]), &[&text]);
}

#[test]
fn a_clock_that_is_behind_is_named() {
    let gpg = Gpg::new(&["ann"]);
    let options = ["--faked-system-time", "20600101T000000"];
    let signature = gpg.sign("ann", IMAGE, &options);
    let texts = ["made on 2060-01-01", "the clock of this machine says 20", "set the clock"];
    assert_refused(&signature, &gpg.export(&["ann"]), &texts);
}

#[test]
fn weak_signatures_and_keys_are_refused() {
    let gpg = Gpg::new(&["ann"]);
    let keys = gpg.export(&["ann"]);
    for (hash, name) in [("SHA1", "SHA1"), ("RIPEMD160", "RIPEMD160"), ("SHA224", "SHA224")] {
        let options = ["--digest-algo", hash, "--allow-weak-digest-algos"];
        let text = format!("uses the hash {name}; only SHA256, SHA384 and SHA512");
        assert_refused(&gpg.sign("ann", IMAGE, &options), &keys, &[&text]);
    }
    let text = gpg.sign("ann", IMAGE, &["--textmode"]);
    assert_refused(&text, &keys, &["is one over text"]);
    gpg.key("weak", &["rsa1024", "sign", "never"]);
    let weak = gpg.sign("weak", IMAGE, &[]);
    assert_refused(&weak, &gpg.export(&["weak"]), &["too weak: RSA with 1024 bits"]);
    let notation = gpg.sign("ann", IMAGE, &["--sig-notation", "!a@example.org=b"]);
    assert_refused(&notation, &keys, &["demands something unknown", "a@example.org"]);
    let harmless = gpg.sign("ann", IMAGE, &["--sig-notation", "a@example.org=b"]);
    assert!(verify(&harmless, &keys).is_ok());
}

#[test]
fn files_that_are_no_signature_are_told_apart() {
    let gpg = Gpg::new(&["ann"]);
    let (binary, keys) = (gpg.sign("ann", IMAGE, &[]), gpg.export(&["ann"]));
    let armored = gpg.sign("ann", IMAGE, &["--armor"]);
    let with = |bytes: &[u8], more: &[u8]| [bytes, more].concat();
    for (bytes, text) in [
        (vec![], "it is empty"),
        (b"<html>not found</html>".to_vec(), "not an OpenPGP signature: it looks like a web page"),
        (b"hello".to_vec(), "it is not an OpenPGP signature"),
        (binary[..binary.len() - 1].to_vec(), "it is cut off"),
        (binary[..1].to_vec(), "it is cut off"),
        (armored[..armored.len() - 20].to_vec(), "it is cut off"),
        (with(&binary, b"garbage"), "there are 7 bytes of garbage after the signature"),
        (with(&binary, &[0]), "there are 1 bytes of garbage"),
        (with(&armored, b"garbage"), "there is garbage around the armoured block"),
        (keys.clone(), "it holds a public key"),
        (vec![b'x'; 70_000], "more than 65536 bytes"),
    ] {
        assert_refused(&bytes, &keys, &["image.sig", text]);
    }
}

#[test]
fn the_verdict_is_that_of_gpgv_or_stricter() {
    let gpg = Gpg::new(&["ann", "bob", "rev"]);
    let past = ["--faked-system-time", LONG_AGO];
    gpg.key("old", &["ed25519", "sign", "30d", past[0], past[1]]);
    gpg.key("long", &["rsa3072", "sign", "never", past[0], past[1]]);
    let by_rev = gpg.sign("rev", IMAGE, &[]);
    gpg.revoke("rev");
    let keys = gpg.export(&["ann", "old", "long", "rev"]);
    let sign = |name, options: &[&str]| gpg.sign(name, IMAGE, options);
    let good = sign("ann", &[]);
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    // What gpgv says, and what we do.
    for (case, signature, gpgv, ours) in [
        ("good", good.clone(), true, true),
        ("armoured", sign("ann", &["--armor"]), true, true),
        ("RSA, made before", sign("long", &past), true, true),
        ("two of one key", good.repeat(2), true, true),
        ("damaged", damaged, false, false),
        ("of another image", gpg.sign("ann", b"another", &[]), false, false),
        ("unknown key", sign("bob", &[]), false, false),
        (
            "expired",
            sign("long", &[&past[..], &["--default-sig-expire", "1d"]].concat()),
            false,
            false,
        ),
        ("cut off", good[..good.len() - 9].to_vec(), false, false),
        ("garbage behind", [&good[..], b"x"].concat(), false, false),
        ("critical notation", sign("ann", &["--sig-notation", "!a@b.c=d"]), false, false),
        // gpgv only remarks on these.
        ("expired key", sign("old", &past), true, false),
        ("revoked key", by_rev, true, false),
        ("weak hash", sign("ann", &["--digest-algo", "SHA1"]), true, false),
        ("over text", sign("ann", &["--textmode"]), true, false),
        ("future", sign("ann", &["--faked-system-time", "20600101T000000"]), true, false),
        // gpgv wants all signers to be known.
        ("one of two known", [&good[..], &sign("bob", &[])].concat(), false, true),
    ] {
        assert_eq!(gpg.gpgv(&keys, &signature, IMAGE), gpgv, "gpgv: {case}");
        assert_eq!(verify(&signature, &keys).is_ok(), ours, "{case}");
    }
}

#[test]
fn one_good_signature_of_several_suffices() {
    let gpg = Gpg::new(&["ann", "bob"]);
    let (ann, bob) = (gpg.sign("ann", IMAGE, &[]), gpg.sign("bob", IMAGE, &[]));
    let both = [&bob[..], &ann].concat();
    let settled = decide(&both, &STRICT, &gpg.export(&["ann"])).unwrap();
    assert!(settled.warnings[0].contains("unknown key"), "{:?}", settled.warnings);
    assert!(read(settled, IMAGE).is_ok());
    let vouched = verify(&both, &gpg.export(&["ann", "bob"])).unwrap().to_string();
    assert!(vouched.contains("ann <") && vouched.contains("bob <"), "{vouched}");
    assert!(vouched.contains("; and by "), "{vouched}");
    // A known key that signed something else contradicts.
    let other = gpg.sign("bob", b"another image", &[]);
    let settled = decide(&[&ann[..], &other].concat(), &STRICT, &gpg.export(&["ann", "bob"]));
    assert!(seen(read(settled.unwrap(), IMAGE)).contains("was signed by bob <"));
    let third = Gpg::new(&["eve"]);
    assert_refused(&both, &third.export(&["eve"]), &["none of its 2 signatures counts"]);
}

#[test]
fn a_digest_and_insecure_stand_in_for_what_is_missing_only() {
    let gpg = Gpg::new(&["ann", "eve"]);
    let digest: Digest = gpg.sha256(IMAGE).parse().unwrap();
    let keys = gpg.export(&["ann"]);
    let insecure = Policy { unsigned: Unsigned::Accept, ..STRICT };
    let by_digest = Policy { digest: Some(digest), ..STRICT };
    let missing = Evidence::Missing { places: vec!["image.sig".into(), "image.asc".into()] };
    let settle =
        |evidence: &Evidence, policy| settle(evidence, policy, &keyring(&keys), clock::now());
    let text = seen(settle(&missing, &STRICT));
    assert!(text.contains("there is no signature (looked for image.sig and image.asc)"), "{text}");
    let vouched = |evidence: &Evidence, policy| read(settle(evidence, policy).unwrap(), IMAGE);
    assert_eq!(vouched(&missing, &insecure).unwrap(), Vouched::Nothing);
    assert_eq!(vouched(&missing, &by_digest).unwrap(), Vouched::Digest);
    assert_eq!(vouched(&Evidence::LiveMedium, &STRICT).unwrap(), Vouched::LiveMedium);

    let unknown = found(&gpg.sign("eve", IMAGE, &[]));
    assert!(seen(settle(&unknown, &insecure)).contains("unknown key"));
    let settled = settle(&unknown, &by_digest).unwrap();
    assert!(settled.warnings[0].ends_with("its digest does"), "{:?}", settled.warnings);
    assert_eq!(read(settled, IMAGE).unwrap(), Vouched::Digest);
    let bad = found(&gpg.sign("ann", b"another image", &[]));
    for policy in [&insecure, &by_digest] {
        assert!(seen(vouched(&bad, policy)).contains("bad signature"));
    }
    let wrong = Policy { digest: Some(Digest::from([1; 32])), ..STRICT };
    let good = found(&gpg.sign("ann", IMAGE, &[]));
    assert!(seen(vouched(&good, &wrong)).contains("was asked for"));
    let stated = Policy { stated: Some(Digest::from([1; 32])), ..insecure };
    assert!(seen(vouched(&missing, &stated)).contains("was asked for"));
    assert!(seen(settle(&good, &Policy { digest: Some(digest), ..stated })).contains("the stream"));
}

#[test]
fn no_damage_to_files_confuses_or_makes_another_image_pass() {
    let gpg = Gpg::new(&[]);
    gpg.key("ann", &["ed25519", "cert", "never"]);
    gpg.run(&["--quick-add-key", &gpg.fingerprint("ann"), "ed25519", "sign", "never"]);
    let (signature, keys) = (gpg.sign("ann", IMAGE, &[]), gpg.export(&["ann"]));
    let passes = |signature: &[u8], keys: &[u8]| {
        let mut keyring = Keyring::default();
        let settled = keyring
            .add("test.gpg", keys)
            .and_then(|_usable| settle(&found(signature), &STRICT, &keyring, clock::now()));
        let Ok(settled) = settled else { return false };
        assert!(read(settled.clone(), b"another image").is_err());
        read(settled, IMAGE).is_ok()
    };
    assert!(passes(&signature, &keys));
    for at in 0..signature.len() {
        for bit in 0..8 {
            let mut damaged = signature.clone();
            damaged[at] ^= 1 << bit;
            passes(&damaged, &keys);
        }
        assert!(!passes(&signature[..at], &keys), "cut at {at}");
    }
    for at in 0..keys.len() {
        let mut damaged = keys.clone();
        damaged[at] ^= 0x11;
        passes(&signature, &damaged);
        passes(&signature, &keys[..at]);
    }
}
