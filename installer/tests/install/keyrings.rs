//! Where keys come from: the directories of the system, or what `--keyring` names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nestos_host::{clock, term};
use nestos_installer::request::Unsigned;
use nestos_installer::trust::{Evidence, KeySources, Keyring, Policy, settle};
use tempfile::TempDir;

use crate::gpg::Gpg;

/// Returns two directories like those of the system.
fn directories() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (vendor, own) = (dir.path().join("usr"), dir.path().join("etc"));
    fs::create_dir(&vendor).unwrap();
    fs::create_dir(&own).unwrap();
    (dir, vendor, own)
}

fn system(directories: &[&Path]) -> Keyring {
    let directories = directories.iter().map(|d| d.to_path_buf()).collect();
    Keyring::load(&KeySources::System(directories)).unwrap()
}

fn given(path: &Path) -> Result<Keyring, String> {
    let loaded = Keyring::load(&KeySources::choose(vec![path.to_owned()]));
    loaded.map_err(|e| term::error_lines(&e).join("\n"))
}

fn knows(keyring: &Keyring, gpg: &Gpg, name: &str) -> bool {
    let bytes = gpg.sign(name, b"image", &[]);
    let policy = Policy { digest: None, stated: None, unsigned: Unsigned::Refuse };
    let evidence = Evidence::Found { place: "image.sig".into(), bytes };
    settle(&evidence, &policy, keyring, clock::now()).is_ok()
}

#[test]
fn keys_come_in_files_of_every_form() {
    let gpg = Gpg::new(&["ann", "bob", "eve"]);
    let (_dir, vendor, own) = directories();
    fs::write(vendor.join("two.gpg"), gpg.export(&["ann", "bob"])).unwrap();
    let armored = gpg.run(&["--armor", "--export", "eve@example.org"]);
    let text = [b"The key of Eve:\n\n", &armored[..]].concat();
    fs::write(own.join("eve.asc"), text).unwrap();
    fs::write(own.join("README"), "not a key").unwrap();
    fs::create_dir(own.join("old.gpg")).unwrap();
    let keyring = system(&[&vendor, &own, Path::new("/nonexistent")]);
    assert_eq!((keyring.len(), keyring.warnings()), (3, &[][..]));
    for name in ["ann", "bob", "eve"] {
        assert!(knows(&keyring, &gpg, name), "{name}");
    }
}

#[test]
fn a_file_in_etc_hides_that_of_the_vendor() {
    let gpg = Gpg::new(&["ann", "bob"]);
    let (_dir, vendor, own) = directories();
    fs::write(vendor.join("a.gpg"), gpg.export(&["ann"])).unwrap();
    fs::write(vendor.join("b.gpg"), gpg.export(&["bob"])).unwrap();
    symlink("/dev/null", own.join("a.gpg")).unwrap();
    let keyring = system(&[&vendor, &own]);
    assert!(keyring.warnings().is_empty(), "{:?}", keyring.warnings());
    assert!(!knows(&keyring, &gpg, "ann") && knows(&keyring, &gpg, "bob"));
}

#[test]
fn broken_files_of_the_system_are_warned_about() {
    let gpg = Gpg::new(&["ann"]);
    let (_dir, vendor, _own) = directories();
    let key = gpg.export(&["ann"]);
    let secret = gpg.run(&["--export-secret-keys", "ann@example.org"]);
    for (name, bytes, why) in [
        ("cut.gpg", &key[..key.len() - 1], "it is cut off"),
        ("page.asc", b"<html>", "it holds no OpenPGP key"),
        ("secret.key", &secret, "it holds a secret key"),
        ("box.pgp", b"\0\0\0\x20\x01\x01\0\0KBXf\0\0\0\0", "it is a keybox"),
    ] {
        let path = vendor.join(name);
        fs::write(&path, bytes).unwrap();
        let keyring = system(&[&vendor]);
        let warning = keyring.warnings().join("\n");
        let start = format!("cannot use the key file {}: ", path.display());
        assert!(warning.starts_with(&start) && warning.contains(why), "{warning}");
        // Given by name, it is an error.
        let error = given(&path).unwrap_err();
        assert!(error.contains(why), "{error}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_is_given_must_hold_keys() {
    let gpg = Gpg::new(&["ann"]);
    let (_dir, vendor, own) = directories();
    let key = vendor.join("any.name");
    fs::write(&key, gpg.export(&["ann"])).unwrap();
    assert!(knows(&given(&key).unwrap(), &gpg, "ann"));
    let empty = own.join("empty.gpg");
    for (path, text) in [
        (own.join("missing.gpg"), "cannot read the key file"),
        (vendor.clone(), "there is no key file in"),
        (vendor.clone(), "hint: the names of key files end in .gpg, .asc, .pgp, .key"),
    ] {
        let error = given(&path).unwrap_err();
        assert!(error.contains(text) && error.contains(path.to_str().unwrap()), "{error}");
    }
    fs::write(&empty, "").unwrap();
    assert!(given(&empty).unwrap_err().contains("no key that can be used in"));
    fs::rename(key, vendor.join("named.gpg")).unwrap();
    assert!(knows(&given(&vendor).unwrap(), &gpg, "ann"));
}
