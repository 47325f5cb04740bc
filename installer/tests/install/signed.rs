//! Signed images, installed by the binary: who vouched is reported, and each signature that
//! counts for nothing is refused with its own message. The signatures are GnuPG's.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::gpg::{Gpg, LONG_AGO};
use crate::server::{Reply, Server};
use crate::support::{Bench, MIB, Run, image, len};

const DISK_SIZE: u64 = 32 * MIB;
const PAST: [&str; 2] = ["--faked-system-time", LONG_AGO];

/// A disk, an image, and the key of Ann.
struct Signed {
    bench: Bench,
    gpg: Gpg,
    image: String,
    keyring: String,
    report: PathBuf,
}

impl Signed {
    fn new() -> Self {
        let (bench, gpg) = (Bench::new(DISK_SIZE), Gpg::new(&["ann"]));
        let image = bench.file("nestos.raw", image());
        let keyring = bench.file("ann.gpg", gpg.export(&["ann"]));
        let report = bench.dir.path().join("report.json");
        Self { bench, gpg, image, keyring, report }
    }

    /// Puts the signature beside the image.
    fn put(&self, suffix: &str, bytes: &[u8]) {
        self.bench.file(&format!("nestos.raw{suffix}"), bytes);
    }

    fn remove(&self, suffix: &str) {
        fs::remove_file(format!("{}{suffix}", self.image)).unwrap();
    }

    fn install(&self, more: &[&str]) -> Run {
        let args = ["--image-file", &self.image, "--report", self.report.to_str().unwrap()];
        self.bench.install(args.iter().chain(more))
    }

    /// Requires that the signature of a person is named to people and to programs.
    #[track_caller]
    fn assert_installed(&self, run: Run, signer: &str) {
        let key = self.gpg.fingerprint(signer);
        let line = format!(
            "what vouches for it: signed by {signer} <{signer}@example.org>, key {key}, on 20"
        );
        assert!(run.ok().stderr.contains(&line), "not by {signer}");
        let report = self.reported();
        assert_eq!(report["outcome"], "installed");
        assert_eq!(report["vouched_by"]["kind"], "signatures");
        assert_eq!(report["vouched_by"]["by"][0]["key"], key.as_str());
        let (disk, body) = (self.bench.disk_bytes(), len(MIB)..len(20 * MIB));
        assert!(disk[510..512] == [0x55, 0xAA] && disk[body.clone()] == image()[body]);
        self.dirty();
    }

    /// Requires a refusal before the disk is touched, with and without `--insecure`.
    #[track_caller]
    fn assert_refused(&self, keys: &str, texts: &[&str]) {
        let args = ["--keyring", keys, "--insecure"];
        for args in [&args[..2], &args] {
            let run = self.install(args).fails_with(1, &["the disk was not touched"]);
            run.fails_with(1, texts);
            self.bench.assert_untouched();
            assert!(!self.report.exists(), "a report of a refused installation");
        }
    }

    /// Returns the report, and removes it.
    fn reported(&self) -> Value {
        let report = serde_json::from_str(&fs::read_to_string(&self.report).unwrap()).unwrap();
        fs::remove_file(&self.report).unwrap();
        report
    }

    /// Makes the disk one that was used before again.
    fn dirty(&self) {
        fs::write(&self.bench.disk, vec![0xA5; len(DISK_SIZE)]).unwrap();
    }
}

#[test]
fn a_signature_beside_the_file_vouches_and_the_report_names_the_signer() {
    let test = Signed::new();
    for (suffix, options) in [(".sig", &[][..]), (".asc", &["--armor"]), (".sig", &["--armor"])] {
        test.put(suffix, &test.gpg.sign("ann", image(), options));
        test.assert_installed(test.install(&["--keyring", &test.keyring]), "ann");
        test.remove(suffix);
    }
}

#[test]
fn keyrings_may_be_files_and_directories_and_several() {
    let test = Signed::new();
    test.gpg.key("bob", &["rsa3072", "sign", "never"]);
    let directory = test.bench.dir.path().join("keys");
    fs::create_dir(&directory).unwrap();
    let armoured = test.gpg.run(&["--armor", "--export", "bob@example.org"]);
    fs::write(directory.join("bob.asc"), armoured).unwrap();
    let directory = directory.to_str().unwrap();
    test.put(".sig", &test.gpg.sign("bob", image(), &[]));
    test.assert_installed(test.install(&["--keyring", directory]), "bob");
    let both = ["--keyring", &test.keyring, "--keyring", directory];
    test.assert_installed(test.install(&both), "bob");
    let missing = format!("{directory}/missing.gpg");
    test.assert_refused(&missing, &["cannot read the key file", &missing]);
}

#[test]
fn the_signature_of_an_address_is_fetched() {
    let test = Signed::new();
    let signature = test.gpg.sign("ann", image(), &[]);
    let server = Server::start(move |_, request| match request.path.as_str() {
        "/nestos.raw" => Reply::whole(image()),
        "/nestos.raw.sig" => Reply::whole(&signature),
        "/page.raw.sig" => Reply::whole(b"<!DOCTYPE html><html>sign in first</html>"),
        "/away.raw.sig" => Reply::status(503),
        _ => Reply::status(404),
    });
    let report = test.report.to_str().unwrap();
    let install = |name: &str, more: &[&str]| {
        let url = format!("{}/{name}.raw", server.url);
        let args = ["--image-url", &url, "--keyring", &test.keyring, "--fetch-retries", "0"];
        test.bench.install(args.iter().chain(&["--report", report]).chain(more))
    };
    test.assert_installed(install("nestos", &[]), "ann");
    for (name, text) in [
        ("page", "the server answers with a web page"),
        // Who can answer so must not be able to make a signature go unnoticed.
        ("away", "503"),
    ] {
        for more in [&[][..], &["--insecure"]] {
            install(name, more).fails_with(1, &[text, "the disk was not touched"]);
            test.bench.assert_untouched();
        }
    }
    let url = &server.url;
    let places = format!("(looked for {url}/missing.raw.sig and {url}/missing.raw.asc)");
    install("missing", &[]).fails_with(1, &["there is no signature", &places]);
    test.bench.assert_untouched();
}

#[test]
fn insecure_accepts_that_there_is_no_signature() {
    let test = Signed::new();
    let looked = format!("(looked for {0}.sig and {0}.asc)", test.image);
    let texts = ["nothing vouches for the image: there is no signature", &looked, "not touched"];
    test.install(&["--keyring", &test.keyring]).fails_with(1, &texts);
    test.bench.assert_untouched();
    let run = test.install(&["--insecure"]).ok();
    assert!(run.stderr.contains("is written unverified, as --insecure asks"), "{}", run.stderr);
    assert_eq!(test.reported()["vouched_by"], serde_json::json!({"kind": "nothing"}));
}

#[test]
fn a_file_that_is_no_whole_signature_is_refused() {
    let test = Signed::new();
    let good = test.gpg.sign("ann", image(), &[]);
    let armoured = test.gpg.sign("ann", image(), &["--armor"]);
    for (bytes, text) in [
        (&b""[..], "it is empty"),
        (&good[..good.len() - 1], "it is cut off"),
        (&armoured[..armoured.len() - 40], "it is cut off"),
        (&[&good[..], b"garbage"].concat(), "there are 7 bytes of garbage after the signature"),
        (b"<html>404 Not Found</html>", "not an OpenPGP signature: it looks like a web page"),
        (&test.gpg.export(&["ann"]), "it is not a detached signature: it holds a public key"),
    ] {
        test.put(".sig", bytes);
        test.assert_refused(&test.keyring, &["nestos.raw.sig does not vouch", text]);
    }
}

#[test]
fn a_signature_that_counts_no_more_is_refused() {
    let test = Signed::new();
    let gpg = &test.gpg;
    gpg.key("eve", &["ed25519", "sign", "never"]);
    gpg.key("rev", &["ed25519", "sign", "never"]);
    gpg.key("old", &["ed25519", "sign", "30d", PAST[0], PAST[1]]);
    gpg.key("long", &["ed25519", "sign", "never", PAST[0], PAST[1]]);
    let expired = [&PAST[..], &["--default-sig-expire", "10d"]].concat();
    let by_rev = gpg.sign("rev", image(), &[]);
    gpg.revoke("rev");
    let keys = test.bench.file("keys.gpg", gpg.export(&["ann", "rev", "old", "long"]));
    let key = |name: &str| gpg.fingerprint(name);
    for (signature, text, advice) in [
        (
            gpg.sign("eve", image(), &[]),
            format!("signed by the unknown key {}; the keyrings are {keys}", key("eve")),
            "hint: if you trust that key",
        ),
        (
            gpg.sign("long", image(), &expired),
            format!("the signature by key {} expired on 2020-01-11", key("long")),
            "hint: get a newer image",
        ),
        (
            gpg.sign("old", image(), &PAST),
            format!("signed by key {}, which expired on 2020-01-31", key("old")),
            "hint: get the renewed key",
        ),
        (
            by_rev,
            format!("signed by key {}, which was revoked", key("rev")),
            "hint: do not use this image",
        ),
    ] {
        test.put(".sig", &signature);
        test.assert_refused(&keys, &[&text, advice]);
    }
}

#[test]
fn an_image_that_was_changed_after_signing_boots_nothing() {
    let test = Signed::new();
    test.put(".sig", &test.gpg.sign("ann", image(), &[]));
    let mut changed = image().to_vec();
    // In the middle of root: nothing else than the signature could tell.
    changed[len(15 * MIB)] ^= 1;
    fs::write(&test.image, &changed).unwrap();
    let bad = "bad signature: the image was changed or damaged after it was signed by ann <";
    let digest = test.gpg.sha256(&changed);
    // Neither of these options makes a bad signature a good one.
    for more in [&[][..], &["--insecure"], &["--image-digest", &digest]] {
        let run = test.install(&[&["--keyring", &test.keyring], more].concat());
        run.fails_with(1, &[bad, "the disk was left unbootable"]);
        test.bench.assert_unbootable();
        assert!(!test.report.exists(), "a report of a failed installation");
        test.dirty();
    }
}

#[test]
fn a_digest_stands_in_for_a_signature() {
    let test = Signed::new();
    let digest = test.gpg.sha256(image());
    let args = ["--keyring", &test.keyring, "--image-digest", &digest];
    let run = test.install(&args).ok();
    assert!(run.stderr.contains("its digest is the one given"), "{}", run.stderr);
    assert_eq!(test.reported()["vouched_by"], serde_json::json!({"kind": "digest"}));
    // A signature of no use is only warned about then.
    test.gpg.key("eve", &["ed25519", "sign", "never"]);
    test.put(".sig", &test.gpg.sign("eve", image(), &[]));
    let run = test.install(&args).ok();
    assert!(run.stderr.contains("unknown key") && run.stderr.contains("its digest does"));
    assert_eq!(test.reported()["vouched_by"], serde_json::json!({"kind": "digest"}));
    // With a good one, both are asked.
    test.put(".sig", &test.gpg.sign("ann", image(), &[]));
    test.assert_installed(test.install(&args), "ann");
    let other = format!("sha256:{}", "00".repeat(32));
    let run = test.install(&["--keyring", &test.keyring, "--image-digest", &other]);
    run.fails_with(1, &["was asked for", "the disk was left unbootable"]);
    test.bench.assert_unbootable();
}

#[test]
fn one_good_signature_of_several_is_enough_and_the_others_are_named() {
    let test = Signed::new();
    test.gpg.key("eve", &["ed25519", "sign", "never"]);
    let by_eve = test.gpg.sign("eve", image(), &[]);
    test.put(".sig", &[&by_eve[..], &test.gpg.sign("ann", image(), &[])].concat());
    let run = test.install(&["--keyring", &test.keyring]).ok();
    let passed_over = format!(
        "passed over: the image is signed by the unknown key {}",
        test.gpg.fingerprint("eve")
    );
    assert!(run.stderr.contains(&passed_over), "{}", run.stderr);
    test.assert_installed(run, "ann");
}
