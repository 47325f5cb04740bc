//! What a build offers, as installers and mirrors will read it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nestos_host::clock;
use nestos_host::cmd::Cmd;
use serde_json::{Value, json};

use crate::workshop::Workshop;

const BASE: &str = "https://mirror.example.com/builds/";

/// Adds a build whose images are these bytes; no package is needed for it.
fn add_build(shop: &Workshop, id: &str, arch: &str, images: &[(&str, &str)]) {
    let dir = shop.work("builds").join(id).join(arch);
    fs::create_dir_all(&dir).unwrap();
    let mut of_meta = serde_json::Map::new();
    for (key, file) in images {
        let path = dir.join(file);
        fs::write(&path, format!("{id} {arch} {key}")).unwrap();
        let size = path.metadata().unwrap().len();
        of_meta
            .insert((*key).to_owned(), json!({"path": file, "sha256": sum(&path), "size": size}));
    }
    let meta = json!({
        "buildid": id, "name": "nestos", "ostree-commit": "c".repeat(64),
        "ostree-content-checksum": "d", "ostree-timestamp": format!("2026-01-0{id}T00:00:00Z"),
        "ostree-version": id, "rpm-ostree-inputhash": "h", "images": of_meta,
        "base-oscontainer": {"image": "registry.example.com:5000/nestos:latest",
                             "digest": format!("sha256:{}", "e".repeat(64))},
    });
    fs::write(dir.join("meta.json"), meta.to_string()).unwrap();
}

fn sum(path: &Path) -> String {
    let out = Cmd::new("sha256sum").arg(path).output().unwrap();
    out.split(' ').next().unwrap().to_owned()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.init();
    add_build(
        &shop,
        "1",
        "x86_64",
        &[
            ("metal", "nestos-1-metal.x86_64.raw"),
            ("metal4k", "nestos-1-metal4k.x86_64.raw"),
            ("qemu", "nestos-1-qemu.x86_64.qcow2"),
            ("live-iso", "nestos-1-live.x86_64.iso"),
            ("live-kernel", "nestos-1-live-kernel-x86_64"),
            ("live-initramfs", "nestos-1-live-initramfs.x86_64.img"),
            ("live-rootfs", "nestos-1-live-rootfs.x86_64.img"),
            ("ostree", "nestos-1-ostree.x86_64.ociarchive"),
        ],
    );
    shop
}

fn release(shop: &Workshop, more: &[&str]) -> crate::workshop::Outcome {
    let args = ["generate-release-meta", "--stream", "stable", "--base-url", BASE];
    shop.nosa(&[&args[..], more].concat())
}

#[test]
fn a_build_is_described_for_installers() {
    let shop = shop();
    let dir = shop.work("builds/1/x86_64");
    let raw = dir.join("nestos-1-metal.x86_64.raw");
    Cmd::new("xz").arg("--keep").arg(&raw).run().unwrap();
    fs::write(dir.join("nestos-1-metal.x86_64.raw.xz.sig"), "signature").unwrap();
    let outcome = release(&shop, &[]);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    outcome.done();
    let stream = json_of(&shop.work("builds/stable.json"));
    assert_eq!(stream["stream"], "stable");
    assert_eq!(stream["metadata"]["last-modified"], "2026-01-01T00:00:00Z");
    let arch = &stream["architectures"]["x86_64"];
    let metal = &arch["artifacts"]["metal"];
    assert_eq!(metal["release"], "1");
    let formats: Vec<&String> = metal["formats"].as_object().unwrap().keys().collect();
    assert_eq!(formats, ["4k.raw", "iso", "pxe", "raw", "raw.xz"]);
    let location = "https://mirror.example.com/builds/1/x86_64/nestos-1-metal.x86_64.raw";
    assert_eq!(
        metal["formats"]["raw"],
        json!({"disk": {"location": location, "sha256": sum(&raw)}})
    );
    assert_eq!(
        metal["formats"]["raw.xz"],
        json!({"disk": {
            "location": format!("{location}.xz"),
            "signature": format!("{location}.xz.sig"),
            "sha256": sum(&raw.with_extension("raw.xz")),
            "uncompressed-sha256": sum(&raw),
        }})
    );
    let parts: Vec<&String> = metal["formats"]["pxe"].as_object().unwrap().keys().collect();
    assert_eq!(parts, ["initramfs", "kernel", "rootfs"]);
    assert!(arch["artifacts"]["qemu"]["formats"]["qcow2"]["disk"]["location"].is_string());
    let oci = json!({"release": "1", "image": "registry.example.com:5000/nestos:latest",
        "digest-ref": format!("registry.example.com:5000/nestos@sha256:{}", "e".repeat(64))});
    assert_eq!(arch["images"]["oci-image"], oci);
    let release = json_of(&shop.work("builds/1/release.json"));
    assert_eq!((&release["release"], &release["stream"]), (&json!("1"), &json!("stable")));
    let of_release = &release["architectures"]["x86_64"];
    assert_eq!(of_release["commit"], "c".repeat(64));
    assert_eq!(of_release["media"]["metal"]["artifacts"], metal["formats"]);
}

#[test]
fn the_same_build_gives_the_same_bytes() {
    let shop = shop();
    let files = ["builds/stable.json", "builds/1/release.json"].map(|name| shop.work(name));
    let read = || files.clone().map(|path| fs::read(path).unwrap());
    release(&shop, &[]).done();
    let first = read();
    release(&shop, &[]).done();
    assert_eq!(read(), first);
    files.iter().for_each(|path| fs::remove_file(path).unwrap());
    release(&shop, &["--arch", "x86_64", "--build", "1"]).done();
    assert_eq!(read(), first);
}

#[test]
fn another_architecture_joins_and_a_newer_build_replaces() {
    let shop = shop();
    release(&shop, &[]).done();
    add_build(&shop, "2", "aarch64", &[("metal", "nestos-2-metal.aarch64.raw")]);
    release(&shop, &["--build", "2"]).done();
    let releases = || {
        let stream = json_of(&shop.work("builds/stable.json"));
        let release = |arch: &str| {
            let metal = &stream["architectures"][arch]["artifacts"]["metal"];
            metal["release"].as_str().unwrap_or_default().to_owned()
        };
        [release("x86_64"), release("aarch64")]
    };
    assert_eq!(releases(), ["1", "2"]);
    add_build(&shop, "2", "x86_64", &[("metal", "nestos-2-metal.x86_64.raw")]);
    release(&shop, &["--build", "2", "--arch", "x86_64"]).done();
    assert_eq!(releases(), ["2", "2"]);
    let both = json_of(&shop.work("builds/2/release.json"));
    let arches: Vec<&String> = both["architectures"].as_object().unwrap().keys().collect();
    assert_eq!(arches, ["aarch64", "x86_64"]);
    let text = fs::read_to_string(shop.work("builds/stable.json")).unwrap();
    assert!(!text.contains("nestos-1-"), "{text}");
}

#[test]
fn signatures_are_promised_and_files_written_elsewhere_on_demand() {
    let shop = shop();
    let out = shop.path("out/streams");
    release(&shop, &["--signed", "--output", out.to_str().unwrap()]).done();
    let stream = json_of(&out.join("stable.json"));
    let formats = &stream["architectures"]["x86_64"]["artifacts"]["metal"]["formats"];
    let kernel = &formats["pxe"]["kernel"];
    let location = kernel["location"].as_str().unwrap();
    assert_eq!(kernel["signature"], format!("{location}.sig"));
    assert!(out.join("release.json").is_file());
    assert_eq!(shop.names("builds"), ["1"]);
}

#[test]
fn what_is_outdated_or_missing_is_left_out_and_said() {
    let shop = shop();
    let dir = shop.work("builds/1/x86_64");
    let outdated = dir.join("nestos-1-metal.x86_64.raw.gz");
    fs::write(&outdated, "old").unwrap();
    let before = clock::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&outdated).unwrap().set_modified(before).unwrap();
    fs::remove_file(dir.join("nestos-1-qemu.x86_64.qcow2")).unwrap();
    let said = release(&shop, &[]).done();
    assert!(said.contains("raw.gz is left out: it is older than"), "{said}");
    assert!(said.contains("qemu is left out: "), "{said}");
    let text = fs::read_to_string(shop.work("builds/stable.json")).unwrap();
    assert!(!text.contains("raw.gz") && !text.contains("qcow2"), "{text}");
}

#[test]
fn what_cannot_be_released_is_named_and_writes_nothing() {
    let shop = shop();
    let raw = shop.work("builds/1/x86_64/nestos-1-metal.x86_64.raw");
    release(&shop, &["--build", "9"]).fails_with(&["there is no build \"9\"", "nosa list"]);
    release(&shop, &["--arch", "s390x"]).fails_with(&["there is no build for s390x"]);
    fs::write(shop.work("builds/stable.json"), "{").unwrap();
    release(&shop, &[]).fails_with(&["cannot update", "stable.json", "hint: repair it"]);
    fs::write(shop.work("builds/stable.json"), r#"{"stream":"x","architectures":{}}"#).unwrap();
    release(&shop, &[]).fails_with(&["it is of stream \"x\", not \"stable\""]);
    fs::remove_file(shop.work("builds/stable.json")).unwrap();
    fs::write(&raw, "cut").unwrap();
    release(&shop, &[]).fails_with(&["has 3 bytes, but meta.json says", "make the image again"]);
    assert_eq!(shop.names("builds"), ["1"]);
    assert_eq!(shop.names("builds/1"), ["x86_64"]);
}
