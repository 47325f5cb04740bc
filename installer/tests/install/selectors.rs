//! Disks chosen by what they are.

use std::path::Path;

use nestos_host::blockdev::ClaimedDisk;
use nestos_host::cmd::Cmd;
use nestos_host::disk_use::Sources;
use nestos_host::disks::{self, Disk, DiskIdentity, Offer};
use nestos_installer::selector::{Busy, DeviceSpec};

use crate::busy::Places;
use crate::support::{Bench, ENTRY, Loop, MIB, boot_file, image, install_on, loop_devices};

fn described(device: &Loop) -> Disk {
    let all = disks::all(&Sources::system());
    all.into_iter().find(|d| Path::new(&d.device) == device.0).unwrap()
}

#[test]
fn a_loop_device_is_described_and_selected_by_its_path_only() {
    if !loop_devices("a_loop_device_is_described_and_selected_by_its_path_only") {
        return;
    }
    let bench = Bench::new(33 * MIB);
    Cmd::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", "数 据"])
        .arg(&bench.disk)
        .run()
        .unwrap();
    let device = Loop::attach(&bench.disk, &[]);
    let disk = described(&device);
    assert_eq!((disk.size, disk.sector_size, disk.offer), (33 * MIB, 512, Offer::OnlyNamed));
    assert_eq!(disk.content.unwrap().to_string(), "ext4 \"数 据\"");
    let shown = disks::list(&Sources::system());
    assert!(shown.iter().all(|d| Path::new(&d.device) != device.0));
    let loops = Sources { loops: Offer::Shown, ..Sources::system() };
    assert!(disks::list(&loops).iter().any(|d| Path::new(&d.device) == device.0));
}

#[test]
fn a_selected_disk_is_recognised_after_it_was_claimed() {
    if !loop_devices("a_selected_disk_is_recognised_after_it_was_claimed") {
        return;
    }
    let (bench, other) = (Bench::new(33 * MIB), Bench::new(34 * MIB));
    let (device, another) = (Loop::attach(&bench.disk, &[]), Loop::attach(&other.disk, &[]));
    let spec: DeviceSpec = format!("path={},transport=loop", device.0.display()).parse().unwrap();
    let chosen = spec.choose(&disks::all(&Sources::system()), Busy::Refuse).unwrap();
    assert_eq!(chosen.path, device.0);
    let identity: DiskIdentity = chosen.identity.unwrap();
    let claimed = ClaimedDisk::claim(&chosen.path).unwrap();
    identity.check(&claimed).unwrap();
    let wrong = identity.check(&ClaimedDisk::claim(&another.0).unwrap()).unwrap_err();
    let text = nestos_host::term::error_lines(&wrong).join("\n");
    assert!(text.contains("is no longer the disk that was chosen"), "{text}");
    // By its path, too.
    let spec: DeviceSpec = device.0.to_str().unwrap().parse().unwrap();
    let chosen = spec.choose(&[], Busy::Refuse).unwrap();
    chosen.identity.unwrap().check(&claimed).unwrap();
}

#[test]
fn an_installation_goes_to_the_one_disk_that_the_selector_describes() {
    if !loop_devices("an_installation_goes_to_the_one_disk_that_the_selector_describes") {
        return;
    }
    let (bench, other) = (Bench::new(33 * MIB), Bench::new(34 * MIB));
    let path = bench.file("image", image());
    let (device, another) = (Loop::attach(&bench.disk, &[]), Loop::attach(&other.disk, &[]));
    let name = |l: &Loop| l.0.to_str().unwrap().trim_start_matches("/dev/loop").to_owned();
    // Other tests have loop devices of other sizes.
    let either = format!("path=/dev/loop*,size>={},size<={}", 33 * MIB, 34 * MIB);
    let args = ["--image-file", path.as_str(), "--insecure"];
    let run = install_on(Path::new(&either), args);
    let both =
        [device.0.to_str().unwrap(), another.0.to_str().unwrap(), "exactly one must", "hint: add"];
    run.fails_with(1, &both).fails_with(1, &["the disk was not touched"]);
    bench.assert_untouched();
    other.assert_untouched();

    let number = name(&device);
    let selector = format!("path=/dev/loop{number},smallest,transport=loop");
    let run = install_on(Path::new(&selector), args).ok();
    assert!(run.stderr.contains(&format!("is {}", device.0.display())), "{}", run.stderr);
    assert_eq!(boot_file(&bench.disk, "/loader/entries/ostree-1-nestos.conf"), ENTRY);
    other.assert_untouched();
}

#[test]
fn a_selector_that_means_no_disk_says_why() {
    let bench = Bench::new(33 * MIB);
    let path = bench.file("image", image());
    let args = ["--image-file", path.as_str(), "--insecure"];
    let run = install_on(Path::new("serial=no such disk"), args);
    run.fails_with(1, &["no disk matches serial=no such disk"]);
    let run = install_on(Path::new("seral=1"), args);
    run.fails_with(2, &["unknown condition `seral=1`", "did you mean `serial`?"]);
}

#[test]
fn a_disk_in_use_is_selected_only_to_be_released() {
    if !loop_devices("a_disk_in_use_is_selected_only_to_be_released") {
        return;
    }
    let bench = Bench::new(33 * MIB);
    let path = bench.file("image", image());
    Cmd::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&bench.disk).run().unwrap();
    let device = Loop::attach(&bench.disk, &[]);
    let places = Places::below(bench.dir.path());
    let place = places.dir.join("place");
    std::fs::create_dir(&place).unwrap();
    Cmd::new("mount").arg(&device.0).arg(&place).run().unwrap();
    let selector = format!("path={}", device.0.display());
    let args = ["--image-file", path.as_str(), "--insecure"];
    let run = install_on(Path::new(&selector), args);
    run.fails_with(1, &["cannot be used:", "is mounted on", "--release-holders"]);
    let run = install_on(Path::new(&selector), args.into_iter().chain(["--release-holders"])).ok();
    let command = format!("umount {}", place.display());
    assert!(run.stderr.contains(&command), "{}", run.stderr);
    assert_eq!(boot_file(&bench.disk, "/loader/entries/ostree-1-nestos.conf"), ENTRY);
}
