//! Compressed copies of images: readable by the reference tools, and the same every time.

use std::fs;
use std::path::Path;

use nestos_host::cmd::Cmd;
use serde_json::{Value, json};

use crate::workshop::Workshop;

const MIB: usize = 1024 * 1024;

/// Text and zeros over several frames and blocks.
fn image() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..600_000).flat_map(|n: u32| format!("{n} ").into_bytes()).collect();
    bytes.resize(19 * MIB + 5, 0);
    bytes
}

fn output(program: &str, args: &[&str], file: &Path) -> Vec<u8> {
    Cmd::new(program).args(args).arg(file).output_bytes().unwrap()
}

#[test]
fn copies_are_read_by_the_reference_tools_and_do_not_depend_on_threads() {
    let shop = Workshop::new();
    let path = shop.path("image.raw");
    let name = path.to_str().unwrap();
    fs::write(&path, image()).unwrap();
    for (format, program, level) in [("zst", "zstd", "3"), ("xz", "xz", "1"), ("gz", "gzip", "1")] {
        let args = ["compress", "--format", format, "--level", level, "--threads"];
        shop.nosa(&[&args[..], &["1", name]].concat()).done();
        let copy = shop.path(&format!("image.raw.{format}"));
        let first = fs::read(&copy).unwrap();
        assert!(output(program, &["-dc"], &copy) == image(), "{format}");
        shop.nosa(&[&args[..], &["3", "--force", name]].concat()).done();
        assert!(fs::read(&copy).unwrap() == first, "{format} depends on the threads");
    }
    let frames = String::from_utf8(output("zstd", &["-lv"], &shop.path("image.raw.zst"))).unwrap();
    assert!(frames.contains("Frames: 5") && frames.contains("Check: XXH64"), "{frames}");
    let blocks = output("xz", &["--list", "--robot"], &shop.path("image.raw.xz"));
    let blocks = String::from_utf8(blocks).unwrap();
    assert!(blocks.contains("\ntotals\t1\t3\t"), "{blocks}");
}

#[test]
fn a_copy_that_is_there_is_kept_unless_forced() {
    let shop = Workshop::new();
    let path = shop.path("image.raw");
    fs::write(&path, "some bytes").unwrap();
    fs::write(shop.path("image.raw.zst"), "old").unwrap();
    shop.nosa(&["compress", path.to_str().unwrap()])
        .fails_with(&["image.raw.zst exists", "hint: replace it with --force"]);
    assert_eq!(fs::read(shop.path("image.raw.zst")).unwrap(), b"old");
    shop.nosa(&["compress", shop.path("image.raw.zst").to_str().unwrap()])
        .fails_with(&["is compressed already, as its name says"]);
    shop.nosa(&["compress", "--level", "23", path.to_str().unwrap()])
        .fails_with(&["zst has levels from 1 to 22, not 23"]);
}

#[test]
fn the_images_of_a_build_get_copies_that_its_metadata_names() {
    let shop = Workshop::new();
    shop.init();
    let arch = Cmd::new("uname").arg("-m").output().unwrap().trim().to_owned();
    let dir = shop.work("builds/1").join(&arch);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("n-metal.raw"), "some bytes").unwrap();
    let sum = Cmd::new("sha256sum").arg(dir.join("n-metal.raw")).output().unwrap();
    let sum = sum.split(' ').next().unwrap();
    let meta = |sum: &str| {
        json!({"buildid": "1", "name": "n", "ostree-commit": "c", "ostree-content-checksum": "d",
            "ostree-timestamp": "2026-01-01T00:00:00Z", "ostree-version": "1",
            "rpm-ostree-inputhash": "h",
            "images": {"metal": {"path": "n-metal.raw", "sha256": sum, "size": 10}}})
        .to_string()
    };
    fs::write(dir.join("meta.json"), meta(&"0".repeat(64))).unwrap();
    shop.nosa(&["compress"]).fails_with(&["is not the image that meta.json describes"]);
    assert!(!dir.join("n-metal.raw.zst").exists());
    fs::write(dir.join("meta.json"), meta(sum)).unwrap();
    shop.nosa(&["compress", "--build", "1"]).done();
    let read: Value = serde_json::from_slice(&fs::read(dir.join("meta.json")).unwrap()).unwrap();
    let copy = &read["images"]["metal"]["compressed"]["zst"];
    let expected = Cmd::new("sha256sum").arg(dir.join("n-metal.raw.zst")).output().unwrap();
    assert_eq!(copy["path"], "n-metal.raw.zst");
    assert_eq!(copy["sha256"].as_str(), expected.split(' ').next());
}
