//! Images from a web server, and installations that are stopped in the middle.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::{Reply, Server};
use crate::support::{Answer, Bench, MIB, Run, image, installer, len, serve, start_install};

const DISK_SIZE: u64 = 32 * MIB;

#[test]
fn an_image_is_installed_from_a_web_server() {
    let bench = Bench::new(DISK_SIZE);
    let url = serve(vec![Answer::Whole(image().to_vec())]);
    bench.install(["--image-url", &url, "--insecure"]).ok();
    assert!(bench.disk_bytes()[len(MIB)..len(20 * MIB)] == image()[len(MIB)..len(20 * MIB)]);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let bench = Bench::new(DISK_SIZE);
    let url = serve(vec![Answer::Status(503), Answer::Whole(image().to_vec())]);
    let run = bench.install(["--image-url", &url, "--insecure", "--fetch-retries", "1"]).ok();
    assert!(run.stderr.contains("503"), "{}", run.stderr);
}

#[test]
fn a_server_that_refuses_leaves_the_disk_alone() {
    for status in [404, 503] {
        let bench = Bench::new(DISK_SIZE);
        let url = serve(vec![Answer::Status(status)]);
        let run = bench.install(["--image-url", &url, "--insecure", "--fetch-retries", "0"]);
        run.fails_with(1, &["the disk was not touched", &status.to_string()]);
        bench.assert_untouched();
    }
}

#[test]
fn a_connection_that_breaks_boots_nothing() {
    let bench = Bench::new(DISK_SIZE);
    let url = serve(vec![Answer::Cut(image().to_vec(), len(9 * MIB))]);
    let run = bench.install(["--image-url", &url, "--insecure", "--fetch-retries", "0"]);
    let place = format!("breaks off after {} of {} bytes", 9 * MIB, image().len());
    run.fails_with(1, &["the disk was left unbootable", "cannot read the image", &place]);
    bench.assert_unbootable();
}

#[test]
fn an_installation_goes_on_after_a_broken_connection() {
    let bench = Bench::new(DISK_SIZE);
    // The first requests are for the signature.
    let server = Server::start(|number, request| match number {
        0 | 1 => Reply::status(404),
        2 => Reply::ranged(request, image(), "\"1\"").cut(len(9 * MIB)),
        _ => Reply::ranged(request, image(), "\"1\""),
    });
    let run = bench.install(["--image-url", &server.url, "--insecure"]).ok();
    assert!(run.stderr.contains(&format!("going on after {} bytes", 9 * MIB)), "{}", run.stderr);
    assert!(bench.disk_bytes()[len(MIB)..len(20 * MIB)] == image()[len(MIB)..len(20 * MIB)]);
    let again = &server.requests()[3];
    assert_eq!(again.header("range"), Some(format!("bytes={}-", 9 * MIB).as_str()));
    assert_eq!(again.header("if-range"), Some("\"1\""));
}

#[test]
fn a_system_without_certificate_authorities_can_use_plain_http() {
    let bench = Bench::new(DISK_SIZE);
    let url = serve(vec![Answer::Whole(image().to_vec())]);
    let install = |url: &str| {
        let cmd = installer().args(["install", "--insecure", "--image-url", url]).arg(&bench.disk);
        let cmd = cmd.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        Run::from(cmd.finish().unwrap())
    };
    install("https://127.0.0.1:1/x").fails_with(1, &["was not touched", "ca-certificates"]);
    install(&url).ok();
}

#[test]
fn two_installations_on_one_disk_do_not_meet() {
    let bench = Bench::new(DISK_SIZE);
    let url = serve(vec![Answer::Stall(image().to_vec(), len(9 * MIB))]);
    let mut first = start_install(&bench.disk, &["--image-url", &url, "--insecure"]);
    wait_for(&bench.disk, MIB, b"GRUB core");
    let path = bench.file("image", image());
    let second = bench.install(["--image-file", &path, "--insecure"]);
    second.fails_with(1, &["was not touched", "is locked"]);
    first.kill().unwrap();
    first.wait().unwrap();
    bench.install(["--image-file", &path, "--insecure"]).ok();
}

/// Waits until the disk holds `bytes` at `offset`.
fn wait_for(disk: &Path, offset: u64, bytes: &[u8]) {
    let file = File::open(disk).unwrap();
    let mut found = vec![0; bytes.len()];
    for _ in 0..3000 {
        file.read_exact_at(&mut found, offset).unwrap();
        if found == bytes {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the disk did not get there");
}

/// Starts an installation whose source falls silent at `stall`, waits until the disk holds
/// `bytes` at `offset`, sends a signal and returns how it ended.
fn stopped(bench: &Bench, stall: u64, at: (u64, &[u8]), signal: Signal) -> (Option<i32>, String) {
    let url = serve(vec![Answer::Stall(image().to_vec(), len(stall))]);
    let mut child = start_install(&bench.disk, &["--image-url", &url, "--insecure"]);
    wait_for(&bench.disk, at.0, at.1);
    if at.1 == [0xA5] {
        // Nothing is written yet; the first line shows that signals are handled.
        let mut byte = [0];
        child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap();
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    (status.code().or(status.signal().map(|s| -s)), stderr)
}

#[test]
fn ctrl_c_in_the_middle_leaves_an_erased_disk() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let bench = Bench::new(DISK_SIZE);
        let (code, stderr) = stopped(&bench, 9 * MIB, (MIB, b"GRUB core"), signal);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("left unbootable") && stderr.contains("interrupted"), "{stderr}");
        bench.assert_unbootable();
    }
}

#[test]
fn ctrl_c_before_the_write_leaves_the_disk_alone() {
    let bench = Bench::new(DISK_SIZE);
    let (code, stderr) = stopped(&bench, MIB / 2, (0, &[0xA5]), Signal::SIGINT);
    assert_eq!(code, Some(-(Signal::SIGINT as i32)), "{stderr}");
    assert!(stderr.contains("the disk was not touched"), "{stderr}");
    bench.assert_untouched();
}

#[test]
fn a_killed_installation_leaves_no_table() {
    for stall in [2 * MIB, 9 * MIB, 24 * MIB - 512] {
        let bench = Bench::new(DISK_SIZE);
        let (code, _) = stopped(&bench, stall, (MIB, b"GRUB core"), Signal::SIGKILL);
        assert_eq!(code, Some(-(Signal::SIGKILL as i32)));
        bench.assert_unbootable();
    }
}

/// Kills installations after ever longer times, until one is complete.
#[test]
fn a_disk_boots_nothing_or_everything_whenever_it_is_killed() {
    let bench = Bench::new(DISK_SIZE);
    let path = bench.file("image", image());
    bench.install(["--image-file", &path, "--insecure"]).ok();
    let complete = bench.disk_bytes();
    for step in 0.. {
        std::fs::write(&bench.disk, vec![0xA5; len(DISK_SIZE)]).unwrap();
        let mut child = start_install(&bench.disk, &["--image-file", &path, "--insecure"]);
        thread::sleep(Duration::from_millis(step * 7));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let disk = bench.disk_bytes();
        // Without the signature of a boot sector there is no table for anybody.
        let bootable = disk[510..512] == [0x55, 0xAA];
        assert!(!bootable || disk == complete, "a half-written disk boots after step {step}");
        if ended {
            assert!(bootable, "step {step} ended without a system");
            return;
        }
    }
}
