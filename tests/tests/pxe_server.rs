//! The examples of docs/pxe.md, word for word: dnsmasq and iPXE on a network of their own install a
//! machine that boots from the network first, once. What makes it take long is in the full run only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::{
    BOOT_TIME, OFF_TIME, Shell, Suite, WebServer, blank_disk, guide, require_image_on, timed,
};
use nestos_vm::{BootDevice, Disk, Firmware, Format, Machine, Network, Vm};

const GIB: u64 = 1 << 30;
/// How long a network boot and an installation may take.
const INSTALL_TIME: Duration = Duration::from_secs(900);
/// The guide's password for root.
const PASSWORD: &str = "qwer1234";
/// Set where the network is one of our own.
const INSIDE: &str = "NESTOS_TEST_OWN_NETWORK";
const TEST: &str = "the_documented_server_installs_a_machine_once";
/// Where the examples have their files.
const SITE: &str = "/srv/nestos";
const SERVER: &str = "192.0.2.1";

#[test]
fn the_documented_server_installs_a_machine_once() -> Result<()> {
    if std::env::var_os(INSIDE).is_none() && Suite::is_there() {
        return enter_own_network();
    }
    let Some(suite) = Suite::find("pxe_server")? else { return Ok(()) };
    set_up_network()?;
    set_up_site(&suite)?;
    let _web = WebServer::start_at((SERVER, 80), PathBuf::from(SITE))?;
    let _dnsmasq = Dnsmasq::start(&suite)?;
    let disk = blank_disk(suite.dir(), "disk.raw", 10 * GIB)?;
    let vm = Machine::new("pxe-server")
        .firmware(Firmware::Uefi)
        .network(Network::Tap("eth0".to_owned()))
        .disk(Disk::in_place(&disk, Format::Raw))
        .boot_order([BootDevice::Network, BootDevice::Disk(0)])
        .start()?;
    let begins = "NestOS: the unattended installation begins";
    timed("the network boot", || vm.serial().expect(begins, INSTALL_TIME))?;
    if !suite.is_full() {
        return vm.done();
    }
    timed("installing", || vm.wait_reset(INSTALL_TIME))?;
    vm.pause()?;
    timed("comparing", || require_image_on(&disk, &suite.image("metal")?))?;
    vm.resume()?;
    let shell = timed("the installed system", || enters_the_system(&vm))?;
    // The network is first again, and nothing is installed again: what was written stays.
    shell.check("echo kept >/var/lib/kept && sync")?;
    vm.qmp().forget_events()?;
    vm.serial().skip_to_end();
    vm.reset()?;
    vm.wait_reset(OFF_TIME)?;
    let stays = "NestOS: nothing is installed.";
    timed("the network boot after it", || vm.serial().expect(stays, INSTALL_TIME))?;
    let shell = timed("the installed system again", || enters_the_system(&vm))?;
    shell.check("grep -qx kept /var/lib/kept")?;
    vm.done()
}

/// Runs this test again where it can have interfaces and directories of any name.
fn enter_own_network() -> Result<()> {
    let this = std::env::current_exe()?;
    let status = Cmd::new("unshare")
        .args(["--net", "--mount"])
        .arg(this)
        .args([TEST, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .interactive()?;
    ensure!(status.success(), "the test in a network of its own failed");
    Ok(())
}

fn set_up_network() -> Result<()> {
    let ip = |words: &str| Cmd::new("ip").args(words.split(' ')).run();
    ip("link set lo up")?;
    ip("tuntap add dev eth0 mode tap")?;
    ip(&format!("addr add {SERVER}/24 dev eth0"))?;
    ip("link set eth0 up")
}

/// Lays out what the examples name.
fn set_up_site(suite: &Suite) -> Result<()> {
    Cmd::new("mount").args(["-t", "tmpfs", "tmpfs", "/srv"]).run()?;
    fs::create_dir(SITE)?;
    let site = Path::new(SITE);
    for (key, name) in [
        ("live-kernel", "vmlinuz"),
        ("live-initramfs", "initrd.img"),
        ("live-rootfs", "rootfs.img"),
    ] {
        std::os::unix::fs::symlink(suite.image(key)?, site.join(name))?;
    }
    fs::copy(suite.compile("node", guide::ROOT)?, site.join("node.ign"))?;
    fs::write(site.join("boot.ipxe"), example("ipxe")?)?;
    Ok(())
}

/// Returns an example of the document by its language.
fn example(language: &str) -> Result<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pxe.md");
    let text = fs::read_to_string(document)?;
    let block = text.split(&format!("```{language}\n")).nth(1);
    let block = block.and_then(|rest| rest.split("```").next());
    Ok(block.with_context(|| format!("docs/pxe.md has no example of {language}"))?.to_owned())
}

/// A DHCP and TFTP server that ends with this value.
struct Dnsmasq(Child);

impl Dnsmasq {
    fn start(suite: &Suite) -> Result<Self> {
        let config = suite.dir().join("nestos.conf");
        fs::write(&config, example("dnsmasq")?)?;
        let leases = suite.dir().join("leases");
        let log = fs::File::create(suite.dir().join("dnsmasq.log"))?;
        let child = Cmd::new("dnsmasq")
            .args(["--keep-in-foreground", "--user=root", "--port=0", "--pid-file="])
            .arg(format!("--conf-file={}", config.display()))
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .when_missing("install dnsmasq-base")
            .spawn(Stdio::null(), Stdio::null(), log.into())?;
        Ok(Self(child))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn enters_the_system(vm: &Vm) -> Result<Shell<'_>> {
    let shell = Shell::log_in(vm, "root", PASSWORD, BOOT_TIME)?;
    ensure!(shell.run("is-live-image")?.0 != 0, "a live system runs");
    Ok(shell)
}
