//! Faults while disk images are made.

use std::fs;
use std::path::Path;

use nestos_host::cmd::Cmd;

use crate::workshop::{Workshop, skip};

fn metal_digest(shop: &Workshop) -> String {
    let meta = fs::read(shop.build_dir("latest").join("meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
    meta["images"]["metal"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_build_does_no_work_and_the_same_commit_gives_the_same_bytes() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.nosa(&["build", "metal"]).done();
    let text = shop.nosa(&["build", "metal"]).done();
    assert!(text.contains("no changes since build 1.0\nnothing to do"), "{text}");
    assert_eq!(shop.builds(), ["1.0"]);
    if mke2fs_version() < [1, 47, 1] {
        return skip("the host's mke2fs copies times of access into a file system");
    }
    let first = metal_digest(&shop);
    shop.nosa(&["buildextend-metal", "--force"]).done();
    assert_eq!(metal_digest(&shop), first);
    assert_eq!(shop.builds(), ["1.0"]);
}

/// The tiny distribution has the host's mke2fs.
fn mke2fs_version() -> [u32; 3] {
    let said = Cmd::new("mke2fs").arg("-V").finish().unwrap().stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let version = said.split(' ').nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

#[test]
fn a_disk_too_small_for_its_content_is_refused_and_can_be_corrected() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.config("image.yaml", "size: 1\n");
    shop.nosa(&["build", "qemu"]).fails_with(&[
        "the disk has 1024 MiB; its content needs 1538 MiB",
        "hint: set \"size\" (GiB) in image.yaml to 2 or more",
    ]);
    let names = shop.names(&format!("builds/1.0/{}", std::env::consts::ARCH));
    assert!(!names.iter().any(|name| name.ends_with(".qcow2")), "{names:?}");
    shop.config("image.yaml", "size: 2\n");
    shop.nosa(&["build", "qemu"]).done();
}

#[test]
fn an_image_without_a_build_is_refused() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.nosa(&["buildextend-metal"]).fails_with(&["there is no build yet", "run nosa build"]);
}

/// A file system of its own that goes away with the value.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(dir: &'a Path, mib: u32) -> Self {
        fs::create_dir_all(dir).unwrap();
        let size = format!("size={mib}m");
        Cmd::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir).run().unwrap();
        Self(dir)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Cmd::new("umount").arg(self.0).finish());
    }
}

#[test]
fn a_disk_without_room_is_refused_before_work_begins() {
    let Some(shop) = Workshop::of_packages() else { return };
    let dir = shop.path("small");
    let _disk = SmallDisk::mount(&dir, 16);
    let config = shop.path("config");
    crate::workshop::nosa_in(&dir, &["init", config.to_str().unwrap()]).done();
    crate::workshop::nosa_in(&dir, &["build"]).fails_with(&["MiB free", "needs about", "hint: "]);
    assert_eq!(fs::read_dir(dir.join("cache")).unwrap().count(), 0);
}

#[test]
fn a_disk_that_fills_up_is_named() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.nosa(&["fetch"]).done();
    let filler = "dd if=/dev/zero of=/etc/big bs=1M count=4000 status=none";
    shop.manifest(&format!("postprocess: ['{filler}']\n"));
    let dir = shop.path("small");
    let _disk = SmallDisk::mount(&dir, 900);
    Cmd::new("cp").arg("-a").arg(shop.work(".")).arg(&dir).run().unwrap();
    crate::workshop::nosa_in(&dir, &["build", "ostree"]).fails_with(&[
        "postprocess script 1 of 1 failed",
        "hint: the file system of",
        "MiB free",
    ]);
    assert!(!dir.join("builds/1.0").exists());
}
