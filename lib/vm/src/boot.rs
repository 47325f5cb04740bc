//! What a machine boots from beside its disks, and in which order: an optical drive, the network.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Something that the firmware can boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootDevice {
    /// The disk with this index, in the order of [`Machine::disk`].
    Disk(usize),
    /// The medium in the optical drive.
    Cdrom,
    /// The network card.
    Network,
}

/// A TFTP server of QEMU's user network, and what its DHCP server tells to boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tftp {
    pub(crate) dir: PathBuf,
    pub(crate) boot_file: String,
}

impl Machine {
    /// Puts a medium into an optical drive.
    #[must_use]
    pub fn cdrom(mut self, iso: impl AsRef<Path>) -> Self {
        self.cdrom = Some(iso.as_ref().to_owned());
        self
    }

    /// Chooses what the firmware tries, in order; disks in their order otherwise.
    #[must_use]
    pub fn boot_order(mut self, order: impl IntoIterator<Item = BootDevice>) -> Self {
        self.boot_order = order.into_iter().collect();
        self
    }

    /// Lets a user network serve the files of `dir` by TFTP, and offer `boot_file` to a machine that
    /// boots from the network: a file of `dir` or a URL.
    #[must_use]
    pub fn tftp(mut self, dir: impl AsRef<Path>, boot_file: impl Into<String>) -> Self {
        self.tftp = Some(Tftp { dir: dir.as_ref().to_owned(), boot_file: boot_file.into() });
        self
    }

    /// Adds a virtio port that the guest finds as `/dev/virtio-ports/NAME`; what it writes there is
    /// returned by [`crate::Vm::port`].
    #[must_use]
    pub fn port(mut self, name: impl Into<String>) -> Self {
        self.ports.push(name.into());
        self
    }

    /// Returns `,bootindex=N` for a device that is in the boot order.
    pub(crate) fn boot_index(&self, device: BootDevice) -> String {
        let index = self.boot_order.iter().position(|d| *d == device);
        index.map(|index| format!(",bootindex={index}")).unwrap_or_default()
    }
}
