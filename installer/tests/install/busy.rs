//! Disks that somebody uses: refused with who it is and how to end it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nestos_host::cmd::Cmd;

use crate::support::{Bench, Loop, MIB, image, install_on, loop_devices, program};

/// Held for writing by a test whose mount namespace keeps every mount that it finds.
static MOUNTS: RwLock<()> = RwLock::new(());

/// Held by a test that makes such a namespace, while no other test has anything mounted.
pub(crate) fn with_a_namespace() -> RwLockWriteGuard<'static, ()> {
    MOUNTS.write().unwrap_or_else(PoisonError::into_inner)
}

/// A directory for mounts that end in the namespaces of other tests' installers as well, the way
/// they do where systemd shares `/`.
pub(crate) struct Places {
    pub(crate) dir: PathBuf,
    _lock: RwLockReadGuard<'static, ()>,
}

impl Places {
    pub(crate) fn below(dir: &Path) -> Self {
        let lock = MOUNTS.read().unwrap_or_else(PoisonError::into_inner);
        let dir = dir.join("places");
        fs::create_dir(&dir).unwrap();
        Cmd::new("mount").arg("--bind").args([&dir, &dir]).run().unwrap();
        Cmd::new("mount").arg("--make-shared").arg(&dir).run().unwrap();
        Self { dir, _lock: lock }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let unmounted = Cmd::new("umount").arg(&self.dir).run();
        assert!(std::thread::panicking() || unmounted.is_ok(), "{unmounted:?}");
    }
}

/// A mount of a test, unmounted when dropped.
pub(crate) struct Mounted(pub(crate) PathBuf, #[expect(dead_code, reason = "dropped")] Places);

impl Mounted {
    pub(crate) fn mount(what: &Path, options: &[&str], below: &Path) -> Self {
        let places = Places::below(below);
        let place = places.dir.join("mounted here");
        fs::create_dir(&place).unwrap();
        Cmd::new("mount").args(options).arg(what).arg(&place).run().unwrap();
        Self(place, places)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Cmd::new("umount").arg(&self.0).run();
        assert!(std::thread::panicking() || unmounted.is_ok(), "{unmounted:?}");
    }
}

struct Swap<'a>(&'a Path);

impl Drop for Swap<'_> {
    fn drop(&mut self) {
        let ended = Cmd::new("swapoff").arg(self.0).run();
        assert!(std::thread::panicking() || ended.is_ok(), "{ended:?}");
    }
}

fn refuse(disk: &Path, image: &str, texts: &[&str]) {
    let run = install_on(disk, ["--image-file", image, "--insecure"]);
    run.fails_with(1, &["the disk was not touched"]).fails_with(1, texts);
}

#[test]
fn a_mounted_disk_is_refused() {
    if !loop_devices("a_mounted_disk_is_refused") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    Cmd::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&bench.disk).run().unwrap();
    let attached = Loop::attach(&bench.disk, &[]);
    let mounted = Mounted::mount(&attached.0, &[], bench.dir.path());
    let place = mounted.0.to_str().unwrap();
    let device = attached.0.to_str().unwrap();
    let said = format!("{device} is mounted on {place}");
    refuse(&attached.0, &image, &["the disk is in use", &said, "umount", "mounted here"]);
}

#[test]
fn a_disk_with_a_mounted_partition_and_a_partition_itself_are_refused() {
    let test = "a_disk_with_a_mounted_partition_and_a_partition_itself_are_refused";
    if !loop_devices(test) {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &["--partscan"]);
    // Told to the kernel by hand: not every kernel reads every kind of table.
    Cmd::new("addpart").arg(&attached.0).args(["1", "2048", "40960"]).run().unwrap();
    let partition = attached.partition(1);
    if !partition.exists() {
        nestos_host::term::status(format!("SKIPPED {test}: it needs partition nodes"));
        return;
    }
    refuse(&partition, &image, &["is a partition", attached.0.to_str().unwrap()]);
    Cmd::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&partition).run().unwrap();
    let mounted = Mounted::mount(&partition, &[], bench.dir.path());
    let said = format!("{} is mounted on", partition.display());
    refuse(&attached.0, &image, &["the disk is in use", &said]);
    drop(mounted);
}

#[test]
fn a_disk_used_as_swap_is_refused() {
    let test = "a_disk_used_as_swap_is_refused";
    if !loop_devices(test) || !program("swapon", test) {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &[]);
    Cmd::new("mkswap").arg(&attached.0).run().unwrap();
    Cmd::new("swapon").arg(&attached.0).run().unwrap();
    let swap = Swap(&attached.0);
    let command = format!("swapoff {}", attached.0.display());
    refuse(&attached.0, &image, &["used as swap", &command]);
    drop(swap);
}

#[test]
fn a_read_only_disk_is_refused() {
    if !loop_devices("a_read_only_disk_is_refused") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &["--read-only"]);
    refuse(&attached.0, &image, &["is read-only", "blockdev --setrw"]);
    drop(attached);
    bench.assert_untouched();
}

#[test]
fn the_disk_of_a_running_machine_is_refused() {
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let disk = File::open(&bench.disk).unwrap();
    // What QEMU holds: shared locks on single bytes from 100 on.
    let lock = nix::libc::flock {
        l_type: nix::libc::F_RDLCK.try_into().unwrap(),
        l_whence: nix::libc::SEEK_SET.try_into().unwrap(),
        l_start: 100,
        l_len: 1,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&disk, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    refuse(&bench.disk, &image, &["is locked", "virtual machine", "fuser -v"]);
    bench.assert_untouched();
}

#[test]
fn a_file_behind_a_loop_device_is_refused() {
    if !loop_devices("a_file_behind_a_loop_device_is_refused") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &[]);
    let command = format!("losetup -d {}", attached.0.display());
    refuse(&bench.disk, &image, &["is attached to", &command]);
}

#[test]
fn a_disk_that_another_program_claimed_is_refused() {
    use std::os::unix::fs::OpenOptionsExt;
    if !loop_devices("a_disk_that_another_program_claimed_is_refused") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let image = bench.file("image", image());
    let attached = Loop::attach(&bench.disk, &[]);
    let claim = File::options().read(true).custom_flags(nix::libc::O_EXCL).open(&attached.0);
    let claim = claim.unwrap();
    let holder = format!("{} is open in", attached.0.display());
    let end = format!("kill {}", std::process::id());
    refuse(&attached.0, &image, &["the disk is in use", &holder, &end]);
    drop(claim);
}
