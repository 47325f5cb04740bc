//! Disks chosen by what they are.

use std::path::Path;

use nestos_host::blockdev::ClaimedDisk;
use nestos_host::cmd::Cmd;
use nestos_host::disk_use::Sources;
use nestos_host::disks::{self, Disk, DiskIdentity, Offer};
use nestos_installer::selector::{Busy, DeviceSpec};

use crate::support::{Bench, Loop, MIB, loop_devices};

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
