//! Disks that somebody uses, freed by the commands that the refusal names.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use nestos_host::blockdev::ClaimedDisk;
use nestos_host::cmd::Cmd;
use nestos_host::disk_use::{Sources, release};
use nestos_host::term::error_lines;

use crate::busy::{Mounted, Places, with_a_namespace};
use crate::support::{Bench, Loop, MIB, image, install_on, loop_devices};

/// A loop device with an ext4 file system.
fn formatted(bench: &Bench) -> Loop {
    Cmd::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&bench.disk).run().unwrap();
    Loop::attach(&bench.disk, &[])
}

fn mount(options: &[&str], what: &Path, place: &Path) {
    fs::create_dir_all(place).unwrap();
    Cmd::new("mount").args(options).arg(what).arg(place).run().unwrap();
}

/// Releases a disk and returns what was announced, or how it was refused.
fn released(disk: &Path) -> Result<Vec<String>, String> {
    let mut said = Vec::new();
    match release(disk, &Sources::system(), |line| said.push(line.trim().to_owned())) {
        Ok(_) => Ok(said),
        Err(e) => Err(error_lines(&e).join("\n")),
    }
}

/// A program of a test, ended when dropped.
struct Running(Child);

impl Running {
    /// Starts a shell script that says when it is ready.
    fn start(wrapper: &[&str], script: &str, args: &[&Path]) -> Self {
        let words = wrapper.iter().copied().chain(["sh", "-c", script, "sh"]);
        let words: Vec<&str> = words.collect();
        let cmd = Cmd::new(words[0]).args(&words[1..]).args(args);
        let mut child = cmd.spawn(Stdio::null(), Stdio::piped(), Stdio::inherit()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn mounts_over_and_beside_each_other_are_ended_in_order() {
    if !loop_devices("mounts_over_and_beside_each_other_are_ended_in_order") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = formatted(&bench);
    let places = Places::below(bench.dir.path());
    let at = |name: &str| places.dir.join(name);
    mount(&[], &disk.0, &at("a place"));
    mount(&["-t", "tmpfs"], Path::new("none"), &at("a place/inside"));
    mount(&["--bind"], &at("a place"), &at("bound"));
    File::create(at("a place/image")).unwrap().set_len(4 * MIB).unwrap();
    Cmd::new("mke2fs").args(["-q", "-F"]).arg(at("a place/image")).run().unwrap();
    let inner = Cmd::new("losetup").args(["--find", "--show"]).arg(at("a place/image")).output();
    let inner = inner.unwrap().trim().to_owned();
    mount(&[], Path::new(&inner), &at("inner"));
    let refused = ClaimedDisk::claim(&disk.0).unwrap_err();
    assert!(error_lines(&refused).join("\n").contains("a place"));

    let said = released(&disk.0).unwrap();
    let commands = said.iter().position(|l| l == "by these commands:").unwrap();
    let root = places.dir.display();
    assert_eq!(
        said[commands + 1..],
        [
            format!("umount {root}/bound"),
            format!("umount '{root}/a place/inside'"),
            format!("umount {root}/inner"),
            format!("losetup --detach {inner}"),
            format!("umount '{root}/a place'"),
        ]
    );
    ClaimedDisk::claim(&disk.0).unwrap();
}

#[test]
fn swap_is_ended() {
    if !loop_devices("swap_is_ended") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = Loop::attach(&bench.disk, &[]);
    Cmd::new("mkswap").arg(&disk.0).run().unwrap();
    Cmd::new("swapon").arg(&disk.0).run().unwrap();
    let said = released(&disk.0).unwrap();
    assert!(said.contains(&format!("swapoff {}", disk.0.display())), "{said:?}");
    ClaimedDisk::claim(&disk.0).unwrap();
}

#[test]
fn a_program_at_work_on_the_disk_is_named_and_left_alone() {
    if !loop_devices("a_program_at_work_on_the_disk_is_named_and_left_alone") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = formatted(&bench);
    let places = Places::below(bench.dir.path());
    let place = places.dir.join("place");
    mount(&[], &disk.0, &place);
    let mut program = Running::start(&[], "cd \"$1\" && echo ready && exec sleep 60", &[&place]);
    let pid = program.0.id();
    let refused = released(&disk.0).unwrap_err();
    for text in [&format!("(process {pid})"), "nothing was changed", &format!("kill {pid}")] {
        assert!(refused.contains(text), "no {text:?} in:\n{refused}");
    }
    assert!(program.0.try_wait().unwrap().is_none(), "the program was ended");
    drop(program);
    released(&disk.0).unwrap();
    ClaimedDisk::claim(&disk.0).unwrap();
}

#[test]
fn a_mount_that_only_another_namespace_has_is_named_and_ended_there() {
    if !loop_devices("a_mount_that_only_another_namespace_has_is_named_and_ended_there") {
        return;
    }
    let _lock = with_a_namespace();
    let bench = Bench::new(32 * MIB);
    let disk = formatted(&bench);
    let place = bench.dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let script = "mount \"$1\" \"$2\" && echo ready && exec sleep 60";
    let wrapper = ["unshare", "--mount", "--propagation", "private"];
    let program = Running::start(&wrapper, script, &[&disk.0, &place]);
    let refused = error_lines(&ClaimedDisk::claim(&disk.0).unwrap_err()).join("\n");
    let named = format!("(process {})", program.0.id());
    assert!(refused.contains("in the mount namespace of "), "{refused}");
    assert!(refused.contains(&named), "{refused}");
    assert!(refused.contains(&format!("nsenter --target {}", program.0.id())), "{refused}");
    released(&disk.0).unwrap();
    ClaimedDisk::claim(&disk.0).unwrap();
}

#[test]
fn a_free_disk_needs_no_release() {
    if !loop_devices("a_free_disk_needs_no_release") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = Loop::attach(&bench.disk, &[]);
    assert_eq!(released(&disk.0), Ok(vec![]));
}

#[test]
fn a_dry_run_names_what_would_free_the_disk_and_ends_nothing() {
    if !loop_devices("a_dry_run_names_what_would_free_the_disk_and_ends_nothing") {
        return;
    }
    let bench = Bench::new(40 * MIB);
    let path = bench.file("image", image());
    let disk = Loop::attach(&bench.disk, &["--partscan"]);
    // Told to the kernel by hand: not every kernel reads every kind of table.
    Cmd::new("addpart").arg(&disk.0).args(["1", "2048", "40960"]).run().unwrap();
    // Without partition nodes, the whole disk stands for the partition.
    let used = Some(disk.partition(1)).filter(|p| p.exists()).unwrap_or(disk.0.clone());
    Cmd::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&used).run().unwrap();
    let mounted = Mounted::mount(&used, &["-o", "ro"], bench.dir.path());
    let before = fs::read(&used).unwrap();
    let args = ["--image-file", &path, "--insecure", "--dry-run", "--release-holders"];
    let run = install_on(&disk.0, args);
    let said = format!("{} is mounted on {}", used.display(), mounted.0.display());
    let command = format!("umount '{}'", mounted.0.display());
    run.fails_with(1, &["the disk was not touched", &said, &command]);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(mounts.lines().any(|l| l.starts_with(&format!("{} ", used.display()))), "{mounts}");
    assert!(fs::read(&used).unwrap() == before, "the disk changed");
}
