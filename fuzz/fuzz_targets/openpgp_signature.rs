//! Signature and key files from anywhere: nothing breaks the reader, and whatever is done to a
//! signature by a known key, it never vouches for another image.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use nestos_installer::request::Unsigned;
use nestos_installer::trust::{Evidence, Keyring, Policy, Witness, settle};

/// What the seeds' signatures are over.
const IMAGE: &[u8] = b"an image as it is stored";

// Seeds: the first byte says what follows, a signature (s) or keys (k).
const SIGNATURE: &[u8] = include_bytes!("../seeds/openpgp_signature/ann.sig");
const KEYS: &[u8] = include_bytes!("../seeds/openpgp_signature/all.gpg");

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b's', signature)) => check_signature(signature),
        Some((b'k', keys)) => check_keys(keys),
        _ => {}
    }
});

fn check_signature(signature: &[u8]) {
    let mut keyring = Keyring::default();
    keyring.add("seed", &KEYS[1..]).expect("the seed is good");
    for image in [&b"another image"[..], b""] {
        assert!(!vouches(signature, &keyring, image), "another image is vouched for");
    }
    vouches(signature, &keyring, IMAGE);
}

fn check_keys(keys: &[u8]) {
    let mut keyring = Keyring::default();
    if keyring.add("fuzz", keys).is_ok() {
        assert!(!vouches(&SIGNATURE[1..], &keyring, b"another image"));
        vouches(&SIGNATURE[1..], &keyring, IMAGE);
    }
}

fn vouches(signature: &[u8], keyring: &Keyring, image: &[u8]) -> bool {
    let policy = Policy { digest: None, stated: None, unsigned: Unsigned::Accept };
    let evidence = Evidence::Found { place: "fuzz".to_owned(), bytes: signature.to_vec() };
    // A day soon after the seeds were made.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let Ok(settled) = settle(&evidence, &policy, keyring, now) else { return false };
    let mut witness = Witness::new(settled.trust);
    witness.update(image);
    witness.finish().is_ok()
}
