//! Faults while packages are resolved, downloaded and installed.

use std::fs;

use crate::workshop::Workshop;

#[test]
fn an_unreachable_mirror_is_named() {
    let shop = Workshop::new();
    shop.init();
    shop.nosa(&["fetch", "--mirror", "http://127.0.0.1:1/debian"]).fails_with(&[
        "error: step \"fetch packages\" failed",
        "127.0.0.1:1",
        "Connection refused",
        "hint: check that the mirror is reachable; --mirror names another one",
    ]);
    assert_eq!(shop.names("cache"), ["apt", "debs"]);
}

#[test]
fn an_address_that_is_none_is_refused() {
    let shop = Workshop::new();
    shop.init();
    let outcome = shop.nosa(&["fetch", "--mirror", "mirror.example"]);
    assert!(outcome.stderr.contains("\"mirror.example\" is no address"), "{}", outcome.stderr);
}

#[test]
fn a_package_that_is_nowhere_is_named() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("  - tiny-bot\n");
    shop.nosa(&["build"]).fails_with(&["Unable to locate package tiny-bot", "hint: "]);
    assert!(shop.builds().is_empty());
}

#[test]
fn an_excluded_package_that_another_needs_is_named() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("exclude-packages: [tiny-lib]\n");
    shop.nosa(&["build"]).fails_with(&["tiny-app : Depends: tiny-lib", "\"exclude-packages\""]);
    assert!(shop.builds().is_empty());
}

#[test]
fn a_repository_signed_by_somebody_else_is_refused() {
    let Some(shop) = Workshop::of_packages() else { return };
    let sources = fs::read_to_string(shop.path("config/a.sources")).unwrap();
    let other = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let (before, _) = sources.split_once("Signed-By:").unwrap();
    shop.config("a.sources", &format!("{before}Signed-By: {other}\n"));
    shop.nosa(&["build"]).fails_with(&["InRelease", "hint: "]);
    assert!(shop.builds().is_empty());
}

#[test]
fn a_damaged_package_in_the_cache_is_removed_and_fetched_again() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.nosa(&["fetch"]).done();
    let deb = shop
        .names("cache/debs")
        .into_iter()
        .find(|name| name.starts_with("tiny-app"))
        .map(|name| shop.work("cache/debs").join(name))
        .unwrap();
    let mut bytes = fs::read(&deb).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&deb, bytes).unwrap();
    shop.nosa(&["build", "ostree"]).fails_with(&["tiny-app", "is damaged", "run nosa fetch"]);
    assert!(shop.builds().is_empty());
    shop.nosa(&["build", "ostree"]).fails_with(&["tiny-app", "run nosa fetch"]);
    shop.nosa(&["fetch"]).done();
    shop.nosa(&["build", "ostree"]).done();
}
