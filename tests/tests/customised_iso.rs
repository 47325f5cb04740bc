//! The user guide's 7.5.1, word for word: an ISO with a config and a disk in it installs by itself,
//! and the machine enters the new system with the disc still in its drive, which comes first. Then
//! all that can be put into a medium, on a USB stick; every run sees that installation begin, the
//! full run its end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::{BOOT_TIME, Shell, Suite, blank_disk, guide, log_in_on_screen, timed};
use nestos_vm::{BootDevice, Bus, Chipset, Disk, Firmware, Format, Machine, Vm};

const GIB: u64 = 1 << 30;
/// How long a live boot and an installation may take.
const INSTALL_TIME: Duration = Duration::from_secs(900);
/// The guide's password for root.
const PASSWORD: &str = "qwer1234";

#[test]
fn the_guides_customised_iso_installs_itself_on_bios() -> Result<()> {
    let Some(suite) = Suite::find("customised_iso")? else { return Ok(()) };
    let iso = copy_of_the_iso(&suite)?;
    let config = suite.compile("example", guide::ROOT)?;
    // nestos-installer iso customize --dest-device /dev/sda --dest-ignition example.ign xxx.iso
    customise(&suite, &["--dest-device", "/dev/sda"], &config, &iso)?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("customised-iso")
        .firmware(Firmware::Bios)
        .chipset(Chipset::Pc)
        .cdrom(&iso)
        .disk(Disk::in_place(&disk, Format::Raw).bus(Bus::Scsi))
        .boot_order([BootDevice::Cdrom, BootDevice::Disk(0)])
        .port("nestos.installer")
        .start()?;
    // QEMU's drive pulls the disc in again at a reset, so the new kernel starts without one.
    timed("installing", || vm.wait_port("nestos.installer", "done", INSTALL_TIME))?;
    timed("login on the screen", || {
        log_in_on_screen(&vm, ("root", PASSWORD), "on disk", BOOT_TIME)
    })?;
    vm.done()
}

/// What a hook, a CA and network settings leave behind.
const PRE: &str = "#!/bin/sh\nset -e\ntest -b /dev/vda\necho before > /run/hooks\n";
const POST: &str = "#!/bin/sh\nset -e\necho after >> /run/hooks\n\
    mkdir -p /tmp/boot\nmount /dev/disk/by-partlabel/boot /tmp/boot\n\
    cp /run/hooks /tmp/boot/hooks\numount /tmp/boot\n";
/// An argument that the config asks for.
const KARG: &str = "e2e.argument=1";
const FETCHED: &str = "from a server that only the CA vouches for";
const NETWORK: &str = "[connection]\nid=carried\ntype=ethernet\nautoconnect-priority=10\n\
    [ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n";

#[test]
fn a_customised_stick_runs_its_hooks_and_carries_its_settings_on_uefi() -> Result<()> {
    let Some(suite) = Suite::find("customised_stick")? else { return Ok(()) };
    let iso = copy_of_the_iso(&suite)?;
    let file = |name: &str, text: &str| -> Result<PathBuf> {
        let path = suite.dir().join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let (pre, post) = (file("look", PRE)?, file("leave", POST)?);
    let keyfile = file("carried.nmconnection", NETWORK)?;
    let server = TlsServer::start(&suite)?;
    let config = suite.compile("example", &server.config())?;
    let paths = [&pre, &post, &keyfile, &server.certificate].map(|p| p.display().to_string());
    let options = [
        "--dest-device",
        "smallest,size>=9GiB",
        "--dest-console",
        "ttyS0,115200n8",
        "--pre-install",
        &paths[0],
        "--post-install",
        &paths[1],
        "--network-keyfile",
        &paths[2],
        "--ignition-ca",
        &paths[3],
    ];
    customise(&suite, &options, &config, &iso)?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("customised-stick")
        .firmware(Firmware::Uefi)
        .disk(Disk::in_place(&disk, Format::Raw))
        .disk(Disk::overlay(&iso, Format::Raw).bus(Bus::Usb))
        .boot_order([BootDevice::Disk(1), BootDevice::Disk(0)])
        .port("nestos.installer")
        .start()?;
    timed("the stick", || vm.wait_port("nestos.installer", "started", INSTALL_TIME))?;
    if !suite.is_full() {
        return vm.done();
    }
    timed("installing", || vm.wait_reset(INSTALL_TIME))?;
    timed("the installed system", || settings_arrived(&vm))?;
    vm.done()
}

fn settings_arrived(vm: &Vm) -> Result<()> {
    let shell = Shell::log_in(vm, "root", PASSWORD, 2 * BOOT_TIME)?;
    ensure!(shell.run("is-live-image")?.0 != 0, "the stick was booted again");
    ensure!(shell.check("cat /boot/hooks")? == "before\nafter", "not every hook ran");
    let connections = shell.check("nmcli -g NAME connection show")?;
    ensure!(connections.contains("carried"), "the connections are {connections}");
    // Ignition's argument took a restart, at which the stick was first again.
    let line = shell.check("cat /proc/cmdline")?;
    ensure!(line.matches(KARG).count() == 1, "the kernel was started with {line}");
    // The config names an address that only the CA vouches for.
    ensure!(shell.check("cat /etc/e2e-fetched")? == FETCHED, "the file was not fetched");
    Ok(())
}

/// A web server with a certificate that nobody knows, until its own is made a CA.
struct TlsServer {
    certificate: PathBuf,
    port: u16,
    process: Child,
}

impl TlsServer {
    fn start(suite: &Suite) -> Result<Self> {
        let dir = suite.dir().join("tls");
        fs::create_dir(&dir)?;
        fs::write(dir.join("file"), FETCHED)?;
        let certificate = dir.join("ca.pem");
        Cmd::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=e2e", "-addext", "subjectAltName=IP:10.0.2.2"])
            .args(["-keyout", "key.pem", "-out", "ca.pem"])
            .cwd(&dir)
            .run()?;
        // Free a moment ago, and nobody else here asks for one.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Cmd::new("openssl")
            .args(["s_server", "-WWW", "-quiet", "-cert", "ca.pem", "-key", "key.pem"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .cwd(&dir)
            .spawn(Stdio::null(), Stdio::null(), Stdio::null())?;
        Ok(Self { certificate, port, process })
    }

    /// Returns a config with root's password, a file of this server and a kernel argument.
    fn config(&self) -> String {
        let file = format!(
            "storage:\n  files:\n    - path: /etc/e2e-fetched\n      contents:\n        \
             source: https://10.0.2.2:{}/file\n",
            self.port
        );
        let argument = format!("kernel_arguments:\n  should_exist:\n    - {KARG}\n");
        format!("{}{file}{argument}", guide::ROOT)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn copy_of_the_iso(suite: &Suite) -> Result<PathBuf> {
    let copy = suite.dir().join("xxx.iso");
    fs::copy(suite.image("live-iso")?, &copy)?;
    Ok(copy)
}

fn customise(suite: &Suite, options: &[&str], config: &Path, iso: &Path) -> Result<()> {
    Cmd::new(suite.program("nestos-installer"))
        .args(["iso", "customize"])
        .args(options)
        .arg("--dest-ignition")
        .args([config, iso])
        .run()
}
