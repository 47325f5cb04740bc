//! What stops a network boot or an unattended installation says so on the console, and nothing was
//! written to any disk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nestos_formats::cpio;
use nestos_tests::{Suite, Trouble, WebServer, blank_disk, require_untouched, timed};
use nestos_vm::{DirectBoot, Disk, Firmware, Format, Machine};

const GIB: u64 = 1 << 30;
/// How long it may take until the console tells.
const REFUSAL_TIME: Duration = Duration::from_secs(400);

/// One thing that is wrong, and what the console must say of it.
struct Case {
    name: &'static str,
    /// Arguments beside the address of the rootfs.
    arguments: &'static str,
    prepare: fn(&Site) -> Result<()>,
    says: &'static [&'static str],
}

const FINE: fn(&Site) -> Result<()> = |_site| Ok(());

const DAMAGED: Case = Case {
    name: "a damaged rootfs",
    arguments: "",
    prepare: |site| {
        let file = File::options().write(true).open(site.file("rootfs.img"))?;
        let middle = file.metadata()?.len() / 2;
        Ok(file.write_all_at(b"damage", middle)?)
    },
    says: &["rootfs.img", "stream hash names"],
};

const NO_SUCH_DISK: Case = Case {
    name: "a disk that is not there",
    arguments: "nestos.inst.install_dev=serial=NOT-THERE",
    prepare: FINE,
    says: &["serial=NOT-THERE", "/dev/vda"],
};

/// What happens most often.
const SHORT: [Case; 2] = [DAMAGED, NO_SUCH_DISK];

const LONG: [Case; 5] = [
    Case {
        name: "a rootfs that was cut",
        arguments: "",
        prepare: |site| {
            let file = File::options().write(true).open(site.file("rootfs.img"))?;
            Ok(file.set_len(file.metadata()?.len() / 2)?)
        },
        says: &["rootfs.img"],
    },
    Case {
        name: "a rootfs of another build",
        arguments: "",
        prepare: |site| site.append_to_initramfs("etc/nestos-live-initramfs", b"another.build\n"),
        says: &["another.build"],
    },
    Case {
        name: "an address that is not there",
        arguments: "",
        prepare: |site| Ok(fs::remove_file(site.file("rootfs.img"))?),
        says: &["404"],
    },
    Case {
        name: "a selector that fits two disks",
        arguments: "coreos.inst.install_dev=size>=1GiB",
        prepare: FINE,
        says: &["size>=1GiB", "/dev/vda", "/dev/vdb"],
    },
    Case {
        name: "a config that is none",
        arguments: "nestos.inst.install_dev=vda",
        prepare: |site| {
            site.append_to_initramfs("config.ign", b"{\"ignition\":{\"version\":\"9.9.9\"}}")
        },
        says: &["9.9.9"],
    },
];

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("live_refusals")? else { return Ok(()) };
    SHORT.iter().try_for_each(|case| refused(&suite, case))
}

#[test]
fn everything_else_that_is_wrong_is_said_too() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("live_refusals_full")? else { return Ok(()) };
    LONG.iter().try_for_each(|case| refused(&suite, case))
}

fn refused(suite: &Suite, case: &Case) -> Result<()> {
    let site = Site::make(suite)?;
    (case.prepare)(&site)?;
    let server = WebServer::start_troubled(site.dir.clone(), Trouble::default())?;
    let disks =
        [blank_disk(&site.dir, "vda.raw", 10 * GIB)?, blank_disk(&site.dir, "vdb.raw", 12 * GIB)?];
    let url = server.guest_url();
    let boot = DirectBoot {
        kernel: site.file("vmlinuz"),
        initrd: site.file("initrd.img"),
        command_line: format!(
            "console=ttyS0,115200n8 nestos.live.rootfs_url={url}rootfs.img {}",
            case.arguments
        ),
    };
    let mut machine = Machine::new("refused").firmware(Firmware::Bios).direct_boot(boot);
    for disk in &disks {
        machine = machine.disk(Disk::in_place(disk, Format::Raw));
    }
    let vm = machine.start()?;
    timed(case.name, || {
        case.says.iter().try_for_each(|text| {
            let found = vm.serial().expect(text, REFUSAL_TIME);
            // The parts of a message may come in any order.
            if found.is_err() && vm.serial().transcript().contains(text) { Ok(()) } else { found }
        })
    })?;
    vm.done()?;
    for disk in &disks {
        require_untouched(disk).with_context(|| case.name.to_owned())?;
    }
    site.remove()
}

/// A directory with what a machine fetches, made for one case.
struct Site {
    dir: PathBuf,
}

impl Site {
    fn make(suite: &Suite) -> Result<Self> {
        let dir = suite.dir().join("site");
        fs::create_dir(&dir)?;
        let site = Self { dir };
        for (key, name) in [
            ("live-kernel", "vmlinuz"),
            ("live-initramfs", "initrd.img"),
            ("live-rootfs", "rootfs.img"),
        ] {
            fs::copy(suite.image(key)?, site.file(name))?;
        }
        Ok(site)
    }

    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// Adds a file to the initramfs; the last one of a name wins.
    fn append_to_initramfs(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.file("initrd.img");
        let mut initramfs = fs::read(&path)?;
        ensure!(!initramfs.is_empty(), "the initramfs is empty");
        initramfs.resize(initramfs.len().next_multiple_of(4), 0);
        initramfs.extend(archive_with(name, content)?);
        Ok(fs::write(path, initramfs)?)
    }

    fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))
    }
}

fn archive_with(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut archive = cpio::Writer::new(Vec::new());
    archive.file(name, 0o600, content)?;
    Ok(archive.finish()?)
}
