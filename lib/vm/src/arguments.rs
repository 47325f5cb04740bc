//! From a description and the files made for it to QEMU's command line: pure.

use std::path::{Path, PathBuf};

use crate::accel::Accelerator;
use crate::boot::BootDevice;
use crate::machine::{Bus, Chipset, Disk, Format, Machine, Network, SectorSize};

/// The files that a machine's start made or found.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// One image per disk: the overlay, or the disk in place.
    pub(crate) disks: Vec<Image>,
    /// OVMF's code and this machine's variables.
    pub(crate) uefi: Option<UefiFiles>,
    pub(crate) qmp: PathBuf,
    /// One file per virtio port, which QEMU writes.
    pub(crate) ports: Vec<PathBuf>,
    /// The memory of a saved machine.
    pub(crate) incoming: Option<PathBuf>,
}

/// An image file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
}

/// The two flash images of OVMF.
#[derive(Debug, Clone)]
pub(crate) struct UefiFiles {
    pub(crate) code: PathBuf,
    pub(crate) vars: PathBuf,
}

/// Returns QEMU's arguments.
pub(crate) fn arguments(machine: &Machine, files: &Files, accel: Accelerator) -> Vec<String> {
    let mut args = Args::default();
    args.base(machine, accel);
    args.add("-qmp", format!("unix:{},server=on,wait=off", escaped(&files.qmp)));
    if let Some(uefi) = &files.uefi {
        args.uefi(uefi);
    }
    args.disks(machine, &files.disks);
    args.cdrom(machine);
    args.network(machine);
    args.ports(&machine.ports, &files.ports);
    for entry in &machine.fw_cfg {
        let name = entry.name.replace(',', ",,");
        args.add("-fw_cfg", format!("name={name},file={}", escaped(&entry.file)));
    }
    if let Some(boot) = &machine.direct_boot {
        args.add("-kernel", boot.kernel.display().to_string());
        args.add("-initrd", boot.initrd.display().to_string());
        args.add("-append", boot.command_line.as_str());
    }
    if let Some(memory) = &files.incoming {
        args.add("-incoming", format!("file:{}", memory.display()));
    }
    args.0.extend(machine.extra.iter().cloned());
    args.0
}

#[derive(Debug, Default)]
struct Args(Vec<String>);

impl Args {
    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.0.extend([option.to_owned(), value.into()]);
    }

    fn base(&mut self, machine: &Machine, accel: Accelerator) {
        let chipset = match machine.chipset {
            Chipset::Q35 => "q35",
            Chipset::Pc => "pc",
        };
        self.0.push("-no-user-config".to_owned());
        self.add("-name", machine.name.replace(',', ",,"));
        self.add("-machine", chipset);
        self.add("-accel", accel.argument());
        self.add("-cpu", "max");
        self.add("-smp", machine.cpus.to_string());
        self.add("-m", machine.memory_mib.to_string());
        self.add("-display", "none");
        self.add("-monitor", "none");
        self.add("-chardev", "stdio,id=console,signal=off");
        self.add("-serial", "chardev:console");
        self.add("-object", "rng-random,id=rng,filename=/dev/urandom");
        self.add("-device", "virtio-rng-pci,rng=rng");
    }

    fn uefi(&mut self, uefi: &UefiFiles) {
        let code = escaped(&uefi.code);
        let vars = escaped(&uefi.vars);
        self.add("-drive", format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"));
        self.add("-drive", format!("if=pflash,format=raw,unit=1,file={vars}"));
    }

    fn network(&mut self, machine: &Machine) {
        let mut netdev = match &machine.network {
            // Port 0 lets the kernel choose; `info usernet` tells which one it was.
            Network::User => "user,id=net,hostfwd=tcp:127.0.0.1:0-:22".to_owned(),
            Network::Tap(name) => format!("tap,id=net,ifname={name},script=no,downscript=no"),
            Network::None => return self.add("-nic", "none"),
        };
        if let Some(tftp) = &machine.tftp {
            let file = tftp.boot_file.replace(',', ",,");
            netdev.push_str(&format!(",tftp={},bootfile={file}", escaped(&tftp.dir)));
        }
        self.add("-netdev", netdev);
        let index = machine.boot_index(BootDevice::Network);
        self.add("-device", format!("virtio-net-pci,netdev=net{index}"));
    }

    fn cdrom(&mut self, machine: &Machine) {
        let Some(iso) = &machine.cdrom else { return };
        let file = escaped(iso);
        self.add("-drive", format!("if=none,id=cd,media=cdrom,readonly=on,format=raw,file={file}"));
        let index = machine.boot_index(BootDevice::Cdrom);
        self.add("-device", format!("ide-cd,drive=cd{index}"));
    }

    fn ports(&mut self, names: &[String], files: &[PathBuf]) {
        if !names.is_empty() {
            self.add("-device", "virtio-serial-pci");
        }
        for (index, (name, file)) in names.iter().zip(files).enumerate() {
            self.add("-chardev", format!("file,id=port{index},path={}", escaped(file)));
            let name = name.replace(',', ",,");
            self.add("-device", format!("virtserialport,chardev=port{index},name={name}"));
        }
    }

    fn disks(&mut self, machine: &Machine, images: &[Image]) {
        let disks = &machine.disks;
        if disks.iter().any(|d| d.bus == Bus::Usb) {
            self.add("-device", "qemu-xhci,id=usb");
        }
        if disks.iter().any(|d| d.bus == Bus::Scsi) {
            self.add("-device", "virtio-scsi-pci,id=scsi");
        }
        if disks.iter().any(|d| d.bus == Bus::Sata) {
            self.add("-device", "ich9-ahci,id=sata");
        }
        let mut next_sata_port = 0..;
        for (index, (disk, image)) in disks.iter().zip(images).enumerate() {
            self.add(
                "-drive",
                format!(
                    "if=none,id=disk{index},file={},format={},cache={},discard=unmap",
                    escaped(&image.path),
                    image.format.name(),
                    disk.cache.name()
                ),
            );
            let device = match disk.bus {
                Bus::Virtio => "virtio-blk-pci".to_owned(),
                Bus::Scsi => "scsi-hd,bus=scsi.0".to_owned(),
                Bus::Nvme => "nvme".to_owned(),
                Bus::Usb => "usb-storage,bus=usb.0".to_owned(),
                Bus::Sata => {
                    format!("ide-hd,bus=sata.{}", next_sata_port.next().unwrap_or_default())
                }
            };
            let boot_index = machine.boot_index(BootDevice::Disk(index));
            let properties = properties(disk, index);
            let device = format!("{device},drive=disk{index}{properties}{boot_index}");
            self.add("-device", device);
        }
    }
}

fn properties(disk: &Disk, index: usize) -> String {
    let mut properties = String::new();
    match (&disk.serial, disk.bus) {
        (Some(serial), _) => {
            properties.push_str(&format!(",serial={}", serial.replace(',', ",,")));
        }
        // An NVMe device does not start without one.
        (None, Bus::Nvme) => properties.push_str(&format!(",serial=disk{index}")),
        (None, _) => {}
    }
    if disk.sector_size == SectorSize::Bytes4096 {
        properties.push_str(",logical_block_size=4096,physical_block_size=4096");
    }
    properties
}

/// Doubles the commas, as QEMU's option lists want.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Cache, DirectBoot};

    fn files(disks: &[&str]) -> Files {
        let image = |p: &&str| Image { path: PathBuf::from(p), format: Format::Qcow2 };
        Files {
            disks: disks.iter().map(image).collect(),
            uefi: None,
            qmp: PathBuf::from("/w/qmp"),
            ports: vec![PathBuf::from("/w/port0.log")],
            incoming: None,
        }
    }

    fn line(machine: &Machine, files: &Files) -> String {
        arguments(machine, files, Accelerator::Tcg).join(" ")
    }

    #[test]
    fn a_plain_machine_has_a_console_a_forwarded_port_and_a_disk() {
        let machine = Machine::new("m").disk(Disk::overlay("/base", Format::Qcow2));
        assert_eq!(
            line(&machine, &files(&["/w/disk0"])),
            "-no-user-config -name m -machine q35 -accel tcg,thread=multi -cpu max -smp 1 -m 2048 \
             -display none -monitor none -chardev stdio,id=console,signal=off -serial \
             chardev:console -object rng-random,id=rng,filename=/dev/urandom -device \
             virtio-rng-pci,rng=rng -qmp unix:/w/qmp,server=on,wait=off -drive \
             if=none,id=disk0,file=/w/disk0,format=qcow2,cache=unsafe,discard=unmap -device \
             virtio-blk-pci,drive=disk0 -netdev user,id=net,hostfwd=tcp:127.0.0.1:0-:22 -device \
             virtio-net-pci,netdev=net"
        );
    }

    #[test]
    fn every_bus_has_its_controller_and_its_serial_number() {
        let disk = |bus| Disk::overlay("/base", Format::Raw).bus(bus);
        let machine = Machine::new("m")
            .disk(disk(Bus::Sata).cache(Cache::Writethrough))
            .disk(disk(Bus::Nvme))
            .disk(disk(Bus::Scsi).serial("S,1").sector_size(SectorSize::Bytes4096))
            .disk(disk(Bus::Sata));
        let line = line(&machine, &files(&["a", "b", "c", "d"]));
        for part in [
            "-device virtio-scsi-pci,id=scsi ",
            "-device ich9-ahci,id=sata ",
            "file=a,format=qcow2,cache=writethrough,",
            "-device ide-hd,bus=sata.0,drive=disk0 ",
            "-device nvme,drive=disk1,serial=disk1 ",
            "-device scsi-hd,bus=scsi.0,drive=disk2,serial=S,,1,logical_block_size=4096,physical",
            "-device ide-hd,bus=sata.1,drive=disk3 ",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn media_networks_and_ports_have_their_place_in_the_boot_order() {
        let machine = Machine::new("m")
            .disk(Disk::overlay("/stick", Format::Raw).bus(Bus::Usb))
            .cdrom("/a,b.iso")
            .tftp("/srv/tftp", "pxelinux.0")
            .boot_order([BootDevice::Network, BootDevice::Cdrom, BootDevice::Disk(0)])
            .port("nestos.installer");
        let line = line(&machine, &files(&["/w/disk0"]));
        for part in [
            "-device qemu-xhci,id=usb ",
            "-device usb-storage,bus=usb.0,drive=disk0,bootindex=2 ",
            "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=/a,,b.iso -device \
             ide-cd,drive=cd,bootindex=1 ",
            ":22,tftp=/srv/tftp,bootfile=pxelinux.0 -device virtio-net-pci,netdev=net,bootindex=0 ",
            "-device virtio-serial-pci -chardev file,id=port0,path=/w/port0.log -device \
             virtserialport,chardev=port0,name=nestos.installer",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        let tap = Machine::new("m").network(Network::Tap("tap0".to_owned()));
        let tap = arguments(&tap, &files(&[]), Accelerator::Tcg).join(" ");
        assert!(tap.contains("-netdev tap,id=net,ifname=tap0,script=no,downscript=no -device"));
    }

    #[test]
    fn commas_in_paths_are_doubled() {
        let machine = Machine::new("m").network(Network::None).ignition("/a,b.ign");
        let line = line(&machine, &files(&[]));
        assert!(line.ends_with("-nic none -fw_cfg name=opt/com.coreos/config,file=/a,,b.ign"));
    }

    #[test]
    fn firmware_kernel_and_saved_memory_are_named() {
        let boot = DirectBoot {
            kernel: PathBuf::from("/k"),
            initrd: PathBuf::from("/i"),
            command_line: "console=ttyS0 quiet".to_owned(),
        };
        let machine =
            Machine::new("m").chipset(Chipset::Pc).direct_boot(boot).extra_args(["-device", "x"]);
        let uefi = UefiFiles { code: PathBuf::from("/code"), vars: PathBuf::from("/vars") };
        let files = Files { uefi: Some(uefi), incoming: Some("/mem".into()), ..files(&[]) };
        let args = arguments(&machine, &files, Accelerator::Kvm);
        let line = args.join(" ");
        for part in [
            "-machine pc -accel kvm ",
            "if=pflash,format=raw,unit=0,readonly=on,file=/code",
            "if=pflash,format=raw,unit=1,file=/vars",
            "-kernel /k -initrd /i",
            "-incoming file:/mem -device x",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(args.contains(&"console=ttyS0 quiet".to_owned()));
    }
}
