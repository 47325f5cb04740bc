//! Bad input: refused before the disk is touched, or after with nothing left that boots.

use std::fs::{self, File};

use crate::file::stored_images;
use crate::support::{Answer, Bench, CONFIG, IMAGE_SIZE, MIB, image, len, serve};

const DISK_SIZE: u64 = 32 * MIB;
const UNTOUCHED: &str = "the disk was not touched";
const UNBOOTABLE: &str = "the disk was left unbootable";

/// Installs an image that must be refused after the disk was touched.
fn unbootable(stored: &[u8], texts: &[&str]) {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", stored);
    let run = bench.install(["--image-file", &path, "--insecure"]);
    run.fails_with(1, &[UNBOOTABLE]).fails_with(1, texts);
    bench.assert_unbootable();
}

/// Runs with arguments that must be refused before the disk is touched.
fn untouched(bench: &Bench, args: &[&str], texts: &[&str]) {
    bench.install(args).fails_with(1, &[UNTOUCHED]).fails_with(1, texts);
    bench.assert_untouched();
}

#[test]
fn an_image_that_is_cut_off_boots_nothing() {
    for (_, stored) in stored_images() {
        unbootable(&stored[..stored.len() - 10], &["cut off"]);
        // In the middle of the body, long after the table was read.
        unbootable(&stored[..stored.len() * 3 / 4], &["cut off"]);
    }
}

#[test]
fn garbage_after_an_image_boots_nothing() {
    for (_, stored) in stored_images() {
        unbootable(&[&stored[..], b"garbage"].concat(), &["garbage at its end"]);
    }
}

#[test]
fn a_damaged_byte_boots_nothing() {
    for (name, stored) in stored_images() {
        let mut stored = stored.clone();
        // Raw bytes and our zstd frames carry no checksum: that is what digests are for.
        if name.starts_with("gz") || name.starts_with("xz") {
            let at = stored.len() * 2 / 3;
            stored[at] ^= 0x10;
            unbootable(&stored, &["damaged"]);
        }
    }
}

#[test]
fn a_wrong_digest_boots_nothing_and_the_right_one_installs() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    let wrong = format!("sha256:{}", "ab".repeat(32));
    let args = ["--image-file", &path, "--insecure", "--image-digest", &wrong];
    let run = bench.install(args).fails_with(1, &[UNBOOTABLE, &wrong]);
    bench.assert_unbootable();
    let right = run.stderr.split_whitespace().find(|w| w.starts_with("sha256:") && **w != *wrong);
    let right = right.unwrap().trim_end_matches(',');
    bench.install(["--image-file", &path, "--image-digest", right]).ok();
}

#[test]
fn an_image_that_nothing_vouches_for_is_refused() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    untouched(&bench, &["--image-file", &path], &["nothing vouches for", "--image-digest"]);
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let bench = Bench::new(IMAGE_SIZE - MIB);
    let path = bench.file("image", image());
    let args = ["--image-file", &path, "--insecure"];
    untouched(&bench, &args, &["the image needs 25165824 bytes", "truncate -s +1048576"]);
}

#[test]
fn what_is_no_disk_image_is_refused() {
    let bench = Bench::new(DISK_SIZE);
    let mut broken_crc = image().to_vec();
    broken_crc[512 + 56] ^= 1;
    let mut broken_entry = image().to_vec();
    broken_entry[1024 + 56] ^= 1;
    let empty: &[u8] = b"";
    let mut iso = image().to_vec();
    iso[32769..32774].copy_from_slice(b"CD001");
    let qcow2 = [&b"QFI\xFB"[..], &image()[4..]].concat();
    for (bytes, text) in [
        (&vec![0; len(2 * MIB)][..], "no GUID partition table"),
        (&image()[..1000], "too few"),
        (empty, "0 bytes are too few"),
        (&iso, "ISO image"),
        (&qcow2, "qcow2 image"),
        (&broken_crc, "checksum of its header"),
        (&broken_entry, "checksum of its entries"),
    ] {
        let path = bench.file("image", bytes);
        untouched(&bench, &["--image-file", &path, "--insecure"], &[text]);
    }
    untouched(&bench, &["--image-file", "/nonexistent", "--insecure"], &["/nonexistent"]);
    untouched(&bench, &["--image-file", "/", "--insecure"], &["it is a directory"]);
}

#[test]
fn a_config_is_checked_before_the_disk_is_touched() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let relative = r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"motd"}]}}"#;
    for (config, texts) in [
        ("{", &["not a valid Ignition config"][..]),
        (r#"{"ignition":{"version":"3.9.0"}}"#, &["unsupported config version", "3.0.0 to 3.6.0"]),
        (r#"{"ignition":{"version":"3.3.0"},"storage":[]}"#, &["cannot unmarshal array"]),
        (relative, &["c.ign:1:61: path not absolute ($.storage.files.0.path)"]),
        ("passwd: {}\n", &["not a valid Ignition config", "begins with variant: nestos"]),
    ] {
        let path = bench.file("c.ign", config);
        let args = ["--image-file", &image, "--insecure", "--ignition-file", &path];
        untouched(&bench, &args, texts);
    }
    let args = ["--image-file", &image, "--insecure", "--ignition-file", "/nonexistent.ign"];
    untouched(&bench, &args, &["cannot read /nonexistent.ign"]);
    let args = ["--image-file", &image, "--insecure", "--ignition-file", "/dev/zero"];
    untouched(&bench, &args, &["/dev/zero is longer than 64 MiB"]);
}

#[test]
fn a_butane_config_is_checked_before_the_disk_is_touched() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let head = "variant: nestos\nversion: 1.0.0\n";
    for (config, texts) in [
        // A typing error is warned about also where another error ends the installation.
        (
            format!("{head}storge: {{}}\npasswd:\n  users: nest\n"),
            &["c:5:10: cannot unmarshal !!str `nest`"][..],
        ),
        (
            format!("{head}storge: {{}}\nstorage:\n  files:\n    - path: etc/motd\n"),
            &["c:3:1: unused key storge", "c:6:13: path not absolute ($.storage.files.0.path)"],
        ),
        (format!("{head}storage:\n  trees:\n    - local: tree\n"), &["butane --files-dir DIR"]),
        (format!("{head}storage: [\n"), &["not a valid Butane config", "c:4:1:"]),
        (
            head.replace("nestos", "fcos").replace("1.0", "9.0"),
            &["variant fcos with version 9.0.0"],
        ),
        (head.replace("1.0", "9.0"), &["No translator exists for variant nestos"]),
    ] {
        let path = bench.file("c", config);
        let args = ["--image-file", &image, "--insecure", "--ignition-file", &path];
        untouched(&bench, &args, texts);
    }
}

#[test]
fn a_report_shows_no_secrets() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let hash = "$6$rounds=5000$saltsalt$hashhashhash";
    let user = format!("variant: nestos\nversion: 1.0.0\npasswd:\n  users:\n    - {hash}\n");
    let key = format!("variant: nestos\nversion: 1.0.0\n{hash}: 1\nstorage: 1\n");
    let tag = format!("variant: nestos\nversion: 1.0.0\nstorage: !!int {hash}\n");
    let name = format!(
        r#"{{"ignition":{{"version":"3.3.0"}},"passwd":{{"users":[{{"passwordHash":"{hash}",
        "{hash}":1}}]}},"storage":{{"files":[{{"path":"{hash}"}}]}}}}"#
    );
    for config in [user, key, tag, name] {
        let path = bench.file("c", config);
        let args = ["--image-file", &image, "--insecure", "--ignition-file", &path];
        let run = bench.install(args).fails_with(1, &[UNTOUCHED, "is not a valid"]);
        assert!(!run.stderr.contains("$6$"), "{}", run.stderr);
    }
}

#[test]
fn a_config_that_cannot_be_fetched_leaves_the_disk_alone() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let base =
        ["--image-file", &image, "--insecure", "--fetch-retries", "0", "--insecure-ignition"];
    let gone = serve(vec![Answer::Status(404)]);
    for (option, url) in [
        ("--ignition-url", "http://127.0.0.1:1/c.ign"),
        ("--ignition-file", "http://127.0.0.1:1/c.ign"),
        ("--ignition-url", &*gone),
    ] {
        let args = [&base[..], &[option, url]].concat();
        untouched(&bench, &args, &["cannot fetch", url]);
    }
}

#[test]
fn arguments_that_cannot_be_written_are_wrong_usage() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    for bad in [
        ["--append-karg", "x=$y"],
        ["--append-karg", "a b"],
        ["--delete-karg", "x=`id`"],
        ["--console", "console=ttyS0"],
        ["--platform", "Q EMU"],
        ["--image-digest", "sha256:12"],
        ["--image-url", "http://127.0.0.1/two-images"],
    ] {
        let run = bench.install(["--image-file", &image, "--insecure"].iter().chain(&bad));
        run.fails_with(2, &[bad[0]]);
        bench.assert_untouched();
    }
}

#[test]
fn kernel_arguments_that_cannot_fit_are_refused() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let long = format!("x={}", "a".repeat(2100));
    let args = ["--image-file", &image, "--insecure", "--append-karg", &long];
    untouched(&bench, &args, &["at most 2048"]);
}

#[test]
fn a_target_that_is_no_disk_is_refused() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let refuse = |disk: &str, text: &str| {
        let args = ["--image-file", &image, "--insecure"];
        crate::support::install_on(disk.as_ref(), args).fails_with(1, &[UNTOUCHED, text]);
    };
    refuse("/nonexistent/disk", "cannot find the disk");
    refuse("/tmp", "neither a block device nor a regular file");
    refuse("/dev/null", "neither a block device nor a regular file");
    refuse(&image, "the same file");
    let short = bench.file("short", b"");
    refuse(&short, "has 0");
}

#[test]
fn a_file_that_somebody_writes_to_is_refused() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let held = File::open(&bench.disk).unwrap();
    held.lock().unwrap();
    untouched(&bench, &["--image-file", &image, "--insecure"], &["is locked"]);
}

#[test]
fn a_missing_image_says_where_images_are_looked_for() {
    let bench = Bench::new(DISK_SIZE);
    let config = bench.file("c.ign", CONFIG);
    if fs::exists("/run/nestos-installer").unwrap() {
        return;
    }
    let nowhere = ["--stream-base-url", "http://127.0.0.1:1/", "--fetch-retries", "0"];
    let args = [&["-i", &config][..], &nowhere].concat();
    untouched(&bench, &args, &["no image was given", "stable.json", "/run/nestos-installer"]);
    untouched(&bench, &["--offline"], &["no live medium offers an image"]);
}
