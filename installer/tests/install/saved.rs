//! Saved partitions on disks made and read by sfdisk and sgdisk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use gpt::disk::LogicalBlockSize;
use nestos_host::cmd::Cmd;

use crate::support::{
    Answer, Bench, IMAGE_SIZE, Loop, MIB, Run, image, install_on, installer, len, loop_devices,
    make_image, noise, serve, start_install,
};

const DISK: u64 = 64 * MIB;

/// sfdisk's description of the disk of these tests: an old system, data, data without a label,
/// and data up to the last usable sector.
const OLD: &str = r#"label: gpt
label-id: 11111111-2222-4333-8444-555555555555
start=2048, size=8192, type=21686148-6449-6E6F-744E-656564454649, name="old boot"
start=10240, size=30720, name="old root", uuid=AAAAAAAA-0000-4000-8000-000000000002
start=61440, size=2048, name="data-a", uuid=AAAAAAAA-0000-4000-8000-000000000003, attrs="RequiredPartition GUID:59,60"
5: start=63488, size=4096, name="Daten ü", type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=AAAAAAAA-0000-4000-8000-000000000005
9: start=67584, uuid=AAAAAAAA-0000-4000-8000-000000000009
"#;

/// Where the three partitions to keep start and end.
fn kept_ranges() -> [std::ops::Range<usize>; 3] {
    let last = len(DISK) - 33 * 512;
    [(61440, 63488), (63488, 67584), (67584, last / 512)].map(|(a, b)| a * 512..b * 512)
}

/// Makes such a disk, every byte of it in use.
fn old_disk() -> Bench {
    let bench = Bench::new(DISK);
    let file = File::options().write(true).open(&bench.disk).unwrap();
    for range in kept_ranges() {
        file.write_all_at(&noise(range.len()), range.start as u64).unwrap();
    }
    sfdisk(&bench.disk, OLD);
    bench
}

fn sfdisk(disk: &Path, script: &str) {
    // sfdisk ends at the last multiple of its alignment; sgdisk takes all.
    let sfdisk = Cmd::new("sfdisk").args(["--quiet", "--wipe", "never", "--no-reread"]);
    sfdisk.arg(disk).input(script).run().unwrap();
    if script == OLD {
        let args = ["-d", "9", "-n", "9:67584:0", "-u", "9:AAAAAAAA-0000-4000-8000-000000000009"];
        Cmd::new("sgdisk").args(args).arg(disk).run().unwrap();
    }
}

/// Returns the lines of `sfdisk --dump` about partitions, without the name of the disk and in one
/// spacing.
fn dump(disk: &Path) -> Vec<String> {
    let text = Cmd::new("sfdisk").arg("--dump").arg(disk).output().unwrap();
    let prefix = disk.to_str().unwrap();
    let lines = text.lines().filter_map(|l| l.strip_prefix(prefix));
    lines
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ").replace("= ", "="))
        .map(|l| l.trim_start_matches('p').to_owned())
        .collect()
}

/// Returns such a line with another number.
fn renumbered(line: &str, number: u32) -> String {
    let (_, rest) = line.split_once(' ').unwrap();
    format!("{number} {rest}")
}

fn assert_clean(disk: &Path) {
    let verdict = Cmd::new("sgdisk").arg("--verify").arg(disk).output().unwrap();
    assert!(verdict.contains("No problems found"), "{verdict}");
    Cmd::new("sfdisk").arg("--verify").arg(disk).run().unwrap();
}

/// The data is as it was, whatever else happened.
#[track_caller]
fn assert_data(disk: &[u8]) {
    for range in kept_ranges() {
        assert!(disk[range.clone()] == noise(range.len()), "saved bytes at {range:?} changed");
    }
}

/// After a failure: nothing but saved partitions, with their old numbers, and no boot code.
#[track_caller]
fn assert_kept_alone(bench: &Bench, before: &[String]) {
    assert_data(&bench.disk_bytes());
    assert_eq!(dump(&bench.disk), before[2..]);
    assert_clean(&bench.disk);
    let head = &bench.disk_bytes()[..len(MIB)];
    assert!(head[..446].iter().all(|b| *b == 0), "boot code is left");
}

fn keep_all(bench: &Bench, image: &str, more: &[&str]) -> Run {
    let args = ["--image-file", image, "--insecure", "--save-partindex", "3-"];
    bench.install(args.iter().chain(more))
}

#[test]
fn saved_partitions_follow_those_of_the_image() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let path = bench.file("image", image());
    let run = keep_all(&bench, &path, &[]).ok();
    assert!(run.stderr.contains("data-a"), "{}", run.stderr);
    let after = dump(&bench.disk);
    let image_table = dump(Path::new(&path));
    assert_eq!(after[..4], image_table[..]);
    let expected = [renumbered(&before[2], 6), before[3].clone(), before[4].clone()];
    // sfdisk lists by number.
    assert_eq!(after[4..], [expected[1].clone(), expected[0].clone(), expected[2].clone()]);
    assert_clean(&bench.disk);
    let bytes = bench.disk_bytes();
    assert_data(&bytes);
    let partitions = len(MIB)..len(IMAGE_SIZE - MIB);
    assert!(bytes[partitions.clone()] == image()[partitions], "the image is not on the disk");
    assert!(bytes[..446] == image()[..446], "the boot code is missing");
}

#[test]
fn partitions_are_saved_by_label() {
    for (options, kept) in [
        (&["--save-partlabel", "data-?,x*"][..], &["data-a"][..]),
        (&["--save-partlabel", "D*", "--save-partlabel", "data-[a-c]"], &["Daten ", "data-a"]),
        (&["--save-partlabel", "data-a", "--save-partindex", "5"], &["Daten ", "data-a"]),
        (&["--save-partlabel", "nothing"], &[]),
    ] {
        let bench = old_disk();
        let image = bench.file("image", image());
        let args = ["--image-file", &image, "--insecure"];
        bench.install(args.iter().chain(options)).ok();
        let after = dump(&bench.disk);
        assert_eq!(after.len(), 4 + kept.len(), "{options:?}: {after:?}");
        for (line, label) in after[4..].iter().zip(kept) {
            assert!(line.contains(&format!("name=\"{label}")), "{options:?}: {line}");
        }
        assert_clean(&bench.disk);
    }
}

#[test]
fn an_installation_that_fails_leaves_saved_partitions_alone_in_the_table() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let cut = bench.file("cut", &image()[..len(IMAGE_SIZE - 2 * MIB)]);
    let whole = bench.file("image", image());
    let wrong = format!("sha256:{}", "ab".repeat(32));
    keep_all(&bench, &cut, &[]).fails_with(1, &["cut off", "unbootable"]);
    assert_kept_alone(&bench, &before);
    keep_all(&bench, &whole, &["--image-digest", &wrong]).fails_with(1, &[&wrong]);
    assert_kept_alone(&bench, &before);
    // What is left is a disk to install to.
    keep_all(&bench, &whole, &[]).ok();
    assert_eq!(dump(&bench.disk).len(), 7);
    assert_data(&bench.disk_bytes());
}

/// Starts an installation whose source stalls, and waits until a part of the image is written.
fn stalled(bench: &Bench) -> Child {
    let url = serve(vec![Answer::Stall(image().to_vec(), len(8 * MIB))]);
    let args = ["--image-url", &url, "--insecure", "--save-partindex", "3-"];
    let child = start_install(&bench.disk, &args);
    let part = len(4 * MIB)..len(5 * MIB);
    let written = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        bench.disk_bytes()[part.clone()] == image()[part.clone()]
    });
    assert!(written, "the installation does not get on");
    child
}

#[test]
fn ctrl_c_leaves_saved_partitions_alone_in_the_table() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let mut child = stalled(&bench);
    // Even now others see them.
    assert_eq!(dump(&bench.disk), before[2..]);
    let pid = child.id().to_string();
    Cmd::new("kill").args(["-INT", &pid]).run().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_kept_alone(&bench, &before);
}

#[test]
fn a_killed_installation_leaves_saved_partitions_that_another_one_saves() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let mut child = stalled(&bench);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(dump(&bench.disk), before[2..]);
    assert_clean(&bench.disk);
    let path = bench.file("image", image());
    keep_all(&bench, &path, &[]).ok();
    assert_eq!(dump(&bench.disk).len(), 7);
    assert_clean(&bench.disk);
    assert_data(&bench.disk_bytes());
}

#[test]
fn a_wiped_disk_keeps_saved_partitions() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let (cut, whole) = (&image()[..len(IMAGE_SIZE - 2 * MIB)], bench.file("image", image()));
    let cut = bench.file("cut", cut);
    keep_all(&bench, &cut, &["--wipe"]).fails_with(1, &["unbootable"]);
    assert_kept_alone(&bench, &before);
    keep_all(&bench, &whole, &["--wipe"]).ok();
    assert_eq!(dump(&bench.disk).len(), 7);
    assert_clean(&bench.disk);
    assert_data(&bench.disk_bytes());
}

/// Installs with options that must be refused before anything is touched.
#[track_caller]
fn refused(bench: &Bench, options: &[&str], texts: &[&str]) {
    let before = bench.disk_bytes();
    let image = bench.file("image", image());
    let args = ["--image-file", &image, "--insecure"];
    let run = bench.install(args.iter().chain(options));
    run.fails_with(1, &["the disk was not touched"]).fails_with(1, texts);
    assert!(bench.disk_bytes() == before, "the disk was touched");
}

#[test]
fn partitions_in_the_way_of_the_image_are_refused_and_nothing_is_touched() {
    let bench = old_disk();
    let reaches = ["partition 2 \"old root\"", "starts at byte 5242880", "image reaches to"];
    refused(&bench, &["--save-partindex", "2-"], &reaches);
    refused(&bench, &["--save-partlabel", "old*"], &["partition 1 \"old boot\""]);
    Cmd::new("sgdisk").args(["-c", "5:root"]).arg(&bench.disk).run().unwrap();
    refused(&bench, &["--save-partindex", "5"], &["label of a partition of the image"]);
}

#[test]
fn a_damaged_table_is_refused_only_when_partitions_are_saved() {
    let bench = old_disk();
    let before = dump(&bench.disk);
    let path = bench.file("image", image());
    let file = File::options().write(true).open(&bench.disk).unwrap();
    file.write_all_at(&[0xFF; 8], 512 + 40).unwrap();
    // The backup is still good.
    let run = keep_all(&bench, &path, &["--image-digest", &format!("sha256:{}", "0".repeat(64))]);
    run.fails_with(1, &["unbootable"]);
    assert_kept_alone(&bench, &before);
    file.write_all_at(&[0xFF; 8], 512 + 40).unwrap();
    file.write_all_at(&[0xFF; 8], DISK - 512 + 40).unwrap();
    refused(&bench, &["--save-partindex", "3-"], &["table cannot be read", "backup"]);
    refused(&bench, &["--save-partlabel", "data*"], &["table cannot be read", "backup"]);
    bench.install(["--image-file", &path, "--insecure"]).ok();
}

#[test]
fn only_labels_can_be_asked_for_on_an_mbr_disk() {
    let bench = Bench::new(DISK);
    sfdisk(&bench.disk, "label: dos\nstart=61440, size=2048, type=83\n");
    let message = "saving partitions from an MBR disk is not supported";
    refused(&bench, &["--save-partindex", "1"], &[message]);
    let image = bench.file("image", image());
    bench.install(["--image-file", &image, "--insecure", "--save-partlabel", "*"]).ok();
    assert_eq!(dump(&bench.disk).len(), 4);
}

#[test]
fn a_table_for_other_sectors_is_refused() {
    let bench = old_disk();
    let path = bench.file("image4k", make_image(LogicalBlockSize::Lb4096, "x"));
    let before = bench.disk_bytes();
    keep_all(&bench, &path, &[]).fails_with(1, &["made for sectors of 512 bytes", "4096"]);
    assert!(bench.disk_bytes() == before);
}

#[test]
fn what_is_no_range_of_partitions_is_wrong_usage() {
    let bench = old_disk();
    for (option, value) in [
        ("--save-partindex", "0"),
        ("--save-partindex", "7-5"),
        ("--save-partindex", "-"),
        ("--save-partindex", "5,"),
        ("--save-partindex", "x"),
        ("--save-partlabel", "[a"),
    ] {
        let run = bench.install(["--image-file", "x", "--insecure", option, value]);
        run.fails_with(2, &[option]);
    }
}

#[test]
fn the_plan_tells_what_is_saved_and_touches_nothing() {
    let bench = old_disk();
    let before = bench.disk_bytes();
    let path = bench.file("image", image());
    let run = keep_all(&bench, &path, &["--dry-run"]).ok();
    for text in ["data-a", "Daten ü", "old root"] {
        assert!(run.stderr.contains(text), "no {text} in {}", run.stderr);
    }
    assert!(bench.disk_bytes() == before);
}

#[test]
fn block_devices_of_both_sector_sizes_keep_partitions() {
    if !loop_devices("block_devices_of_both_sector_sizes_keep_partitions") {
        return;
    }
    for (sector, block) in [(512, LogicalBlockSize::Lb512), (4096, LogicalBlockSize::Lb4096)] {
        let bench = Bench::new(DISK);
        let path = bench.file("image", make_image(block, "title x\noptions x\n"));
        let (a, b) = (len(30 * MIB), len(31 * MIB));
        let mut bytes = bench.disk_bytes();
        bytes[a..b].copy_from_slice(&noise(b - a));
        fs::write(&bench.disk, &bytes).unwrap();
        let device = Loop::attach(&bench.disk, &["--sector-size", &sector.to_string()]);
        let lba = |at: u64| at / sector;
        let script = format!(
            "label: gpt\nstart={}, size={}, name=old\n2: start={}, size={}, name=data\n",
            lba(MIB),
            lba(MIB),
            lba(30 * MIB),
            lba(MIB)
        );
        sfdisk(&device.0, &script);
        let before = dump(&device.0);
        let args = ["--image-file", &path, "--insecure", "--save-partlabel", "da*"];
        install_on(&device.0, args).ok();
        let after = dump(&device.0);
        assert_eq!(after.len(), 5);
        assert_eq!(after[4], renumbered(&before[1], 5));
        assert_clean(&device.0);
        drop(device);
        assert!(bench.disk_bytes()[a..b] == noise(b - a), "the data changed");
    }
}

#[test]
fn a_comma_list_of_ranges_may_start_with_a_dash() {
    let bench = old_disk();
    let image = bench.file("image", image());
    let run = installer()
        .arg("install")
        .arg(&bench.disk)
        .args(["--image-file", &image, "--insecure", "--save-partindex", "-1,9"])
        .finish()
        .unwrap();
    Run::from(run).fails_with(1, &["partition 1 \"old boot\"", "the disk was not touched"]);
}
