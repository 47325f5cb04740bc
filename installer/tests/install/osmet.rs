//! Images that are put together from the objects of a live system: packed from file systems that
//! the kernel made, and installed with no network at all.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use gpt::disk::LogicalBlockSize::{self, Lb512, Lb4096};
use nestos_host::cmd::Cmd;
use nestos_host::term;

use crate::busy::Mounted;
use crate::support::{
    BOOT_AT, BOOT_LEN, Bench, CONFIG, ENTRY, Loop, MIB, Run, boot_file, boot_filesystem, installer,
    len, loop_devices, noise, program, write_table,
};

const SIZE: u64 = 64 * MIB;
const ROOT_AT: u64 = 10 * MIB;
const ROOT_LEN: u64 = 48 * MIB;
const ESP_AT: u64 = 59 * MIB;

/// Sizes of the objects: less than a block, a block, and files that are copied elsewhere, too.
const OBJECTS: [usize; 6] = [0, 100, 4096, 70_001, 600_001, 3_000_003];

/// A system, and the image of a disk with it.
struct System {
    bench: Bench,
    image: PathBuf,
}

impl System {
    fn new(fstype: &str, sector: LogicalBlockSize) -> Self {
        let bench = Bench::new(SIZE + 8 * MIB);
        let image = bench.dir.path().join("image");
        let system = Self { bench, image };
        system.make_objects();
        let file = File::create_new(&system.image).unwrap();
        file.set_len(SIZE).unwrap();
        let partitions = [
            (1, "BIOS-BOOT", MIB, MIB),
            (2, "EFI-SYSTEM", ESP_AT, 4 * MIB),
            (3, "boot", BOOT_AT, BOOT_LEN),
            (4, "root", ROOT_AT, ROOT_LEN),
        ];
        write_table(&system.image, SIZE, sector, &partitions);
        // A boot partition has files that are objects, too, wherever its file system puts them.
        fs::create_dir(system.path("boot")).unwrap();
        fs::write(system.path("boot/initramfs.img"), system.object(5)).unwrap();
        let boot = boot_filesystem(system.bench.dir.path(), ENTRY);
        file.write_all_at(&boot, BOOT_AT).unwrap();
        file.write_all_at(&system.object(4), ESP_AT + 512).unwrap();
        file.write_all_at(&system.root(fstype, sector), ROOT_AT).unwrap();
        system
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.dir.path().join(name)
    }

    /// The repository of the live system.
    fn repository(&self) -> PathBuf {
        self.path("live/sysroot/ostree/repo")
    }

    fn object_path(&self, number: usize) -> PathBuf {
        let hex = format!("{number:02x}").repeat(32);
        self.repository().join("objects").join(&hex[..2]).join(format!("{}.file", &hex[2..]))
    }

    fn object(&self, number: usize) -> Vec<u8> {
        fs::read(self.object_path(number)).unwrap()
    }

    fn make_objects(&self) {
        let bytes = noise(OBJECTS.iter().sum());
        let mut at = 0;
        for (number, length) in OBJECTS.into_iter().enumerate() {
            let path = self.object_path(number);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &bytes[at..at + length]).unwrap();
            at += length;
        }
        // What is no file cannot be mapped.
        let link = self.object_path(3).with_file_name(format!("{}.file", "e".repeat(62)));
        std::os::unix::fs::symlink("x", link).unwrap();
    }

    /// Makes the root file system, with the objects and more in it.
    fn root(&self, fstype: &str, sector: LogicalBlockSize) -> Vec<u8> {
        let path = self.path("root");
        File::create_new(&path).unwrap().set_len(ROOT_LEN).unwrap();
        let size = sector.as_u64();
        let mkfs = match fstype {
            "ext4" => Cmd::new("mke2fs").args(["-q", "-t", "ext4", "-b", "4096"]),
            _ => Cmd::new("mkfs.xfs").args(["-q", "--unsupported", "-s", &format!("size={size}")]),
        };
        mkfs.arg(&path).run().unwrap();
        let attached = Loop::attach(&path, &["--sector-size", &size.to_string()]);
        let mounted = Mounted::mount(&attached.0, &[], self.bench.dir.path());
        let copy = Cmd::new("cp").arg("-a").arg(self.path("live/sysroot/ostree"));
        copy.arg(&mounted.0).run().unwrap();
        fs::write(mounted.0.join("more"), "in no object").unwrap();
        // Another test's mount namespace may keep the mount, and what was not written.
        Cmd::new("mount").args(["-o", "remount,ro"]).arg(&mounted.0).run().unwrap();
        drop(mounted);
        drop(attached);
        fs::read(path).unwrap()
    }

    fn sum(&self) -> String {
        let said = Cmd::new("sha256sum").arg(&self.image).output().unwrap();
        said[..64].to_owned()
    }

    fn pack(&self, sum: &str, to: &Path) -> Run {
        let pack = installer().args(["pack", "osmet", "--fast", "--description", "NestOS 1"]);
        let pack = pack.args(["--checksum", sum, "--output"]).arg(to).arg(&self.image);
        Run::from(pack.finish().unwrap())
    }

    /// Makes the system a live one.
    fn live(fstype: &str, sector: LogicalBlockSize) -> Self {
        let system = Self::new(fstype, sector);
        let dir = system.path("live/run/nestos-installer/osmet");
        fs::create_dir_all(&dir).unwrap();
        system.pack(&system.sum(), &system.osmet()).ok();
        system
    }

    fn osmet(&self) -> PathBuf {
        self.path("live/run/nestos-installer/osmet/metal.osmet")
    }

    fn install(&self, args: &[&str]) -> Run {
        let live = self.path("live");
        self.bench.install(["--live-root", live.to_str().unwrap()].iter().chain(args))
    }
}

fn can_pack(test: &str, fstype: &str) -> bool {
    let xfs = || {
        let kernel = fs::read_to_string("/proc/filesystems").unwrap().contains("xfs");
        if !kernel {
            term::status(format!("SKIPPED part of {test}: the kernel has no XFS"));
        }
        kernel && Cmd::new("mkfs.xfs").arg("-V").finish().is_ok()
    };
    loop_devices(test) && (fstype != "xfs" || xfs())
}

#[test]
fn an_image_comes_back_from_its_objects() {
    for (fstype, sector) in [("ext4", Lb512), ("ext4", Lb4096), ("xfs", Lb512), ("xfs", Lb4096)] {
        if !can_pack("an_image_comes_back_from_its_objects", fstype) {
            continue;
        }
        let system = System::new(fstype, sector);
        let (osmet, out) = (system.path("osmet"), system.path("out"));
        system.pack(&system.sum(), &osmet).ok();
        let size = fs::metadata(&osmet).unwrap().len();
        // The noise is in objects: at its place in root, and where copies of it are.
        assert!(size < 150_000, "{fstype}, {sector:?}: {size} bytes");
        let extract = installer().args(["dev", "extract", "osmet", "--osmet"]).arg(&osmet);
        Run::from(extract.arg(system.repository()).arg(&out).finish().unwrap()).ok();
        assert!(fs::read(out).unwrap() == fs::read(&system.image).unwrap(), "{fstype}, {sector:?}");
    }
}

#[test]
fn an_image_with_another_digest_is_not_packed() {
    if !can_pack("an_image_with_another_digest_is_not_packed", "ext4") {
        return;
    }
    let system = System::new("ext4", Lb512);
    let osmet = system.path("osmet");
    let said = ["cannot pack", &system.sum(), &"0".repeat(64)].map(str::to_owned);
    let said = said.each_ref().map(String::as_str);
    system.pack(&"0".repeat(64), &osmet).fails_with(1, &said);
    assert!(!osmet.exists());
    let left = fs::read_dir(system.bench.dir.path()).unwrap().flatten();
    assert!(!left.map(|e| e.file_name()).any(|n| n.to_string_lossy().contains("osmet")));
}

#[test]
fn a_live_system_installs_without_a_network_and_keeps_partitions() {
    let test = "a_live_system_installs_without_a_network_and_keeps_partitions";
    if !can_pack(test, "ext4") || !program("sgdisk", test) {
        return;
    }
    let system = System::live("ext4", Lb512);
    let disk = &system.bench.disk;
    let sgdisk = Cmd::new("sgdisk").args(["--zap-all", "-n", "7:135168:143359", "-c", "7:data"]);
    sgdisk.arg(disk).run().unwrap();
    let report = system.path("report.json");
    let config = system.bench.file("c.ign", CONFIG);
    let args = ["--save-partlabel", "data", "-i", &config, "--verify-written", "--report"];
    let args = [&args[..], &[report.to_str().unwrap()]].concat();
    let run = system.install(&args).ok();
    assert!(run.stderr.contains("metal.osmet (osmet)"), "{}", run.stderr);
    assert!(run.stderr.contains("it is part of the live medium"), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["image_digest"], format!("sha256:{}", system.sum()));
    let (disk_bytes, image) = (system.bench.disk_bytes(), fs::read(&system.image).unwrap());
    let root = len(ROOT_AT)..len(SIZE - 33 * 512);
    assert!(disk_bytes[root.clone()] == image[root]);
    let saved = 135_168 * 512..143_360 * 512;
    assert!(disk_bytes[saved].iter().all(|b| *b == 0xA5));
    assert_eq!(boot_file(disk, "/ignition/config.ign"), CONFIG);
    let verdict = Cmd::new("sgdisk").arg("-v").arg(disk).output().unwrap();
    assert!(verdict.contains("No problems found"), "{verdict}");
}

#[test]
fn a_damaged_live_medium_leaves_the_disk_unbootable() {
    if !can_pack("a_damaged_live_medium_leaves_the_disk_unbootable", "ext4") {
        return;
    }
    let system = System::live("ext4", Lb512);
    let object = system.object_path(5);
    let good = fs::read(&object).unwrap();
    let mut bad = good.clone();
    bad[2_000_000] ^= 1;
    let unbootable = "the disk was left unbootable";
    fs::write(&object, &bad).unwrap();
    let said = [unbootable, "the live medium is damaged", &system.sum()].map(str::to_owned);
    system.install(&["--offline"]).fails_with(1, &said.each_ref().map(String::as_str));
    system.bench.assert_unbootable();
    fs::write(&object, &good[..1_000_000]).unwrap();
    system.install(&["--offline"]).fails_with(1, &[unbootable, "it ends too early"]);
    fs::remove_file(&object).unwrap();
    system.install(&["--offline"]).fails_with(1, &[unbootable, "cannot read the object"]);
    fs::write(&object, &good).unwrap();
    let osmet = fs::read(system.osmet()).unwrap();
    fs::write(system.osmet(), &osmet[..osmet.len() - 1000]).unwrap();
    system.install(&["--offline"]).fails_with(1, &["cannot unpack the osmet file"]);
    fs::write(system.osmet(), &osmet).unwrap();
    system.install(&["--offline"]).ok();
}

#[test]
fn an_image_for_other_disks_or_with_another_digest_is_not_taken() {
    if !can_pack("an_image_for_other_disks_or_with_another_digest_is_not_taken", "ext4") {
        return;
    }
    let large = System::live("ext4", Lb4096);
    let said = [
        "the disk was not touched",
        "cannot perform offline install; metadata missing",
        "sectors of 512 bytes",
    ];
    large.install(&["--offline"]).fails_with(1, &said);
    large.bench.assert_untouched();
    let digest = format!("sha256:{}", "0".repeat(64));
    let system = System::live("ext4", Lb512);
    let said = ["the disk was not touched", "--image-digest asks for", &system.sum()];
    system.install(&["--image-digest", &digest]).fails_with(1, &said);
    system.bench.assert_untouched();
    system.install(&["--dry-run", "--offline", "-a", "aarch64"]).fails_with(1, &["for aarch64"]);
    let dry = system.install(&["--dry-run"]).ok();
    assert!(dry.stderr.contains("metal.osmet (osmet)"), "{}", dry.stderr);
    system.bench.assert_untouched();
}
