//! Disks that fail, run full or vanish in mid-installation: the message tells what happened and
//! the truth about the disk, which boots nothing, and nothing is left behind.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, mpsc};

use gpt::disk::LogicalBlockSize;

use crate::judge::{self, Verdict};
use crate::scene::{self, DISK_SIZE, NEW, Others, Scene};
use crate::server::{Reply, Server};
use crate::storage::{Storage, served_files, wait_until};
use crate::strace::traced;
use crate::support::{
    ENTRY, Loop, MIB, ROOT_AT, Run, installer, len, loop_devices, make_image, program,
};

const UNBOOTABLE: &str = "the disk was left unbootable";
const UNKNOWN: &str = "the disk is in an unknown state";

/// Every call of a few kinds fails once: writes, syncs, and what `/boot` needs.
#[test]
fn a_call_that_fails_once_leaves_nothing_that_boots() {
    let test = "a_call_that_fails_once_leaves_nothing_that_boots";
    if !loop_devices(test) || !judge::judges(test) || !program("strace", test) {
        return;
    }
    Scene::all().for_each(|scene| fail_once(&scene));
}

fn fail_once(scene: &Scene) {
    let calls = traced(scene, &scene.fresh_disk("traced"), &[]).calls;
    let on_disk = |name: &str| calls.iter().filter(|c| c.on_disk && c.name == name).count();
    let (writes, syncs) = (on_disk("pwrite64"), on_disk("fsync"));
    let mut faults = Vec::new();
    for nth in [1, writes / 2, writes - 2, writes - 1, writes] {
        faults.push(("pwrite64", nth, "ENOSPC", "No space left on device"));
    }
    faults.extend((1..=syncs).map(|nth| ("fsync", nth, "EIO", "Input/output error")));
    for (name, nth, error, text) in faults {
        let disk = scene.fresh_disk("failing");
        let run = traced(scene, &disk, &failing(name, nth, error, Some(&disk))).run;
        scene.assert_failed(run, &disk, &[UNBOOTABLE, text, disk.to_str().unwrap()]);
    }
    let edits: [(&str, usize, &str); 4] = [
        ("chroot", 1, "EACCES"),
        ("renameat", 1, "ENOSPC"),
        ("renameat", 2, "EROFS"),
        ("fchmod", 1, "EIO"),
    ];
    for (name, nth, error) in edits {
        let disk = scene.fresh_disk("failing");
        let run = traced(scene, &disk, &failing(name, nth, error, None)).run;
        scene.assert_failed(run, &disk, &[UNBOOTABLE, "cannot edit /boot of the new system"]);
    }
}

fn failing(name: &str, nth: usize, error: &str, only: Option<&Path>) -> Vec<String> {
    let inject = format!("inject={name}:error={error}:when={nth}");
    let only = only.into_iter().flat_map(|disk| ["-P".to_owned(), disk.display().to_string()]);
    ["-e".to_owned(), inject].into_iter().chain(only).collect()
}

/// Requests that fail for ever: data, data and zeros, flushes.
const DATA: &[&str] = &["write"];
const ALL: &[&str] = &["write", "write-zeroes", "discard"];
const FLUSH: &[&str] = &["flush"];

#[test]
fn a_disk_with_bad_places_boots_nothing() {
    let test = "a_disk_with_bad_places_boots_nothing";
    if !loop_devices(test) || !judge::judges(test) || !served_files(test) {
        return;
    }
    Scene::all().for_each(|scene| fail_for_ever(&scene));
}

fn fail_for_ever(scene: &Scene) {
    let erasure = "could not be erased either";
    // A table of saved partitions is data, too.
    let ends = match scene.others {
        Others::None => UNBOOTABLE,
        Others::Saved => UNKNOWN,
    };
    for (requests, at, texts) in [
        (ALL, Some(0), &[UNKNOWN, erasure][..]),
        (ALL, Some(DISK_SIZE - 512), &[UNKNOWN, erasure]),
        (ALL, Some(ROOT_AT + 3 * MIB), &[UNBOOTABLE, "cannot write to"]),
        (ALL, None, &[UNKNOWN, erasure]),
        (DATA, Some(0), &[ends, "at byte 0"]),
        (DATA, Some(DISK_SIZE - 512), &[ends, "cannot write to"]),
        (FLUSH, None, &[UNKNOWN, erasure, "cannot sync"]),
    ] {
        let disk = scene.fresh_disk("bad");
        let storage = Storage::serve(scene.bench.dir.path(), &bad(&disk, requests, at));
        let run = scene.install(storage.file());
        scene::assert_released(storage.file(), &scene.tmp());
        storage.end();
        scene.assert_failed(run, &disk, &[&["Input/output error"][..], texts].concat());
    }
}

/// The kernel takes every write and tells at the sync that one of them failed.
#[test]
fn a_block_device_with_a_bad_place_boots_nothing() {
    let test = "a_block_device_with_a_bad_place_boots_nothing";
    if !loop_devices(test) || !judge::judges(test) || !served_files(test) {
        return;
    }
    let scene = Scene::set(Others::None);
    let disk = scene.fresh_disk("bad");
    let nodes = bad(&disk, ALL, Some(ROOT_AT + 3 * MIB));
    let storage = Storage::serve(scene.bench.dir.path(), &nodes);
    let attached = Loop::attach(storage.file(), &[]);
    let run = scene.install(&attached.0);
    let device = attached.0.display().to_string();
    drop(attached);
    storage.end();
    scene.assert_failed(run, &disk, &[UNBOOTABLE, &device, "Input/output error"]);
}

/// The block devices for a disk on which these requests fail, at one place or everywhere.
fn bad(disk: &Path, requests: &[&str], at: Option<u64>) -> Vec<String> {
    let sector = at.map(|at| format!(",\"sector\":{}", at / 512)).unwrap_or_default();
    let rule = |r: &&str| format!("{{\"event\":\"none\",\"iotype\":\"{r}\",\"errno\":5{sector}}}");
    let rules: Vec<String> = requests.iter().map(rule).collect();
    vec![
        format!("driver=file,node-name=base,filename={}", disk.display()),
        format!(
            "{{\"driver\":\"blkdebug\",\"node-name\":\"disk\",\"image\":\"base\",\
             \"inject-error\":[{}]}}",
            rules.join(",")
        ),
    ]
}

/// The disk goes away while the body is written: a file, and a block device.
#[test]
fn a_disk_that_vanishes_ends_the_installation() {
    let test = "a_disk_that_vanishes_ends_the_installation";
    if !loop_devices(test) || !judge::judges(test) || !served_files(test) {
        return;
    }
    Scene::all().for_each(|scene| vanish(&scene));
}

fn vanish(scene: &Scene) {
    for device in [false, true] {
        let disk = scene.fresh_disk("vanishing");
        let node = format!("driver=file,node-name=disk,filename={}", disk.display());
        let mut storage = Storage::serve(scene.bench.dir.path(), &[node]);
        let attached = device.then(|| Loop::attach(storage.file(), &[]));
        let target = attached.as_ref().map_or(storage.file(), |a| &a.0).to_owned();
        let run = interrupted(scene, &target, || storage.vanish());
        scene::assert_released(Path::new("/nonexistent"), &scene.tmp());
        drop(attached);
        storage.end();
        let texts = [UNKNOWN, "could not be erased either", target.to_str().unwrap()];
        scene.assert_failed(run, &disk, &texts);
        assert_eq!(scene.judge(&disk), Ok(Verdict::Nothing));
    }
}

#[test]
fn two_installers_on_one_device_do_not_meet() {
    let test = "two_installers_on_one_device_do_not_meet";
    if !loop_devices(test) || !judge::judges(test) {
        return;
    }
    let scene = Scene::set(Others::None);
    let disk = scene.fresh_disk("wanted");
    let attached = Loop::attach(&disk, &[]);
    let first = interrupted(&scene, &attached.0, || {
        let texts = ["the disk was not touched", "is open in nestos-installe"];
        scene.install(&attached.0).fails_with(1, &texts);
    });
    drop(attached);
    first.ok();
    assert_eq!(scene.judge(&disk), Ok(Verdict::Complete));
}

#[test]
fn a_disk_with_other_sectors_is_not_touched() {
    let test = "a_disk_with_other_sectors_is_not_touched";
    if !loop_devices(test) || !judge::judges(test) {
        return;
    }
    let mut scene = Scene::set(Others::None);
    let large = scene.bench.file("large", make_image(LogicalBlockSize::Lb4096, ENTRY));
    for (image, size) in [(scene.args[1].clone(), 4096), (large, 512)] {
        scene.args[1] = image;
        let disk = scene.fresh_disk("other");
        let attached = Loop::attach(&disk, &["--sector-size", &size.to_string()]);
        let run = scene.install(&attached.0);
        drop(attached);
        let texts = ["the disk was not touched", &format!("has sectors of {size} bytes")];
        scene.assert_failed(run, &disk, &texts);
    }
}

/// Installs from a server that breaks off in mid-image, and lets it go on once `meanwhile` was
/// done.
fn interrupted(scene: &Scene, target: &Path, meanwhile: impl FnOnce()) -> Run {
    let image = fs::read(&scene.args[1]).unwrap();
    let (sender, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let server = Server::start(move |_, request| {
        if [".sig", ".asc"].iter().any(|end| request.path.ends_with(end)) {
            return Reply::status(404);
        }
        let reply = Reply::ranged(request, &image, "\"1\"");
        if request.header("range").is_none() {
            return reply.cut(len(ROOT_AT + 2 * MIB));
        }
        // Fails once the sender is gone: then everybody may go on.
        assert!(go_on.lock().unwrap().recv().is_err());
        reply
    });
    let args = ["--image-url", &server.url];
    let args = args.into_iter().map(str::to_owned).chain(scene.args[2..].iter().cloned());
    let cmd = installer().env("TMPDIR", scene.tmp()).arg("install").arg(target).args(args);
    let child = cmd.spawn(Stdio::null(), Stdio::null(), Stdio::piped()).unwrap();
    let root_is_new = || {
        let mut byte = [0];
        File::open(target).unwrap().read_exact_at(&mut byte, ROOT_AT + MIB).unwrap();
        byte[0] == NEW
    };
    assert!(wait_until(root_is_new), "the image is not written");
    meanwhile();
    drop(sender);
    let done = child.wait_with_output().unwrap();
    Run { code: done.status.code(), stderr: String::from_utf8(done.stderr).unwrap() }
}
