//! Disks that are wiped: nothing recognises what was on them.

use nestos_host::blockdev::ClaimedDisk;
use nestos_host::cmd::Cmd;
use nestos_host::wipe::{self, Discarded};

use crate::support::{
    Bench, ENTRY, IMAGE_SIZE, Loop, MIB, boot_file, image, len, loop_devices, program,
};

#[test]
fn a_block_device_is_wiped_and_discarded() {
    let test = "a_block_device_is_wiped_and_discarded";
    if !loop_devices(test) || !program("pvcreate", test) {
        return;
    }
    let bench = Bench::new(64 * MIB);
    let device = Loop::attach(&bench.disk, &[]);
    Cmd::new("wipefs").args(["--all", "--quiet"]).arg(&device.0).run().unwrap();
    Cmd::new("pvcreate").args(["--force", "--yes", "--quiet"]).arg(&device.0).run().unwrap();
    let claimed = ClaimedDisk::claim(&device.0).unwrap();
    let plan = wipe::plan(claimed.file(), &[]).unwrap();
    assert_eq!(plan.lines(), ["the whole disk: LVM physical volume"]);
    assert_eq!(wipe::run(&claimed, &plan, || Ok(())).unwrap(), Discarded::Yes);
    drop(claimed);
    let left = Cmd::new("wipefs").args(["--no-act", "--parsable"]).arg(&device.0).output().unwrap();
    assert_eq!(left.lines().filter(|l| !l.starts_with('#')).count(), 0, "{left}");
    assert!(bench.disk_bytes() == vec![0; len(64 * MIB)], "bytes were left");
}

#[test]
fn a_block_device_keeps_what_is_to_be_kept() {
    if !loop_devices("a_block_device_keeps_what_is_to_be_kept") {
        return;
    }
    let bench = Bench::new(64 * MIB);
    let device = Loop::attach(&bench.disk, &[]);
    let claimed = ClaimedDisk::claim(&device.0).unwrap();
    // Not at the bounds of blocks: what is discarded must not reach into them.
    let kept = [3 * MIB + 512..5 * MIB, 62 * MIB..63 * MIB + 512];
    let plan = wipe::plan(claimed.file(), &kept).unwrap();
    wipe::run(&claimed, &plan, || Ok(())).unwrap();
    drop(claimed);
    let bytes = bench.disk_bytes();
    for range in &kept {
        assert!(bytes[len(range.start)..len(range.end)].iter().all(|b| *b == 0xA5));
    }
    assert!(bytes[..len(3 * MIB)] == vec![0; len(3 * MIB)]);
    assert!(bytes[len(5 * MIB)..len(62 * MIB)] == vec![0; len(57 * MIB)]);
}

#[test]
fn an_installation_that_wipes_leaves_nothing_of_the_past() {
    let bench = Bench::new(64 * MIB);
    let path = bench.file("image", image());
    // A table whose partitions the image does not cover.
    let cmd = Cmd::new("sgdisk").args(["--zap-all", "--new=1:81920:+16M", "--change-name=1:old"]);
    cmd.arg(&bench.disk).when_missing("install gdisk").run().unwrap();
    let dry = bench.install(["--image-file", &path, "--insecure", "--wipe", "--dry-run"]).ok();
    assert!(dry.stderr.contains("it will be wiped:"), "{}", dry.stderr);
    assert!(dry.stderr.contains("the whole disk: partition table (GPT)"), "{}", dry.stderr);
    let at = len(50 * MIB);
    assert_eq!(bench.disk_bytes()[at], 0xA5);
    bench.install(["--image-file", &path, "--insecure", "--wipe"]).ok();
    let bytes = bench.disk_bytes();
    let rest = &bytes[len(IMAGE_SIZE)..bytes.len() - len(MIB)];
    assert!(rest.iter().all(|b| *b == 0), "bytes of the past are left");
    assert_eq!(boot_file(&bench.disk, "/loader/entries/ostree-1-nestos.conf"), ENTRY);
}

#[test]
fn an_interrupted_wipe_has_erased_what_anything_could_recognise() {
    let bench = Bench::new(64 * MIB);
    Cmd::new("sgdisk").args(["--new=1:2048:+16M"]).arg(&bench.disk).run().unwrap();
    let claimed = ClaimedDisk::claim(&bench.disk).unwrap();
    let plan = wipe::plan(claimed.file(), &[]).unwrap();
    let error = wipe::run(&claimed, &plan, || anyhow::bail!("interrupted")).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
    drop(claimed);
    assert_eq!(bench.disk_bytes()[len(40 * MIB)], 0xA5, "it went on");
    let probe = Cmd::new("wipefs").args(["--no-act", "--parsable"]).arg(&bench.disk);
    assert_eq!(probe.output().unwrap().lines().filter(|l| !l.starts_with('#')).count(), 0);
}
