//! Files that are no live images, or no longer.

use std::fs;

use nestos_host::cmd::Cmd;

use crate::scene::{Maker, Scene, find_all};

#[test]
fn files_that_are_no_live_images_are_refused_in_the_words_of_both_families() {
    let scene = Scene::new(Maker::Xorriso);
    scene.file("noise", vec![7; 100_000]);
    scene.file("empty", "");
    for file in ["noise", "empty"] {
        for command in
            [&["iso", "kargs", "show"][..], &["iso", "reset"], &["iso", "extract", "pxe"]]
        {
            let run = scene.run(&[command, &[file]].concat());
            assert_eq!(run.code, 1);
            for text in ["Unrecognized NestOS ISO image.", "Unrecognized CoreOS ISO image."] {
                assert!(run.stderr.contains(text), "{}", run.stderr);
            }
        }
    }
    let data = scene.dir.path().join("data.iso");
    let made = Cmd::new("genisoimage").args(["-quiet", "-R", "-o"]).arg(&data);
    made.arg(scene.dir.path()).run().unwrap();
    let run = scene.run(&["iso", "extract", "pxe", "data.iso"]);
    assert!(run.code == 1 && run.stderr.contains("Unrecognized CoreOS ISO"), "{}", run.stderr);
    let none = scene.run(&["iso", "reset", "missing"]);
    assert!(none.stderr.contains("cannot use missing as a live ISO image"), "{}", none.stderr);
}

#[test]
fn an_image_that_was_cut_off_is_refused() {
    for maker in Maker::ALL {
        let scene = Scene::new(maker);
        let bytes = scene.bytes();
        fs::write(&scene.iso, &bytes[..bytes.len() / 2]).unwrap();
        let run = scene.run(&["iso", "ignition", "show", "ISO"]);
        assert!(run.stderr.contains("ISO image is incomplete"), "{maker:?}: {}", run.stderr);
    }
}

#[test]
fn an_image_without_areas_says_what_it_lacks() {
    let scene = Scene::new(Maker::Legacy);
    let mut bytes = scene.bytes();
    bytes[32672..32680].fill(0);
    fs::write(&scene.iso, &bytes).unwrap();
    let run = scene.run(&["iso", "kargs", "show", "ISO"]);
    let text = "No karg embed areas found; old or corrupted CoreOS ISO image.";
    assert!(run.stderr.contains(text), "{}", run.stderr);
    let run = scene.run(&["iso", "customize", "--live-karg-append", "a", "ISO"]);
    let text = "This OS image does not support customizing live kernel arguments.";
    assert!(run.stderr.contains(text), "{}", run.stderr);
}

#[test]
fn areas_outside_their_files_are_refused() {
    let scene = Scene::new(Maker::Xorriso);
    let bytes = scene.bytes();
    for (from, to, text) in [
        ("\"size\": 400}", "\"size\": 999}", "999 bytes at byte "),
        ("\"offset\": ", "\"offset\":9", "do not fit into its "),
    ] {
        let mut changed = bytes.clone();
        for at in find_all(&bytes, from.as_bytes()) {
            let at = usize::try_from(at).unwrap();
            changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        assert!(changed != bytes);
        fs::write(&scene.iso, &changed).unwrap();
        let run = scene.run(&["iso", "reset", "ISO"]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stderr.contains(text), "{}", run.stderr);
        assert!(scene.bytes() == changed);
    }
}

#[test]
fn a_change_that_was_cut_off_is_finished_by_the_next_command() {
    let scene = Scene::new(Maker::Xorriso);
    let pristine = scene.bytes();
    let modify = ["iso", "kargs", "modify", "-a", "late", "live.iso"];
    scene.run(&[&modify[..], &["-o", "want.iso"]].concat()).good();
    let want = fs::read(scene.dir.path().join("want.iso")).unwrap();
    let mut torn = 0;
    for call in 1..=5 {
        fs::write(&scene.iso, &pristine).unwrap();
        let kill = format!("inject=write:signal=SIGKILL:when={call}");
        let strace = ["-qq", "-o", "/dev/null", "-e", "trace=write", "-e", &kill];
        let program = env!("CARGO_BIN_EXE_nestos-installer");
        let cmd = Cmd::new("strace").args(strace).arg(program).args(modify);
        cmd.cwd(scene.dir.path()).when_missing("install strace").finish().unwrap();
        torn += u32::from(scene.bytes() != pristine && scene.bytes() != want);
        let shown = scene.run(&["iso", "kargs", "show", "ISO"]).good().text();
        let whole = if shown.contains("late") { &want } else { &pristine };
        assert!(scene.bytes() == *whole, "killed at write {call}");
        scene.run(&["iso", "kargs", "modify", "-a", "late", "ISO"]).good();
        scene.run(&["iso", "reset", "ISO"]).good();
        assert!(scene.bytes() == pristine);
        assert_eq!(fs::read_dir(scene.dir.path()).unwrap().count(), 2, "no journal is left");
    }
    assert!(torn > 0, "at least one change was cut off between two menus");
}
