//! Live media, and the image for 4096-byte sectors, as other tools read them.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use nestos_formats::cpio::Reader;
use nestos_formats::image_note::ImageNote;
use nestos_formats::live_media::{KargsInfo, volume_id};
use nestos_formats::stream_hash::StreamHash;
use nestos_host::cmd::Cmd;
use serde_json::Value;

use crate::distribution::{self, which};
use crate::workshop::{Outcome, Workshop, outcome, skip};

const SECTOR: usize = 4096;
const MIB: usize = 1024 * 1024;
/// Packs in no time. The real one has tests of its own, and takes minutes when it is not optimised.
const INSTALLER: &str = r#"#!/bin/sh
case "$2 $3" in
"osmet --checksum")
    while [ "$1" != --output ]; do shift; done
    echo "description of $3" > "$2"
    ;;
"minimal-iso --help") ;;
"minimal-iso --consume")
    mv "$5" "$0.minimal.iso"
    ;;
*) exit 1 ;;
esac
"#;
const KEYS: [&str; 4] = ["live-iso", "live-kernel", "live-initramfs", "live-rootfs"];

fn images(shop: &Workshop) -> Value {
    let meta = fs::read(shop.build_dir("1.0").join("meta.json")).unwrap();
    serde_json::from_slice::<Value>(&meta).unwrap()["images"].clone()
}

fn path(shop: &Workshop, key: &str) -> PathBuf {
    shop.build_dir("1.0").join(images(shop)[key]["path"].as_str().unwrap())
}

/// Returns a file of the ISO.
fn from_iso(shop: &Workshop, name: &str) -> Vec<u8> {
    let out = shop.path("extracted");
    drop(fs::remove_file(&out));
    Cmd::new("xorriso")
        .args(["-osirrox", "on", "-indev"])
        .arg(path(shop, "live-iso"))
        .args(["-extract", name])
        .arg(&out)
        .run()
        .unwrap();
    fs::read(&out).unwrap()
}

/// Returns the files of an archive.
fn members(archive: impl Read) -> Vec<(String, Vec<u8>)> {
    let mut archive = Reader::new(archive);
    let mut files = Vec::new();
    while let Some(member) = archive.next_member().unwrap() {
        let mut content = Vec::new();
        archive.read_to_end(&mut content).unwrap();
        files.extend(member.is_file().then_some((member.path, content)));
    }
    files
}

/// Runs nosa from a directory in which the installer beside it is [`INSTALLER`].
fn nosa(shop: &Workshop, args: &[&str]) -> Outcome {
    let dir = shop.path("bin");
    if !dir.exists() {
        distribution::file(&dir, "nestos-installer", INSTALLER, 0o755);
        fs::copy(env!("CARGO_BIN_EXE_nosa"), dir.join("nosa")).unwrap();
    }
    outcome(Cmd::new(dir.join("nosa")).arg("-C").arg(shop.work("")).args(args))
}

fn built() -> Option<Workshop> {
    for program in ["xorriso", "mksquashfs", "unsquashfs"] {
        if which(program).is_none() {
            skip(&format!("the host lacks {program}"));
            return None;
        }
    }
    let shop = Workshop::of_packages()?;
    nosa(&shop, &["build", "--fast", "live"]).done();
    Some(shop)
}

#[test]
fn live_media_come_with_the_images_they_install_and_are_the_same_every_time() {
    let Some(shop) = built() else { return };
    let first = images(&shop);
    assert!(first["metal"].is_object() && first["metal4k"].is_object());
    for key in KEYS {
        let file = path(&shop, key);
        assert_eq!(first[key]["size"], file.metadata().unwrap().len(), "{key}");
        assert_eq!(first[key]["skip-compression"], true, "{key}");
    }
    let text = nosa(&shop, &["buildextend-live", "--build", "1.0"]).done();
    assert_eq!(text, "build 1.0 has its live media already\n");
    nosa(&shop, &["buildextend-live", "--fast", "--force"]).done();
    assert_eq!(images(&shop), first);
}

#[test]
fn what_is_in_the_iso_fits_together() {
    let Some(shop) = built() else { return };
    the_rootfs_is_the_one_that_the_initramfs_expects(&shop);
    every_area_of_the_menu_holds_the_arguments_that_kargs_json_states(&shop);
}

fn the_rootfs_is_the_one_that_the_initramfs_expects(shop: &Workshop) {
    let rootfs = fs::read(path(shop, "live-rootfs")).unwrap();
    assert_eq!(&rootfs[124..128], b"hsqs");
    assert_eq!(from_iso(shop, "/images/pxeboot/rootfs.img"), rootfs);
    let initrd = fs::read(path(shop, "live-initramfs")).unwrap();
    assert_eq!(from_iso(shop, "/images/pxeboot/initrd.img"), initrd);
    let names: Vec<String> = members(&rootfs[..]).into_iter().map(|(name, _)| name).collect();
    let [metal, metal4k] = ["metal", "metal4k"]
        .map(|kind| format!("{}.osmet", images(shop)[kind]["path"].as_str().unwrap()));
    assert_eq!(names, ["root.squashfs", "etc/nestos-live-rootfs", &metal, &metal4k]);
    let stamps = initrd.strip_prefix(b"initramfs\n").unwrap();
    let stamps = members(flate2::read::GzDecoder::new(stamps));
    let wanted = &stamps.iter().find(|(name, _)| name == "etc/nestos-live-want-rootfs").unwrap().1;
    assert_eq!(*wanted, StreamHash::of(&rootfs[..]).unwrap().to_string().into_bytes());
    let minimal = shop.path("bin/nestos-installer.minimal.iso").metadata().unwrap().len();
    let full = path(shop, "live-iso").metadata().unwrap().len();
    assert_eq!(full - minimal, (rootfs.len().next_multiple_of(2048) + 16 * 1024) as u64);
    let listed = Cmd::new("unsquashfs").args(["-o", "124", "-lls"]).arg(path(shop, "live-rootfs"));
    let listed = listed.output().unwrap();
    assert!(listed.contains("squashfs-root/boot/loader -> loader."), "{listed}");
    assert!(listed.contains("/ostree/repo/config"), "{listed}");
}

fn every_area_of_the_menu_holds_the_arguments_that_kargs_json_states(shop: &Workshop) {
    let info: KargsInfo = serde_json::from_slice(&from_iso(shop, "/nestos/kargs.json")).unwrap();
    assert_eq!(info.files.len(), 2);
    for area in &info.files {
        let file = from_iso(shop, &format!("/{}", area.path));
        let start = usize::try_from(area.offset).unwrap();
        let end = start + usize::try_from(info.size).unwrap();
        assert_eq!(area.read(&file[start..end]).unwrap(), info.default);
    }
    let label = volume_id("tiny-1.0");
    assert!(info.default.contains(&format!("nestos.liveiso={label} ")), "{}", info.default);
    let iso = fs::read(path(shop, "live-iso")).unwrap();
    assert_eq!(&iso[16 * 2048 + 40..][..32], format!("{label:32}").as_bytes());
    assert_eq!(from_iso(shop, "/images/ignition.img"), vec![0; 256 * 1024]);
    assert_eq!(from_iso(shop, "/nestos/miniso.dat").len(), 16 * 1024);
}

#[test]
fn the_image_for_large_sectors_has_them_everywhere() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.nosa(&["build", "metal4k"]).done();
    let mut file = fs::File::open(path(&shop, "metal4k")).unwrap();
    let mut image = Vec::new();
    file.by_ref().take(514 * MIB as u64).read_to_end(&mut image).unwrap();
    let mut last = [0; SECTOR];
    file.seek(SeekFrom::End(-(SECTOR as i64))).unwrap();
    file.read_exact(&mut last).unwrap();
    let number = |at: usize, bytes: usize| {
        image[at..at + bytes].iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
    };
    assert_eq!(&image[SECTOR..SECTOR + 8], b"EFI PART");
    assert_eq!(&last[..8], b"EFI PART");
    let starts = [0, 1, 2, 3].map(|n| number(2 * SECTOR + n * 128 + 32, 8) * SECTOR as u64);
    assert_eq!(starts, [1, 2, 129, 513].map(|mib| mib * MIB as u64));
    assert_eq!(number(2 * MIB + 11, 2), 4096, "sectors of the EFI system partition");
    for mib in [129, 513] {
        let superblock = mib * MIB + 1024;
        assert_eq!(number(superblock + 56, 2), 0xef53, "ext4 at {mib} MiB");
        assert_eq!(number(superblock + 24, 4), 2, "blocks of 4 KiB at {mib} MiB");
    }
    assert_eq!(ImageNote::find(&image).unwrap().title, "tiny 1.0");
    let boot = &image[129 * MIB..513 * MIB];
    let stamp = b"ignition.platform.id=metal ";
    assert!(boot.windows(stamp.len()).any(|bytes| bytes == stamp));
    assert!(image[..440].iter().all(|byte| *byte == 0), "no boot code for BIOS");
}
