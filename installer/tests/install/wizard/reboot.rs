//! The reboot at the end, with a systemctl that only notes that it was called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::screen::{Screen, disk, terminals};
use crate::support::{Bench, MIB, image};

/// Installs up to the countdown and returns where a reboot would be noted.
fn to_countdown(bench: &Bench) -> (Screen, PathBuf) {
    let programs = bench.dir.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let note = bench.dir.path().join("note");
    let systemctl = programs.join("systemctl");
    fs::write(&systemctl, format!("#!/bin/sh\necho \"$@\" > {}\n", note.display())).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("PATH={}:{}", programs.display(), std::env::var("PATH").unwrap());
    let env = ["LC_ALL=en_US.UTF-8", "TERM=screen", &path];
    let image = bench.file("image", image());
    let screen = Screen::with_image(bench, &env, &["--image-file", &image]);
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "correct horse");
    screen.answer("The same password again:", "correct horse");
    screen.answer("Disk to install to:", disk(bench));
    // What is typed before the countdown does not stop it.
    screen.answer("back, quit:", "yes");
    screen.key("x");
    screen.shows("Rebooting in 10 seconds. Any key stops that.");
    (screen, note)
}

#[test]
fn a_key_stops_the_reboot_and_so_does_ctrl_c() {
    if !terminals("a_key_stops_the_reboot_and_so_does_ctrl_c") {
        return;
    }
    for key in ["x", "C-c"] {
        let bench = Bench::new(32 * MIB);
        let (screen, note) = to_countdown(&bench);
        screen.key(key);
        screen.shows("Stopped. Start the new system with: sudo systemctl reboot");
        assert_eq!(screen.status(), "0");
        screen.shows("\necho\n");
        assert!(!note.exists(), "it rebooted");
    }
}

#[test]
fn without_a_key_it_reboots() {
    if !terminals("without_a_key_it_reboots") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let (screen, note) = to_countdown(&bench);
    assert_eq!(screen.status(), "0");
    assert_eq!(fs::read_to_string(note).unwrap(), "reboot\n");
}
