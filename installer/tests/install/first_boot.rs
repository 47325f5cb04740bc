//! What the first boot is given: merged configs, a name, network settings, arguments of its own.

use std::fs;

use nestos_host::cmd::Cmd;
use serde_json::Value;

use crate::support::{Bench, CONFIG, MIB, boot_file, debugfs, debugfs_write, image, loop_devices};

const DISK_SIZE: u64 = 32 * MIB;

/// A file of the merged children of the installed config.
fn child(bench: &Bench, at: usize) -> String {
    let config: Value =
        serde_json::from_str(&boot_file(&bench.disk, "/ignition/config.ign")).unwrap();
    let source = config["ignition"]["config"]["merge"][at]["source"].as_str().unwrap();
    let packed = source.strip_prefix("data:;base64,").unwrap().to_owned();
    Cmd::new("base64").arg("-d").input(packed).output().unwrap()
}

#[test]
fn several_configs_are_merged_and_the_machine_gets_its_name() {
    if !loop_devices("several_configs_are_merged_and_the_machine_gets_its_name") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let one = bench.file("one.ign", r#"{"ignition":{"version":"3.0.0"}}"#);
    let two = bench.file("two.bu", "variant: nestos\nversion: 1.0.0\n");
    let args = ["--image-file", &image, "--insecure", "-i", &one, "-i", &two];
    bench.install(args.iter().chain(&["--hostname", "node-7.example"])).ok();
    assert_eq!(child(&bench, 0), r#"{"ignition":{"version":"3.0.0"}}"#);
    assert_eq!(child(&bench, 1), "{\"ignition\":{\"version\":\"3.3.0\"}}\n");
    assert!(child(&bench, 2).contains("data:,node-7.example%0A"));
    // Another implementation reads it, too.
    let merged = bench.file("merged", boot_file(&bench.disk, "/ignition/config.ign"));
    Cmd::new("ignition-validate").when_missing("install ignition").arg(merged).run().unwrap();
    bench.install(["--image-file", &image, "--hostname", "a_b"]).fails_with(2, &["host name"]);
}

#[test]
fn network_settings_and_arguments_reach_the_first_boot() {
    if !loop_devices("network_settings_and_arguments_reach_the_first_boot") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let dir = bench.dir.path().join("network");
    fs::create_dir(&dir).unwrap();
    let base = ["--image-file", &image, "--insecure", "--copy-network", "--network-dir"];
    let install = |more: &[&str]| {
        bench.install(
            base.iter().copied().chain([dir.to_str().unwrap()]).chain(more.iter().copied()),
        )
    };
    let run = install(&[]).ok();
    assert!(run.stderr.contains("holds no network settings to copy"), "{}", run.stderr);
    fs::write(dir.join("eth0.nmconnection"), "[connection]\nid=eth0\npsk=geheim\n").unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    let run = install(&["--firstboot-args", "rd.neednet=1 ip=eth0:dhcp"]).ok();
    assert!(!run.stderr.contains("geheim"), "{}", run.stderr);
    let settings = "/nestos-firstboot-network/eth0.nmconnection";
    assert_eq!(boot_file(&bench.disk, settings), "[connection]\nid=eth0\npsk=geheim\n");
    let stat = debugfs(&bench.disk, &format!("stat {settings}"));
    assert!(stat.contains("Mode:  0600"), "{stat}");
    assert_eq!(
        boot_file(&bench.disk, "/ignition.firstboot"),
        "set ignition_network_kcmdline=\"rd.neednet=1 ip=eth0:dhcp\"\n"
    );
    install(&["--firstboot-args", "a\"b"]).fails_with(2, &["neither quotes"]);
}

#[test]
fn a_config_that_makes_the_system_anew_is_refused_before_the_disk_is_touched() {
    if !loop_devices("a_config_that_makes_the_system_anew") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let config = |label: &str| {
        format!(
            "variant: fcos\nversion: 1.4.0\nstorage:\n  filesystems:\n    - device: /dev/vdb\n      \
             label: {label}\n      format: xfs\n      wipe_filesystem: true\n"
        )
    };
    for label in ["root", "boot", "EFI-SYSTEM"] {
        let file = bench.file("c.bu", config(label));
        bench
            .install(["--image-file", &image, "--insecure", "-i", &file])
            .fails_with(1, &["$.storage.filesystems.0 makes", label, "not touched"]);
        bench.assert_untouched();
    }
    let file = bench.file("c.bu", config("data"));
    bench.install(["--image-file", &image, "--insecure", "-i", &file]).ok();
}

#[test]
fn options_are_applied_to_a_disk_that_has_an_image() {
    if !loop_devices("options_are_applied_to_a_disk_that_has_an_image") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let config = bench.file("c.ign", CONFIG);
    let post = ["--post-process-only", "-i", &config, "--append-karg", "later=1"];
    bench.install(post).fails_with(1, &["has no image", "not touched"]);
    bench.assert_untouched();
    bench.install(["--image-file", &image, "--insecure"]).ok();
    let before = bench.disk_bytes();
    bench.install(post.iter().chain(&["--dry-run"])).ok();
    assert!(bench.disk_bytes() == before, "the dry run wrote");
    bench.install(post).ok();
    bench.install(post).fails_with(1, &["config.ign is there already", "image is unharmed"]);
    assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), CONFIG);
    let entry = boot_file(&bench.disk, "/loader/entries/ostree-1-nestos.conf");
    assert_eq!(entry.matches(" later=1").count(), 1, "{entry}");
    bench.install(["--post-process-only"]).fails_with(1, &["nothing to do"]);
    bench.install(["--post-process-only", "-f", &image]).fails_with(2, &["cannot be used with"]);
    Cmd::new("sgdisk").arg("--verify").arg(&bench.disk).run().unwrap();
}

#[test]
fn a_config_that_carries_such_a_config_is_refused_as_well() {
    if !loop_devices("a_config_that_carries_such_a_config_is_refused_as_well") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let inner = r#"{"ignition":{"version":"3.3.0"},"storage":{"filesystems":[{"device":"/dev/vdb","label":"root","format":"xfs","wipeFilesystem":true}]}}"#;
    let packed = Cmd::new("base64").arg("-w0").input(inner).output().unwrap();
    let outer = format!(
        r#"{{"ignition":{{"version":"3.3.0","config":{{"merge":[{{"source":"data:;base64,{packed}"}}]}}}}}}"#
    );
    let file = bench.file("c.ign", outer);
    bench
        .install(["--image-file", &image, "--insecure", "-i", &file])
        .fails_with(1, &["$.storage.filesystems.0 makes root anew", "not touched"]);
    bench.assert_untouched();
}

#[test]
fn a_system_that_has_booted_gets_no_config() {
    if !loop_devices("a_system_that_has_booted_gets_no_config") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let config = bench.file("c.ign", CONFIG);
    bench.install(["--image-file", &image, "--insecure"]).ok();
    debugfs_write(&bench.disk, "rm /ignition.firstboot");
    bench
        .install(["--post-process-only", "-i", &config])
        .fails_with(1, &["has booted before", "image is unharmed"]);
    bench.install(["--post-process-only", "--append-karg", "x=1"]).ok();
}
