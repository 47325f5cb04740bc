//! `pxe` and `dev show initrd`, on initramfs that cpio, gzip, xz and zstd made.

use std::fs;

use nestos_host::cmd::Cmd;
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{CONFIG, FEATURES, Maker, Scene};

const KEYFILE: &str = "[connection]\nid=eth0\n";

/// Makes an initramfs as builders do: microcode, the system, and stamps after it.
fn initrd(scene: &Scene, name: &str, packer: &str) -> Vec<u8> {
    let dir = TempDir::new_in(scene.dir.path()).unwrap();
    let script = format!(
        "mkdir -p a/kernel b/etc/{name} b/usr/bin
         echo microcode > a/kernel/m; echo init > b/init; ln -s bin b/usr/sbin
         echo 38.1 > b/etc/{name}-live-initramfs; cp features b/etc/{name}/features.json
         (cd a; find . | cpio -o -H newc --quiet; cd ../b
          find . | cpio -o -H newc --quiet | {packer}) > initrd"
    );
    fs::write(dir.path().join("features"), FEATURES).unwrap();
    Cmd::new("sh").args(["-e", "-c", &script]).cwd(dir.path()).run().unwrap();
    fs::read(dir.path().join("initrd")).unwrap()
}

#[test]
fn an_initramfs_is_customised_by_what_follows_it() {
    for (name, packer) in
        [("nestos", "gzip"), ("coreos", "xz --check=crc32"), ("nestos", "zstd"), ("coreos", "cat")]
    {
        let scene = Scene::new(Maker::Xorriso);
        let before = initrd(&scene, name, packer);
        scene.file("in.img", &before);
        scene.file("c.ign", CONFIG);
        scene.file("eth0.nmconnection", KEYFILE);
        let customize = [
            "pxe",
            "customize",
            "--dest-device",
            "/dev/sda",
            "--dest-ignition",
            "c.ign",
            "--network-keyfile",
            "eth0.nmconnection",
            "in.img",
            "-o",
        ];
        let run = scene.run(&[&customize[..], &["out.img"]].concat()).good();
        for text in ["automatically install to /dev/sda", "ignition.platform.id=metal"] {
            assert!(run.stderr.contains(text), "{}", run.stderr);
        }
        let after = fs::read(scene.dir.path().join("out.img")).unwrap();
        assert!(scene.run(&[&customize[..], &["-"]].concat()).good().stdout == after);
        assert!(after.starts_with(&before) && after[before.len()..].starts_with(b"\xFD7zXZ"));
        let again = scene.run(&[&customize[..], &["out.img"]].concat());
        assert!(again.stderr.contains("File exists"), "{}", again.stderr);
        let twice = ["pxe", "customize", "--dest-device", "/dev/sdb", "out.img", "-o", "twice"];
        let twice = scene.run(&twice);
        assert!(twice.stderr.contains("input is already customized"), "{}", twice.stderr);
        let described = scene.run(&["pxe", "describe", "--json", "out.img"]).good().text();
        let described: Value = serde_json::from_str(&described).unwrap();
        assert_eq!((&described["build"], &described["customized"]), (&"38.1".into(), &true.into()));
        let unwrapped = scene.run(&["pxe", "ignition", "unwrap", "out.img"]).good().text();
        assert!(unwrapped.contains(&format!("/etc/{name}/installer.d/0000-customize.yaml")));
        let keyfile = scene.run(&["pxe", "network", "unwrap", "out.img"]).good().text();
        assert_eq!(keyfile, format!("########## eth0.nmconnection ##########\n{KEYFILE}"));
        let listed = scene.run(&["dev", "show", "initrd", "out.img", "etc/*", "k*"]).good().text();
        let mut expected = vec![
            format!("etc/{name}-firstboot-network/eth0.nmconnection"),
            format!("etc/{name}-live-initramfs"),
            format!("etc/{name}/features.json"),
            "kernel/m".to_owned(),
        ];
        expected.sort();
        assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn configs_are_wrapped_and_unwrapped_through_pipes_and_files() {
    let scene = Scene::new(Maker::Xorriso);
    let wrapped = scene.run_with(&["pxe", "ignition", "wrap"], CONFIG.as_bytes()).good().stdout;
    let unwrapped = scene.run_with(&["pxe", "ignition", "unwrap"], &wrapped).good().text();
    assert_eq!(unwrapped, CONFIG);
    scene.file("c.ign", CONFIG);
    scene.file("there", "old");
    scene.run(&["pxe", "ignition", "wrap", "-i", "c.ign", "-o", "there"]).good();
    assert_eq!(fs::read(scene.dir.path().join("there")).unwrap(), wrapped, "it is replaced");
    scene.file("k.nmconnection", KEYFILE);
    let network = ["pxe", "network", "wrap", "-k", "k.nmconnection"];
    let wrapped = scene.run(&[&network[..], &["--for", "coreos"]].concat()).good().stdout;
    scene.file("n.img", &wrapped);
    let listed = scene.run(&["dev", "show", "initrd", "n.img"]).good().text();
    assert_eq!(listed, "etc/coreos-firstboot-network/k.nmconnection\n");
    fs::create_dir(scene.dir.path().join("d")).unwrap();
    let written = scene.run_with(&["pxe", "network", "unwrap", "-C", "d"], &wrapped).good();
    assert_eq!(written.text(), "d/k.nmconnection\n");
    let none = scene.run_with(&["pxe", "ignition", "unwrap"], &wrapped);
    assert!(none.code == 1 && none.stderr.contains("No embedded Ignition config."));
}

#[test]
fn only_a_live_initramfs_is_customised() {
    let scene = Scene::new(Maker::Xorriso);
    let other = initrd(&scene, "other", "gzip");
    scene.file("in.img", other);
    for command in
        [&["pxe", "customize", "-o", "out", "in.img"][..], &["pxe", "describe", "in.img"]]
    {
        let run = scene.run(command);
        assert_eq!(run.code, 1);
        for text in ["not a NestOS live initramfs image", "not a CoreOS live initramfs image"] {
            assert!(run.stderr.contains(text), "{}", run.stderr);
        }
    }
    assert!(!scene.dir.path().join("out").exists());
}

#[test]
fn files_are_extracted_and_never_outside_the_directory() {
    let scene = Scene::new(Maker::Xorriso);
    let image = initrd(&scene, "nestos", "zstd");
    scene.file("in.img", &image);
    let run = scene.run(&["dev", "extract", "initrd", "-C", "out", "-v", "in.img", "init"]).good();
    assert_eq!(run.text(), "out/init\n");
    assert_eq!(fs::read(scene.dir.path().join("out/init")).unwrap(), b"init\n");
    let all = scene.run(&["dev", "extract", "initrd", "-C", "all", "-v", "in.img"]).good().text();
    assert!(all.lines().count() > 2 && all.lines().is_sorted(), "{all}");
    for path in ["../x", "/tmp/x", "a/../../x"] {
        let bad = nestos_formats::cpio::archive([("AAAAAAAAAAAA", 0o644, &b"x"[..])]).unwrap();
        let mut bad = bad;
        bad[110..122].fill(0);
        bad[110..110 + path.len()].copy_from_slice(path.as_bytes());
        scene.file("bad.img", &bad);
        let run = scene.run(&["dev", "extract", "initrd", "-C", "out", "bad.img"]);
        assert!(run.stderr.contains("contains path traversal"), "{path}: {}", run.stderr);
    }
}
