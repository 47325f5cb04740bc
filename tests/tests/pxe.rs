//! Machines that boot from the network, by the firmware's own means: iPXE with a customised
//! initramfs, the rootfs by its address; PXELINUX with the user guide's lines, the rootfs beside the
//! initramfs. Every run sees machines boot and begin, or refuse to; the full run waits for the
//! installations and enters the systems.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::{
    BOOT_TIME, NetworkSite, Shell, Suite, Trouble, WebServer, blank_disk, guide, log_in_on_screen,
    no_such_disk, require_image_on, require_untouched, timed,
};
use nestos_vm::{BootDevice, Bus, Chipset, Disk, Firmware, Format, Machine, Vm};

const GIB: u64 = 1 << 30;
/// How long a network boot and an installation may take.
const INSTALL_TIME: Duration = Duration::from_secs(900);
/// How long a server is away; a machine needs about half of it until it asks.
const TROUBLE_TIME: Duration = Duration::from_secs(75);
/// The guide's password for root.
const PASSWORD: &str = "qwer1234";

#[test]
fn a_customised_initramfs_installs_with_no_further_step_by_ipxe_on_uefi() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("pxe_customised")? else { return Ok(()) };
    let site = NetworkSite::make(&suite)?;
    let config = suite.compile("example", guide::ROOT)?;
    // The guide's 7.5.2.
    Cmd::new(suite.program("nestos-installer"))
        .args(["pxe", "customize", "--dest-device", "/dev/vda"])
        .args(["--dest-console", "ttyS0,115200n8", "--dest-ignition"])
        .arg(&config)
        .arg(site.file("initrd.img"))
        .arg("--output")
        .arg(site.file("custom-initrd.img"))
        .run()?;
    let server = WebServer::start_in(site.dir().to_owned())?;
    let url = server.guest_url();
    // The rootfs comes from a server that is not there yet, and then hangs up once.
    let trouble = Trouble { unavailable: TROUBLE_TIME, cut: 1 };
    let troubled = WebServer::start_troubled(site.dir().to_owned(), trouble)?;
    let rootfs = format!("{}rootfs.img", troubled.guest_url());
    let script = format!(
        "#!ipxe\nkernel {url}vmlinuz initrd=custom-initrd.img console=ttyS0,115200n8 \
         nestos.live.rootfs_url={rootfs}\ninitrd {url}custom-initrd.img\nboot\n"
    );
    fs::write(site.file("boot.ipxe"), script)?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("pxe-customised")
        .firmware(Firmware::Uefi)
        .memory_mib(1536)
        .tftp(site.dir(), format!("{url}boot.ipxe"))
        .disk(Disk::in_place(&disk, Format::Raw))
        .boot_order([BootDevice::Network, BootDevice::Disk(0)])
        .port("nestos.installer")
        .start()?;
    timed("the network boot", || vm.wait_port("nestos.installer", "started", INSTALL_TIME))?;
    let requests = troubled.requests();
    ensure!(requests.len() >= 3, "the server was asked {requests:?} only");
    timed("installing", || vm.wait_reset(INSTALL_TIME))?;
    timed("the installed system", || {
        let shell = Shell::log_in(&vm, "root", PASSWORD, BOOT_TIME)?;
        ensure!(shell.run("is-live-image")?.0 != 0, "the network was booted again");
        Ok(())
    })?;
    vm.done()
}

#[test]
fn the_guides_pxelinux_lines_install_on_bios() -> Result<()> {
    let Some(suite) = Suite::find("pxe_guide")? else { return Ok(()) };
    let site = NetworkSite::make(&suite)?;
    let config = suite.compile("example", guide::ROOT)?;
    fs::copy(config, site.file("example.ign"))?;
    let server = WebServer::start_in(site.dir().to_owned())?;
    site.add_pxelinux(&format!("{}example.ign", server.guest_url()))?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("pxe-guide")
        .firmware(Firmware::Bios)
        .chipset(Chipset::Pc)
        .memory_mib(3072)
        .tftp(site.dir(), "pxelinux.0")
        .disk(Disk::in_place(&disk, Format::Raw).bus(Bus::Scsi))
        .boot_order([BootDevice::Network, BootDevice::Disk(0)])
        .port("nestos.installer")
        .start()?;
    timed("the network boot", || vm.wait_port("nestos.installer", "started", INSTALL_TIME))?;
    if !suite.is_full() {
        return vm.done();
    }
    // A BIOS boots the network again: what it does then is not in these lines.
    timed("installing", || vm.wait_port("nestos.installer", "done", INSTALL_TIME))?;
    vm.done()?;
    let vm = Machine::new("pxe-guide-disk")
        .firmware(Firmware::Bios)
        .chipset(Chipset::Pc)
        .disk(Disk::in_place(&disk, Format::Raw).bus(Bus::Scsi))
        .start()?;
    timed("login on the screen", || {
        log_in_on_screen(&vm, ("root", PASSWORD), "on disk", BOOT_TIME)
    })?;
    vm.done()
}

#[test]
fn the_minimal_iso_fetches_its_rootfs() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("minimal_iso")? else { return Ok(()) };
    let site = NetworkSite::make(&suite)?;
    let server = WebServer::start_in(site.dir().to_owned())?;
    let minimal = site.file("minimal.iso");
    Cmd::new(suite.program("nestos-installer"))
        .args(["iso", "extract", "minimal-iso", "--rootfs-url"])
        .arg(format!("{}rootfs.img", server.guest_url()))
        .args([suite.image("live-iso")?, minimal.clone()])
        .run()?;
    let vm = Machine::new("minimal-iso")
        .firmware(Firmware::Bios)
        .memory_mib(1536)
        .cdrom(&minimal)
        .boot_order([BootDevice::Cdrom])
        .start()?;
    timed("greeting", || vm.serial().expect("sudo installnestos", INSTALL_TIME))?;
    is_healthy(&vm)?;
    vm.done()
}

/// Arguments of an unattended installation in every spelling; the address of the config follows.
const ARGUMENTS: &str = "nestosos.inst.install_dev=size>=9GiB coreos.inst.append_karg=e2e.one \
                         nestos.inst.append_karg=e2e.two=2 coreos.inst.platform_id=metal \
                         nestos.inst.console=ttyS0,115200n8 nestosos.inst.copy_network \
                         nestos.inst.poweroff coreos.inst.ignition_url=";

#[test]
fn ipxe_appends_the_rootfs_on_bios() -> Result<()> {
    let Some(suite) = Suite::find("pxe_appended")? else { return Ok(()) };
    let site = NetworkSite::make(&suite)?;
    let server = WebServer::start_in(site.dir().to_owned())?;
    let url = server.guest_url();
    fs::copy(suite.compile("example", guide::ROOT)?, site.file("node.ign"))?;
    // The installation takes its time, and the full run alone has it.
    let install = if suite.is_full() {
        format!("{ARGUMENTS}{url}node.ign")
    } else {
        no_such_disk::ARGUMENT.to_owned()
    };
    let script = format!(
        "#!ipxe\nkernel {url}vmlinuz initrd=initrd.img initrd=rootfs.img console=ttyS0,115200n8 \
         {install}\ninitrd {url}initrd.img\ninitrd {url}rootfs.img\nboot\n"
    );
    fs::write(site.file("boot.ipxe"), script)?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("pxe-appended")
        .firmware(Firmware::Bios)
        .memory_mib(2048)
        .tftp(site.dir(), format!("{url}boot.ipxe"))
        .disk(Disk::in_place(&disk, Format::Raw))
        .boot_order([BootDevice::Network])
        .port("nestos.installer")
        .start()?;
    if !suite.is_full() {
        timed("the refusal", || {
            no_such_disk::SAYS
                .iter()
                .try_for_each(|text| vm.serial().expect(text, INSTALL_TIME))?;
            vm.wait_port("nestos.installer", r#""state":"failed""#, BOOT_TIME)
        })?;
        vm.done()?;
        return require_untouched(&disk);
    }
    timed("installing", || vm.wait_off(INSTALL_TIME))?;
    vm.done()?;
    require_image_on(&disk, &suite.image("metal")?)?;
    let vm = Machine::new("pxe-appended-disk").disk(Disk::in_place(&disk, Format::Raw)).start()?;
    let shell = timed("the installed system", || Shell::log_in(&vm, "root", PASSWORD, BOOT_TIME))?;
    let line = shell.check("cat /proc/cmdline")?;
    for argument in ["e2e.one", "e2e.two=2", "console=ttyS0,115200n8", "ignition.platform.id=metal"]
    {
        ensure!(line.split(' ').any(|word| word == argument), "no {argument} in {line}");
    }
    vm.done()
}

fn is_healthy(vm: &Vm) -> Result<()> {
    let shell = Shell::of(vm)?;
    shell.run_for("systemctl is-system-running --wait", BOOT_TIME)?;
    let failed = shell.check("systemctl --failed --plain --no-legend")?;
    ensure!(failed.is_empty(), "units failed: {failed}");
    shell.check("is-live-image").map(drop)
}
