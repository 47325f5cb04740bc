//! Virtual machines for the tests, `nosa run` and kola: QEMU with a serial console to expect
//! text on, ssh through a loopback port, and QMP for power, pause and saving.
//!
//! A [`Machine`] describes, [`Machine::start`] gives a running [`Vm`]. A base image is never
//! written unless the disk is attached in place. Nothing outlives the process that started it,
//! and whoever does not end a machine with [`Vm::done`] keeps its logs.
//!
//! ```no_run
//! use std::time::Duration;
//! use nestos_vm::{Disk, Firmware, Format, Machine};
//!
//! # fn main() -> anyhow::Result<()> {
//! let vm = Machine::new("first-boot")
//!     .firmware(Firmware::Uefi)
//!     .disk(Disk::overlay("nestos.qcow2", Format::Qcow2))
//!     .start()?;
//! vm.serial().expect("login:", Duration::from_secs(240))?;
//! vm.done()
//! # }
//! ```

mod accel;
mod arguments;
mod boot;
mod clean;
mod image;
mod launch;
mod machine;
mod qmp;
mod save;
mod serial;
mod ssh;
mod vm;
mod workdir;

pub use accel::Accelerator;
pub use boot::BootDevice;
pub use machine::{
    Bus, Cache, Chipset, DirectBoot, Disk, Firmware, Format, Machine, Network, SectorSize,
};
pub use qmp::{Event, Qmp};
pub use save::SavedMachine;
pub use serial::Serial;
pub use ssh::{Output, Ssh, SshKey};
pub use vm::Vm;
