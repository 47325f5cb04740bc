//! Faults while the tree is composed and committed.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread::sleep;
use std::time::Duration;

use nestos_host::cmd::Cmd;

use crate::workshop::{META, Outcome, Workshop};

/// The example of the guide, 5.5.4, to the letter.
const GUIDE_5_5_4: &str = r##"
postprocess:
  - |
    #!/usr/bin/env bash
    set -xeuo pipefail
    export OSTREE_VERSION="$(tail -1 /etc/os-release)"
    date_now=$(date "+%Y%m%d")
    echo -e 'NAME="openEuler NestOS"\nVERSION="24.03-LTS"\nID="openeuler"\nVERSION_ID="24.03-LTS"\nPRETTY_NAME="NestOS"\nANSI_COLOR="0;31"\nBUILDID="'${date_now}'"\nVARIANT="NestOS"\nVARIANT_ID="nestos"\n' > /usr/lib/os-release
    echo -e $OSTREE_VERSION >> /usr/lib/os-release
    cp -f /usr/lib/os-release /etc/os-release 
"##;

/// Builds only the commit.
fn build(shop: &Workshop) -> Outcome {
    shop.nosa(&["build", "ostree"])
}

#[test]
fn a_layer_that_does_not_exist_is_named() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("ostree-layers: [overlay/05coer]\n");
    build(&shop).fails_with(&["layer \"overlay/05coer\"", "overlay.d/05coer does not exist"]);
    shop.manifest("ostree-layers: [overlay/nestos-tools]\n");
    build(&shop).fails_with(&["\"overlay/nestos-tools\"", "make install DESTDIR=DIR PREFIX=/usr"]);
    assert!(shop.builds().is_empty());
}

#[test]
fn a_layer_may_not_change_a_file_of_a_package_unless_it_says_so() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("ostree-layers: [overlay/10app]\n");
    shop.config("overlay.d/10app/etc/app.conf", "from the layer\n");
    build(&shop).fails_with(&[
        "layer \"overlay/10app\"",
        "/etc/app.conf",
        "ostree-override-layers",
    ]);
    assert!(shop.builds().is_empty());
    shop.manifest("ostree-override-layers: [overlay/10app]\n");
    build(&shop).done();
}

#[test]
fn a_script_that_fails_is_quoted() {
    let Some(shop) = Workshop::of_packages() else { return };
    let scripts = "postprocess:\n  - echo fine\n  - |\n    #!/bin/bash\n    # make coffee\n    \
        echo no water; echo no beans >&2; exit 3\n";
    shop.manifest(scripts);
    build(&shop).fails_with(&[
        "postprocess script 2 of 2 failed (# make coffee)",
        "exit status: 3",
        "    no water\n    no beans",
        "postprocess-2.log",
    ]);
    assert!(shop.builds().is_empty());
    shop.manifest("postprocess: ['#!/bin/nothing']\n");
    build(&shop).fails_with(&["postprocess script 1 of 1 failed", "/run/nosa-script"]);
}

#[test]
fn an_interrupted_build_does_not_spoil_the_next() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("postprocess: ['touch /etc/here; sleep 600']\n");
    let mut running = shop.start(&["build", "ostree"]);
    while !shop.work("tmp/build/tree/etc/here").exists() {
        assert!(running.try_wait().unwrap().is_none(), "nosa ended early");
        sleep(Duration::from_millis(20));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(shop.builds().is_empty());
    shop.manifest("");
    build(&shop).done();
    assert_eq!(shop.builds(), ["1.0"]);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(shop.work("").to_str().unwrap()), "{mounts}");
}

#[test]
fn a_build_that_was_published_halfway_is_not_overwritten() {
    let Some(shop) = Workshop::of_packages() else { return };
    // As if the power failed after the folder was in place and before the index was written.
    fs::create_dir_all(shop.build_dir("1.0")).unwrap();
    fs::write(shop.build_dir("1.0").join("meta.json"), META).unwrap();
    build(&shop).done();
    assert_eq!(shop.builds(), ["1.0", "1.1"]);
    assert_eq!(fs::read_link(shop.work("builds/latest")).unwrap().to_str(), Some("1.1"));
}

#[test]
fn a_strict_umask_a_link_and_blanks_in_paths_change_nothing() {
    let Some(plain) = Workshop::of_packages() else { return };
    let Some(odd) = Workshop::of_packages() else { return };
    for shop in [&plain, &odd] {
        shop.manifest("ostree-layers: [overlay/a]\n");
        shop.config("overlay.d/a/usr/share/new dir/sub/file", "x");
    }
    build(&plain).done();
    fs::rename(odd.path("work"), odd.path("a work dir")).unwrap();
    symlink("a work dir", odd.path("work")).unwrap();
    Cmd::new("sh")
        .args(["-c", "umask 077; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_nosa"), "-C"])
        .arg(odd.path("work"))
        .args(["build", "ostree"])
        .run()
        .unwrap();
    // The checksum of a directory covers the version in os-release, that of a file does not.
    let content = |shop: &Workshop| -> Vec<String> {
        let listed = shop.ostree("ls", &["-R", "-C"]);
        listed.lines().filter(|l| !l.starts_with('d')).map(str::to_owned).collect()
    };
    assert_eq!(content(&odd), content(&plain));
    assert!(content(&odd).iter().any(|l| l.ends_with(" /usr/share/new dir/sub/file")));
    // mmdebstrap leaves the path of the package pool in it.
    assert!(!content(&odd).iter().any(|l| l.ends_with("/etc/apt/sources.list")));
}

#[test]
fn the_script_of_the_guide_rewrites_os_release() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest(GUIDE_5_5_4);
    build(&shop).done();
    let text = shop.ostree("cat", &["/usr/lib/os-release"]);
    assert!(text.starts_with("NAME=\"openEuler NestOS\"\nVERSION=\"24.03-LTS\"\n"), "{text}");
    assert!(text.contains("\nVARIANT_ID=\"nestos\"\n"), "{text}");
    assert_eq!(text.lines().last(), Some("OSTREE_VERSION='1.0'"));
    let link = shop.ostree("ls", &["/usr/etc/os-release"]);
    assert!(link.trim_end().ends_with("/usr/etc/os-release -> ../usr/lib/os-release"), "{link}");
}
