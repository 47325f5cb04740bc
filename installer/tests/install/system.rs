//! Edits of `/boot` and block devices: these need root and loop devices.

use std::fs::{self, File};
use std::path::Path;

use gpt::disk::LogicalBlockSize;
use nestos_host::cmd::Cmd;
use nestos_host::term;

use crate::support::{
    Answer, BOOT_AT, BOOT_LEN, Bench, CONFIG, ENTRY, Loop, MIB, ROOT_AT, boot_file, debugfs, image,
    install_on, loop_devices, make_image, program, serve,
};

const DISK_SIZE: u64 = 40 * MIB;
const BOOT_ENTRY: &str = "/loader/entries/ostree-1-nestos.conf";

fn options(disk: &Path) -> String {
    let entry = boot_file(disk, BOOT_ENTRY);
    entry.lines().find_map(|l| l.strip_prefix("options ")).unwrap().to_owned()
}

#[test]
fn the_config_is_written_for_root_only() {
    if !loop_devices("the_config_is_written_for_root_only") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let (image, config) = (bench.file("image", image()), bench.file("c.ign", CONFIG));
    bench.install(["--image-file", &image, "--insecure", "--ignition-file", &config]).ok();
    assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), CONFIG);
    assert!(debugfs(&bench.disk, "stat /ignition/config.ign").contains("Mode:  0600"));
    assert!(debugfs(&bench.disk, "stat /ignition").contains("Mode:  0700"));
    assert_eq!(boot_file(&bench.disk, BOOT_ENTRY), ENTRY);
}

#[test]
fn a_config_is_fetched_and_plain_http_is_warned_about() {
    if !loop_devices("a_config_is_fetched_and_plain_http_is_warned_about") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let url = serve(vec![Answer::Whole(CONFIG.into())]);
    let base = ["--image-file", &image, "--insecure"];
    let sum = Cmd::new("sha512sum").input(CONFIG).output().unwrap();
    let hash = format!("sha512-{}", sum.split_whitespace().next().unwrap());
    let install = |args: &[&str]| bench.install(base.iter().chain(args));
    for args in [&["--ignition-url", &url, "--insecure-ignition"][..], &["--ignition-file", &url]] {
        let run = install(args).ok();
        assert!(run.stderr.contains("without encryption"), "{}", run.stderr);
        assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), CONFIG);
    }
    let run = install(&["--ignition-url", &url, "--ignition-hash", &hash]).ok();
    assert!(!run.stderr.contains("without encryption"), "{}", run.stderr);
    install(&["--ignition-url", &url]).fails_with(1, &["is not encrypted", "not touched"]);
    let other = hash.replace(&hash[20..24], "0000");
    install(&["--ignition-url", &url, "--ignition-hash", &other])
        .fails_with(1, &["--ignition-hash asks for", "not touched"]);
}

#[test]
fn a_butane_config_is_compiled_and_what_is_odd_is_warned_about() {
    if !loop_devices("a_butane_config_is_compiled_and_what_is_odd_is_warned_about") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let butane = "variant: nestos\nversion: 1.0.0\npasswd:\n  users:\n    - name: nest\n      \
                  pasword_hash: $y$j9T$secret\n";
    let file = bench.file("a config", butane);
    let url = serve(vec![Answer::Whole(butane.into())]);
    for (option, source) in [("--ignition-file", &file), ("--ignition-file", &url)] {
        let run = bench.install(["--image-file", &image, "--insecure", option, source]).ok();
        assert_eq!(
            boot_file(&bench.disk, "/ignition/config.ign"),
            "{\"ignition\":{\"version\":\"3.3.0\"},\"passwd\":{\"users\":[{\"name\":\"nest\"}]}}\n"
        );
        let warning = ":6:7: unused key pasword_hash ($.passwd.users.0.pasword_hash)";
        assert!(run.stderr.contains(warning) && !run.stderr.contains("$y$"), "{}", run.stderr);
    }
}

#[test]
fn an_odd_ignition_config_is_installed_as_it_is() {
    if !loop_devices("an_odd_ignition_config_is_installed_as_it_is") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let odd = r#" {"ignition": {"version": "3.3.0"}, "pasword": {}} "#;
    let config = bench.file("c.ign", odd);
    let run = bench.install(["--image-file", &image, "--insecure", "-i", &config]).ok();
    assert!(run.stderr.contains("c.ign:1:37: unused key pasword ($.pasword)"), "{}", run.stderr);
    assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), odd);
}

#[test]
fn kernel_arguments_are_edited() {
    if !loop_devices("kernel_arguments_are_edited") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let args = ["--image-file", &image, "--insecure", "--append-karg", "x=\"a;b c\""];
    let more = ["--append-karg", "quiet", "--delete-karg", "rw", "--delete-karg", "absent"];
    let run = bench.install(args.iter().chain(&more)).ok();
    assert!(run.stderr.contains("absent is not in the image"), "{}", run.stderr);
    assert_eq!(
        options(&bench.disk),
        "root=LABEL=root console=tty0 ignition.platform.id=metal $ignition_firstboot \
         ostree=/ostree/boot.1/x/0 x=\"a;b c\" quiet"
    );
    let other = boot_file(&bench.disk, "/loader/entries/ostree-0-nestos.conf");
    assert_eq!(other, "title old\noptions old\n");
}

#[test]
fn a_platform_brings_its_consoles() {
    if !loop_devices("a_platform_brings_its_consoles") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    bench.install(["--image-file", &image, "--insecure", "--platform", "qemu"]).ok();
    assert_eq!(
        options(&bench.disk),
        "root=LABEL=root rw ignition.platform.id=qemu $ignition_firstboot \
         ostree=/ostree/boot.1/x/0 console=ttyS0"
    );
    let grub = boot_file(&bench.disk, "/grub2/grub.cfg");
    let start = "# CONSOLE-SETTINGS-START\nserial --speed=115200\n# CONSOLE-SETTINGS-END\n";
    assert!(grub.starts_with(start), "{grub}");
}

#[test]
fn consoles_win_over_the_platform() {
    if !loop_devices("consoles_win_over_the_platform") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let args = ["--image-file", &image, "--insecure", "--platform", "qemu"];
    bench.install(args.iter().chain(&["--console", "ttyS1,115200", "--console", "tty0"])).ok();
    assert_eq!(
        options(&bench.disk),
        "root=LABEL=root rw ignition.platform.id=qemu $ignition_firstboot \
         ostree=/ostree/boot.1/x/0 console=ttyS1,115200n8 console=tty0"
    );
    assert_eq!(
        boot_file(&bench.disk, "/grub2/grub.cfg"),
        "# CONSOLE-SETTINGS-START\nserial --unit=1 --speed=115200 --word=8 --parity=no\n\
         terminal_input console serial\nterminal_output console serial\n\
         # CONSOLE-SETTINGS-END\nblscfg\n"
    );
}

#[test]
fn an_edit_that_fails_leaves_nothing_that_boots() {
    if !loop_devices("an_edit_that_fails_leaves_nothing_that_boots") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let other = make_image(LogicalBlockSize::Lb512, "title x\noptions rw\n");
    let image = bench.file("image", other);
    let run = bench.install(["--image-file", &image, "--insecure", "--platform", "qemu"]);
    run.fails_with(1, &["left unbootable", "lacks the kernel argument ignition.platform.id=metal"]);
    bench.assert_unbootable();
    // Short enough alone, too long together with the image's own arguments.
    let long = format!("x={}", "a".repeat(2044));
    let args = ["--image-file", &image, "--insecure", "--append-karg", &long];
    bench.install(args).fails_with(1, &["left unbootable", "at most 2048"]);
    bench.assert_unbootable();
}

#[test]
fn a_block_device_gets_the_same_system_as_a_file() {
    if !loop_devices("a_block_device_gets_the_same_system_as_a_file") {
        return;
    }
    let (file, device) = (Bench::new(DISK_SIZE), Bench::new(DISK_SIZE));
    let (image, config) = (file.file("image", image()), file.file("c.ign", CONFIG));
    let args = ["--image-file", &image, "--insecure", "--ignition-file", &config];
    file.install(args).ok();
    let attached = Loop::attach(&device.disk, &[]);
    install_on(&attached.0, args).ok();
    drop(attached);
    let (a, b) = (file.disk_bytes(), device.disk_bytes());
    let outside = |d: &[u8]| {
        [
            &d[..usize::try_from(BOOT_AT).unwrap()],
            &d[usize::try_from(BOOT_AT + BOOT_LEN).unwrap()..],
        ]
        .concat()
    };
    // ext4 stamps times into /boot; everything else is the same to the byte.
    assert!(outside(&a) == outside(&b));
    for path in ["/ignition/config.ign", BOOT_ENTRY, "/grub2/grub.cfg"] {
        assert_eq!(boot_file(&file.disk, path), boot_file(&device.disk, path));
    }
}

#[test]
fn the_kernel_is_told_about_the_new_partitions() {
    let test = "the_kernel_is_told_about_the_new_partitions";
    if !loop_devices(test) {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    if !Loop::attach(image.as_ref(), &["--partscan"]).partition(4).exists() {
        term::status(format!("SKIPPED {test}: this kernel reads no GUID partition tables"));
        return;
    }
    let attached = Loop::attach(&bench.disk, &["--partscan"]);
    install_on(&attached.0, ["--image-file", &image, "--insecure"]).ok();
    assert!(attached.partition(4).exists());
}

#[test]
fn no_signature_of_the_past_survives() {
    let test = "no_signature_of_the_past_survives";
    if !loop_devices(test) || !program("sgdisk", test) || !program("wipefs", test) {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &[]);
    let run = |name: &str, args: &[&str]| Cmd::new(name).args(args).arg(&attached.0).run();
    run("wipefs", &["--all", "--quiet"]).unwrap();
    // Where the new root starts: swap, LVM and RAID; at both ends: a table of other partitions.
    let root = Loop::attach(&attached.0, &["--offset", &ROOT_AT.to_string()]);
    Cmd::new("mkswap").arg(&root.0).run().unwrap();
    if program("pvcreate", test) {
        Cmd::new("pvcreate").args(["-ff", "-y", "-qq"]).arg(&root.0).run().unwrap();
    }
    drop(root);
    run("sgdisk", &["-n1:1M:+20M", "-n2:21M:0"]).unwrap();
    install_on(&attached.0, ["--image-file", &image, "--insecure"]).ok();
    let left = Cmd::new("wipefs").args(["-n", "--noheadings"]).arg(&attached.0).output().unwrap();
    assert!(left.lines().all(|l| l.contains("gpt") || l.contains("PMBR")), "{left}");
    let root = Loop::attach(&attached.0, &["--offset", &ROOT_AT.to_string()]);
    let left = Cmd::new("wipefs").args(["-n", "--noheadings"]).arg(&root.0).output().unwrap();
    assert_eq!(left, "");
    let verdict = Cmd::new("sgdisk").arg("-v").arg(&attached.0).output().unwrap();
    assert!(verdict.contains("No problems found"), "{verdict}");
}

#[test]
fn sectors_of_another_size_are_refused_and_of_the_same_size_installed() {
    let test = "sectors_of_another_size_are_refused_and_of_the_same_size_installed";
    if !loop_devices(test) {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let small = bench.file("image", image());
    let large = bench.file("image4k", make_image(LogicalBlockSize::Lb4096, ENTRY));
    let config = bench.file("c.ign", CONFIG);
    let attached = Loop::attach(&bench.disk, &["--sector-size", "4096"]);
    let run = install_on(&attached.0, ["--image-file", &small, "--insecure"]);
    run.fails_with(1, &["was not touched", "made for sectors of 512 bytes", "4096-byte sectors"]);
    bench.assert_untouched();
    install_on(&attached.0, ["--image-file", &large, "--insecure", "-i", &config]).ok();
    if program("sgdisk", test) {
        let verdict = Cmd::new("sgdisk").arg("-v").arg(&attached.0).output().unwrap();
        assert!(verdict.contains("No problems found"), "{verdict}");
    }
    drop(attached);
    assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), CONFIG);
    // A file takes the sector size of the image.
    let file = Bench::new(DISK_SIZE);
    file.install(["--image-file", &large, "--insecure"]).ok();
    assert_eq!(fs::read(&file.disk).unwrap()[4096..4104], *b"EFI PART");
}

#[test]
fn a_full_disk_below_the_target_boots_nothing() {
    if !loop_devices("a_full_disk_below_the_target_boots_nothing") {
        return;
    }
    let bench = Bench::new(MIB);
    let image = bench.file("image", image());
    // A sparse disk on a file system that is too small for the image.
    let small = bench.dir.path().join("small.img");
    File::create(&small).unwrap().set_len(4 * MIB).unwrap();
    Cmd::new("mke2fs").args(["-q", "-t", "ext4", "-m0"]).arg(&small).run().unwrap();
    let mounted = crate::busy::Mounted::mount(&small, &["-o", "loop"], bench.dir.path());
    let disk = mounted.0.join("disk");
    File::create(&disk).unwrap().set_len(DISK_SIZE).unwrap();
    let run = install_on(&disk, ["--image-file", &image, "--insecure"]);
    run.fails_with(1, &["left unbootable", "No space left"]);
    let bytes = fs::read(&disk).unwrap();
    let (first, last) = (&bytes[..1024 * 1024], &bytes[bytes.len() - 1024 * 1024..]);
    assert!(first.iter().chain(last).all(|b| *b == 0));
}
