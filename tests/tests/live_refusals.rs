//! What stops a network boot or an unattended installation says so on the console, and nothing was
//! written to any disk. One case is in every run, and one more among the network boots.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_tests::{
    NetworkSite, Suite, Trouble, WebServer, blank_disk, no_such_disk, require_untouched, timed,
};
use nestos_vm::{DirectBoot, Disk, Firmware, Format, Machine};

const GIB: u64 = 1 << 30;
/// How long it may take until the console tells.
const REFUSAL_TIME: Duration = Duration::from_secs(400);

/// How the rootfs comes.
enum Rootfs {
    /// By its address.
    Fetched,
    /// Behind the initramfs.
    Appended,
}

/// One thing that is wrong, and what the console must say of it.
struct Case {
    name: &'static str,
    rootfs: Rootfs,
    /// Arguments beside the address of the rootfs.
    arguments: &'static str,
    prepare: fn(&NetworkSite) -> Result<()>,
    says: &'static [&'static str],
}

const FINE: fn(&NetworkSite) -> Result<()> = |_site| Ok(());

const DAMAGED: Case = Case {
    name: "a damaged rootfs",
    rootfs: Rootfs::Fetched,
    arguments: "",
    prepare: |site| {
        let file = File::options().write(true).open(site.file("rootfs.img"))?;
        let middle = file.metadata()?.len() / 2;
        Ok(file.write_all_at(b"damage", middle)?)
    },
    says: &["are not those that the stream hash names"],
};

const NO_SUCH_DISK: Case = Case {
    name: "a disk that is not there",
    rootfs: Rootfs::Fetched,
    arguments: no_such_disk::ARGUMENT,
    prepare: FINE,
    says: &no_such_disk::SAYS,
};

const LONG: [Case; 6] = [
    NO_SUCH_DISK,
    Case {
        name: "a rootfs that was cut",
        rootfs: Rootfs::Fetched,
        arguments: "",
        prepare: |site| {
            let file = File::options().write(true).open(site.file("rootfs.img"))?;
            Ok(file.set_len(file.metadata()?.len() / 2)?)
        },
        says: &["bytes, but the rootfs of this build has"],
    },
    Case {
        name: "a rootfs of another build",
        rootfs: Rootfs::Appended,
        arguments: "",
        prepare: |site| site.append_to_initramfs("etc/nestos-live-initramfs", b"another.build\n"),
        says: &["but kernel and initramfs are of build another.build"],
    },
    Case {
        name: "an address that is not there",
        rootfs: Rootfs::Fetched,
        arguments: "",
        prepare: |site| Ok(fs::remove_file(site.file("rootfs.img"))?),
        says: &["the server answers 404 Not Found"],
    },
    Case {
        name: "a selector that fits two disks",
        rootfs: Rootfs::Fetched,
        arguments: "coreos.inst.install_dev=size>=1GiB",
        prepare: FINE,
        says: &["2 disks match size>=1GiB; exactly one must", "/dev/vda", "/dev/vdb"],
    },
    Case {
        name: "a config that is none",
        rootfs: Rootfs::Fetched,
        arguments: "nestos.inst.install_dev=vda",
        prepare: |site| {
            site.append_to_initramfs("config.ign", b"{\"ignition\":{\"version\":\"9.9.9\"}}")
        },
        says: &["unsupported config version"],
    },
];

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() -> Result<()> {
    let Some(suite) = Suite::find("live_refusals")? else { return Ok(()) };
    refused(&suite, &DAMAGED)
}

#[test]
fn everything_else_that_is_wrong_is_said_too() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("live_refusals_full")? else { return Ok(()) };
    LONG.iter().try_for_each(|case| refused(&suite, case))
}

fn refused(suite: &Suite, case: &Case) -> Result<()> {
    let site = NetworkSite::make(suite)?;
    (case.prepare)(&site)?;
    let server = WebServer::start_troubled(site.dir().to_owned(), Trouble::default())?;
    let disks = [
        blank_disk(site.dir(), "vda.raw", 10 * GIB)?,
        blank_disk(site.dir(), "vdb.raw", 12 * GIB)?,
    ];
    let place = match case.rootfs {
        Rootfs::Fetched => format!("nestos.live.rootfs_url={}rootfs.img", server.guest_url()),
        Rootfs::Appended => site.append_rootfs().map(|()| String::new())?,
    };
    let boot = DirectBoot {
        kernel: site.file("vmlinuz"),
        initrd: site.file("initrd.img"),
        command_line: format!("console=ttyS0,115200n8 {place} {}", case.arguments),
    };
    let mut machine = Machine::new("refused").firmware(Firmware::Bios).direct_boot(boot);
    for disk in &disks {
        machine = machine.disk(Disk::in_place(disk, Format::Raw));
    }
    let vm = machine.start()?;
    // In this order; none of them is on the kernel command line.
    timed(case.name, || {
        case.says.iter().try_for_each(|text| vm.serial().expect(text, REFUSAL_TIME))
    })?;
    vm.done()?;
    for disk in &disks {
        require_untouched(disk).with_context(|| case.name.to_owned())?;
    }
    site.remove()
}
