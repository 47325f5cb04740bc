//! What a machine is made of, as values; nothing here touches the host.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::accel::Accelerator;
use crate::boot::{BootDevice, Tftp};

/// What starts the boot loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF, with its own copy of the variable store.
    Uefi,
}

/// The board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chipset {
    /// PCI Express.
    Q35,
    /// The i440FX board of the user guide's `-M pc`.
    Pc,
}

/// The format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The bytes of the disk.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

impl Format {
    /// Returns the name QEMU has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// How the guest sees a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bus {
    /// `/dev/vdX`.
    Virtio,
    /// `/dev/sdX` on AHCI.
    Sata,
    /// `/dev/sdX` on virtio-scsi.
    Scsi,
    /// `/dev/nvmeXn1`.
    Nvme,
    /// `/dev/sdX`, a USB stick on xHCI.
    Usb,
}

/// What a guest's flush means on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cache {
    /// Flushes are ignored: fast, for disks nobody needs after a host crash.
    Unsafe,
    /// Every write reaches the file at once: for tests that cut the power.
    Writethrough,
}

impl Cache {
    /// Returns the name QEMU has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsafe => "unsafe",
            Self::Writethrough => "writethrough",
        }
    }
}

/// The logical and physical sector size of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SectorSize {
    /// 512 bytes.
    Bytes512,
    /// 4096 bytes; SeaBIOS cannot boot from it.
    Bytes4096,
}

/// Who writes to the image file of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Access {
    /// The guest.
    InPlace,
    /// Nobody: the guest writes to an overlay that goes away with the machine.
    Overlay,
}

/// A disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    pub(crate) access: Access,
    pub(crate) size: Option<u64>,
    pub(crate) bus: Bus,
    pub(crate) cache: Cache,
    pub(crate) serial: Option<String>,
    pub(crate) sector_size: SectorSize,
}

impl Disk {
    /// Attaches an image that the guest writes to.
    pub fn in_place(path: impl AsRef<Path>, format: Format) -> Self {
        Self::new(path.as_ref(), format, Access::InPlace)
    }

    /// Attaches an image that stays as it is: writes go to an overlay of this machine.
    pub fn overlay(base: impl AsRef<Path>, format: Format) -> Self {
        Self::new(base.as_ref(), format, Access::Overlay)
    }

    fn new(path: &Path, format: Format, access: Access) -> Self {
        Self {
            path: path.to_owned(),
            format,
            access,
            size: None,
            bus: Bus::Virtio,
            cache: Cache::Unsafe,
            serial: None,
            sector_size: SectorSize::Bytes512,
        }
    }

    /// Makes an overlay show the guest a disk of `bytes`; a disk in place keeps its size.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Chooses the bus; virtio-blk otherwise.
    #[must_use]
    pub fn bus(mut self, bus: Bus) -> Self {
        self.bus = bus;
        self
    }

    /// Chooses the cache mode; unsafe otherwise.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Sets the serial number, which the guest finds below `/dev/disk/by-id`.
    #[must_use]
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// Sets the sector size; 512 bytes otherwise.
    #[must_use]
    pub fn sector_size(mut self, size: SectorSize) -> Self {
        self.sector_size = size;
        self
    }
}

/// A kernel that QEMU starts itself, without a boot loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectBoot {
    /// The kernel image.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// The kernel command line.
    pub command_line: String,
}

/// How the guest reaches others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// QEMU's user network: a free loopback port leads to the guest's port 22, and the guest
    /// reaches the host's loopback as 10.0.2.2.
    User,
    /// A tap interface of the host, which has to exist; ssh is not forwarded.
    Tap(String),
    /// No network card.
    None,
}

/// A file the guest's firmware configuration device shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FwCfg {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// A machine to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub(crate) name: String,
    pub(crate) firmware: Firmware,
    pub(crate) chipset: Chipset,
    pub(crate) cpus: u32,
    pub(crate) memory_mib: u32,
    pub(crate) disks: Vec<Disk>,
    pub(crate) network: Network,
    pub(crate) fw_cfg: Vec<FwCfg>,
    pub(crate) direct_boot: Option<DirectBoot>,
    pub(crate) accelerator: Option<Accelerator>,
    pub(crate) cdrom: Option<PathBuf>,
    pub(crate) boot_order: Vec<BootDevice>,
    pub(crate) tftp: Option<Tftp>,
    pub(crate) ports: Vec<String>,
    pub(crate) extra: Vec<String>,
    pub(crate) below: Option<PathBuf>,
}

impl Machine {
    /// Describes a q35 machine with SeaBIOS, one processor, 2 GiB of memory, a user network and no
    /// disk. The name is part of its log directory's. Two emulated processors take a fifth more of
    /// the host's time for the same work.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            firmware: Firmware::Bios,
            chipset: Chipset::Q35,
            cpus: 1,
            memory_mib: 2048,
            disks: Vec::new(),
            network: Network::User,
            fw_cfg: Vec::new(),
            direct_boot: None,
            accelerator: None,
            cdrom: None,
            boot_order: Vec::new(),
            tftp: None,
            ports: Vec::new(),
            extra: Vec::new(),
            below: None,
        }
    }

    /// Chooses the firmware.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// Chooses the board.
    #[must_use]
    pub fn chipset(mut self, chipset: Chipset) -> Self {
        self.chipset = chipset;
        self
    }

    /// Sets the number of processors.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// Sets the memory in MiB.
    #[must_use]
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Adds a disk; the firmware tries them in this order.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Chooses the network.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Hands a file to the guest as a firmware configuration entry.
    #[must_use]
    pub fn fw_cfg(mut self, name: impl Into<String>, file: impl AsRef<Path>) -> Self {
        self.fw_cfg.push(FwCfg { name: name.into(), file: file.as_ref().to_owned() });
        self
    }

    /// Hands an Ignition config to the guest, as the user guide's 8.2.1 does.
    #[must_use]
    pub fn ignition(self, file: impl AsRef<Path>) -> Self {
        self.fw_cfg("opt/com.coreos/config", file)
    }

    /// Starts a kernel without a boot loader.
    #[must_use]
    pub fn direct_boot(mut self, boot: DirectBoot) -> Self {
        self.direct_boot = Some(boot);
        self
    }

    /// Insists on an accelerator; KVM where it works and TCG elsewhere otherwise.
    #[must_use]
    pub fn accelerator(mut self, accelerator: Accelerator) -> Self {
        self.accelerator = Some(accelerator);
        self
    }

    /// Adds arguments to QEMU's command line as they are.
    #[must_use]
    pub fn extra_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.extra.extend(args.into_iter().map(Into::into));
        self
    }

    /// Puts overlays and logs below `dir`; the system's temporary directory otherwise.
    #[must_use]
    pub fn work_below(mut self, dir: impl AsRef<Path>) -> Self {
        self.below = Some(dir.as_ref().to_owned());
        self
    }
}
