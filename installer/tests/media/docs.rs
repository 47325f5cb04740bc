//! The examples of `docs/media.md`, in both languages, run as they are printed.

use nestos_host::cmd::Cmd;
use std::fs;

use crate::scene::{CONFIG, FEATURES, Maker, Scene};

const ENGLISH: &str = include_str!("../../../docs/media.md");
const CHINESE: &str = include_str!("../../../docs/media.zh-CN.md");

fn blocks(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).filter_map(|part| part.split("```").next()).collect()
}

#[test]
fn both_languages_have_the_same_examples() {
    assert_eq!(blocks(ENGLISH), blocks(CHINESE));
    let count = |text: &str, start: char| text.lines().filter(|l| l.starts_with(start)).count();
    for start in ['|', '#'] {
        assert_eq!(count(ENGLISH, start), count(CHINESE, start));
    }
}

#[test]
fn every_example_does_what_it_says() {
    let scene = Scene::new(Maker::Xorriso);
    let pristine = scene.bytes();
    scene.file("example.ign", CONFIG);
    scene.file("eth0.nmconnection", "[connection]\nid=eth0\n");
    scene.file("check.sh", "#!/bin/bash\n");
    let program = scene.dir.path().join("nestos-installer");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nestos-installer"), program).unwrap();
    let path = format!("{}:{}", scene.dir.path().display(), std::env::var("PATH").unwrap());
    let mut said = String::new();
    for block in blocks(ENGLISH) {
        // The kernel and initramfs of the test's image are none.
        let script = block.replace("live-initrd.img", "stamped.img");
        if script != block {
            let stamps = [
                ("etc/nestos-live-initramfs", 0o644, &b"1\n"[..]),
                ("etc/nestos/features.json", 0o644, FEATURES.as_bytes()),
            ];
            fs::create_dir(scene.dir.path().join("tftp")).unwrap();
            scene.file("tftp/stamped.img", nestos_formats::cpio::archive(stamps).unwrap());
        }
        let cmd = Cmd::new("sh").args(["-e", "-c", &script]).cwd(scene.dir.path());
        let done = cmd.env("PATH", &path).finish().unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{script}\n{errors}");
        said += &(String::from_utf8(done.stdout).unwrap() + &errors);
    }
    for text in [
        "installs with:  dest-device: /dev/sda",
        "without confirmation",
        "\"pre-install\": [",
        "tftp/live-rootfs.img",
        "NestOS live initramfs",
        " quiet\n",
    ] {
        assert!(said.contains(text), "no {text:?} in:\n{said}");
    }
    assert!(fs::read(scene.dir.path().join("custom.iso")).unwrap() == pristine);
}

#[test]
fn every_option_is_described() {
    let scene = Scene::new(Maker::Xorriso);
    for command in [
        "iso customize",
        "iso describe",
        "iso reset",
        "iso ignition embed",
        "iso network embed",
        "iso network extract",
        "iso kargs modify",
        "iso kargs show",
        "iso extract pxe",
        "iso extract minimal-iso",
        "pxe customize",
        "pxe describe",
        "pxe ignition wrap",
        "pxe network wrap",
        "pxe network unwrap",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = scene.run(&words).good().text();
        let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let options = lines.flat_map(|line| line.split_whitespace().take(2));
        let known = ["--help", "--version", "--output"];
        for option in options.filter(|o| o.starts_with("--") && !known.contains(o)) {
            for (language, text) in [("English", ENGLISH), ("Chinese", CHINESE)] {
                assert!(text.contains(option), "no {option} of {command} in {language}");
            }
        }
    }
}
