//! Installing to a regular file: no root needed as long as `/boot` is not edited.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use gpt::GptConfig;
use nestos_host::cmd::Cmd;

use crate::support::{Bench, IMAGE_SIZE, MIB, image, len, program};

const DISK_SIZE: u64 = 40 * MIB;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut e = liblzma::write::XzEncoder::new(Vec::new(), 0);
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// The image raw and compressed, in one stream and in two.
pub(crate) fn stored_images() -> &'static [(&'static str, Vec<u8>)] {
    static STORED: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    STORED.get_or_init(|| {
        let (a, b) = image().split_at(len(7 * MIB) + 13);
        vec![
            ("raw", image().to_vec()),
            ("gz", gzip(image())),
            ("xz", xz(image())),
            ("zst", zstd(image())),
            ("gz twice", [gzip(a), gzip(b)].concat()),
            ("xz twice", [xz(a), xz(b)].concat()),
            ("zst twice", [zstd(a), zstd(b)].concat()),
        ]
    })
}

#[test]
fn every_way_of_storing_an_image_gives_the_same_disk() {
    let mut first: Option<Vec<u8>> = None;
    for (name, stored) in stored_images() {
        let bench = Bench::new(DISK_SIZE);
        // The name says nothing; the content does.
        let path = bench.file("image.bin", stored);
        bench.install(["--image-file", &path, "--insecure"]).ok();
        let disk = bench.disk_bytes();
        assert!(*first.get_or_insert_with(|| disk.clone()) == disk, "{name} differs");
    }
}

#[test]
fn the_disk_holds_the_image_and_nothing_of_its_past() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    bench.install(["--image-file", &path, "--insecure"]).ok();
    let disk = bench.disk_bytes();
    assert_eq!(disk.len(), len(DISK_SIZE), "a file keeps its size");
    let body_end = len(IMAGE_SIZE) - 33 * 512;
    assert!(disk[len(MIB)..body_end] == image()[len(MIB)..body_end]);
    // The image's own backup table is not there, and neither is what was there before.
    assert!(disk[body_end..len(IMAGE_SIZE)].iter().all(|b| *b == 0));
    let last = &disk[len(DISK_SIZE - MIB)..len(DISK_SIZE) - 33 * 512];
    assert!(last.iter().all(|b| *b == 0));
}

#[test]
fn the_partition_table_fits_the_disk() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    bench.install(["--image-file", &path, "--insecure"]).ok();
    let device = File::open(&bench.disk).unwrap();
    let table = GptConfig::new().only_valid_headers(true).open_from_device(device).unwrap();
    let names: Vec<(u32, &str)> =
        table.partitions().iter().map(|(id, p)| (*id, p.name.as_str())).collect();
    assert_eq!(names, [(1, "BIOS-BOOT"), (2, "EFI-SYSTEM"), (3, "boot"), (4, "root")]);
    assert_eq!(table.guid().to_string(), nestos_formats::disk_layout::IMAGE_DISK_GUID);
    assert_eq!(table.primary_header().unwrap().last_usable, DISK_SIZE / 512 - 34);
    assert_eq!(table.primary_header().unwrap().backup_lba, DISK_SIZE / 512 - 1);
    if program("sgdisk", "the_partition_table_fits_the_disk") {
        let verdict = Cmd::new("sgdisk").arg("-v").arg(&bench.disk).output().unwrap();
        assert!(verdict.contains("No problems found"), "{verdict}");
    }
}

#[test]
fn a_disk_as_large_as_the_image_is_large_enough() {
    let bench = Bench::new(IMAGE_SIZE);
    let path = bench.file("image", image());
    bench.install(["--image-file", &path, "--insecure"]).ok();
    assert!(bench.disk_bytes() == image());
}

#[test]
fn a_dry_run_checks_and_writes_nothing() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    let args = ["--image-file", &path, "--insecure", "--dry-run"];
    let run = bench.install(args).ok();
    assert!(run.stderr.contains("everything on it will be lost"), "{}", run.stderr);
    assert!(run.stderr.ends_with("disk was not touched\n"), "{}", run.stderr);
    bench.assert_untouched();
    let small = Bench::new(MIB);
    small.install(args).fails_with(1, &["was not touched", "the image needs"]);
    bench.install(args.iter().chain(&["--reboot"])).fails_with(2, &["--reboot"]);
}

#[test]
fn the_digest_that_is_printed_is_the_one_to_ask_for() {
    let bench = Bench::new(DISK_SIZE);
    for (_, stored) in stored_images() {
        let path = bench.file("image", stored);
        let run = bench.install(["--image-file", &path, "--insecure"]).ok();
        let digest = run.stderr.lines().find_map(|l| l.strip_prefix("digest: ")).unwrap();
        bench.install(["--image-file", &path, "--image-digest", digest]).ok();
    }
}

#[test]
fn partition_numbers_and_boot_code_are_kept() {
    let test = "partition_numbers_and_boot_code_are_kept";
    if !program("sgdisk", test) {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", vec![0; len(IMAGE_SIZE)]);
    Cmd::new("sgdisk").args(["-n3:1M:+4M", "-n7:6M:+4M", &path]).run().unwrap();
    let mut image = std::fs::read(&path).unwrap();
    image[..9].copy_from_slice(b"boot code");
    std::fs::write(&path, image).unwrap();
    bench.install(["--image-file", &path, "--insecure"]).ok();
    let table = Cmd::new("sgdisk").arg("-p").arg(&bench.disk).output().unwrap();
    let numbers: Vec<&str> = table
        .lines()
        .skip_while(|l| !l.starts_with("Number"))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert_eq!(numbers, ["Number", "3", "7"]);
    assert_eq!(bench.disk_bytes()[..9], *b"boot code");
}
