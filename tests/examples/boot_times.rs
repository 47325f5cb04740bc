//! Measures every way into the live system, one machine after the other: from the kernel's first
//! lines to the greeting, or to the beginning and the end of an unattended installation.
//!
//! Takes what it measures from the environment, as the tests do, and how many processors a machine
//! has from its argument (2). Do nothing else on the host meanwhile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use nestos_host::{clock, term};
use nestos_tests::{NetworkSite, Suite, WebServer, blank_disk, guide};
use nestos_vm::{BootDevice, Bus, Chipset, Disk, Firmware, Format, Machine, Vm};

const GIB: u64 = 1 << 30;
const LONGEST: Duration = Duration::from_secs(900);
/// Among the first lines of a kernel.
const KERNEL_STARTED: &str = "Booting paravirtualized kernel";
const GREETING: &str = "sudo installnestos";
const BEGINS: &str = "the unattended installation begins";

fn main() -> Result<()> {
    let cpus = match std::env::args().nth(1) {
        Some(number) => number.parse().context("the argument is the number of processors")?,
        None => 2,
    };
    let Some(suite) = Suite::find("boot_times")? else { return Ok(()) };
    let bench = Bench { suite, cpus };
    bench.media()?;
    bench.network()
}

struct Bench {
    suite: Suite,
    cpus: u32,
}

impl Bench {
    fn media(&self) -> Result<()> {
        let iso = self.suite.image("live-iso")?;
        for firmware in [Firmware::Uefi, Firmware::Bios] {
            self.greets(&format!("disc, {firmware:?}"), self.with_disc(&iso).firmware(firmware))?;
        }
        let stick = Disk::overlay(&iso, Format::Raw).bus(Bus::Usb);
        let machine = self.machine().firmware(Firmware::Uefi).disk(stick);
        self.greets("USB stick, Uefi", machine.boot_order([BootDevice::Disk(0)]))?;
        let custom = self.customised(&iso)?;
        self.installs("disc, Uefi", self.with_disc(&custom).firmware(Firmware::Uefi), "disc.raw")
    }

    fn network(&self) -> Result<()> {
        let site = NetworkSite::make(&self.suite)?;
        let server = WebServer::start_in(site.dir().to_owned())?;
        let url = server.guest_url();
        std::fs::copy(self.config()?, site.file("node.ign"))?;
        let arguments = format!(
            "console=ttyS0,115200n8 nestos.inst.install_dev=/dev/vda \
             nestos.inst.ignition_url={url}node.ign"
        );
        let ways = [
            ("iPXE, rootfs by its address, Uefi", Firmware::Uefi, "fetched.ipxe", ""),
            ("iPXE, rootfs appended, Bios", Firmware::Bios, "appended.ipxe", "rootfs.img"),
        ];
        for (name, firmware, file, appended) in ways {
            let (more, place) = if appended.is_empty() {
                (String::new(), format!("nestos.live.rootfs_url={url}rootfs.img"))
            } else {
                (format!("initrd {url}{appended}\n"), format!("initrd={appended}"))
            };
            let script = format!(
                "#!ipxe\nkernel {url}vmlinuz initrd=initrd.img {place} {arguments}\n\
                 initrd {url}initrd.img\n{more}boot\n"
            );
            std::fs::write(site.file(file), script)?;
            let machine = self.machine().firmware(firmware);
            let machine = machine.tftp(site.dir(), format!("{url}{file}"));
            self.installs(name, machine.boot_order([BootDevice::Network]), file)?;
        }
        site.add_pxelinux(&format!("{url}node.ign"))?;
        let disk = blank_disk(self.suite.dir(), "pxelinux.raw", 10 * GIB)?;
        let machine = self.machine().firmware(Firmware::Bios).chipset(Chipset::Pc);
        let machine = machine.tftp(site.dir(), "pxelinux.0").boot_order([BootDevice::Network]);
        let machine = machine.disk(Disk::in_place(&disk, Format::Raw).bus(Bus::Scsi));
        // The guide's lines name no serial console.
        let vm = machine.port("nestos.installer").start()?;
        let started = clock::instant();
        vm.wait_port("nestos.installer", "started", LONGEST)?;
        let begins = clock::instant().duration_since(started);
        vm.wait_port("nestos.installer", r#""state":"done""#, LONGEST)?;
        let done = clock::instant().duration_since(started);
        say(
            "PXELINUX, rootfs appended, from the firmware on",
            &[("begins", begins), ("done", done)],
        );
        vm.done()
    }

    fn machine(&self) -> Machine {
        Machine::new("boot-times").cpus(self.cpus).memory_mib(3072)
    }

    fn with_disc(&self, iso: &Path) -> Machine {
        self.machine().cdrom(iso).boot_order([BootDevice::Cdrom])
    }

    fn config(&self) -> Result<PathBuf> {
        self.suite.compile("node", guide::ROOT)
    }

    fn customised(&self, iso: &Path) -> Result<PathBuf> {
        let custom = self.suite.dir().join("custom.iso");
        Cmd::new(self.suite.program("nestos-installer"))
            .args(["iso", "customize", "--dest-device", "/dev/vda", "--dest-ignition"])
            .arg(self.config()?)
            .arg("--output")
            .args([&custom, &iso.to_owned()])
            .run()?;
        Ok(custom)
    }

    fn greets(&self, name: &str, machine: Machine) -> Result<()> {
        let vm = machine.start()?;
        let start = kernel_starts(&vm)?;
        vm.serial().expect(GREETING, LONGEST)?;
        say(name, &[("greeting", clock::instant().duration_since(start))]);
        vm.done()
    }

    fn installs(&self, name: &str, machine: Machine, disk: &str) -> Result<()> {
        let disk = blank_disk(self.suite.dir(), disk, 10 * GIB)?;
        let disk = Disk::in_place(&disk, Format::Raw);
        let vm = machine.disk(disk).port("nestos.installer").start()?;
        let start = kernel_starts(&vm)?;
        vm.serial().expect(BEGINS, LONGEST)?;
        let begins = clock::instant().duration_since(start);
        vm.wait_port("nestos.installer", r#""state":"done""#, LONGEST)?;
        let done = clock::instant().duration_since(start);
        say(name, &[("begins", begins), ("done", done)]);
        vm.done()
    }
}

fn kernel_starts(vm: &Vm) -> Result<std::time::Instant> {
    vm.serial().expect(KERNEL_STARTED, LONGEST)?;
    Ok(clock::instant())
}

fn say(name: &str, times: &[(&str, Duration)]) {
    let times: Vec<_> =
        times.iter().map(|(at, t)| format!("{at} {:.0} s", t.as_secs_f64())).collect();
    term::status(format_args!("{name}: {}", times.join(", ")));
}
