//! Everything in the NestOS tools that touches a machine: programs, terminals, clocks, files
//! that others read, block devices. Tools decide with values and come here to act.

pub mod atomic;
pub mod blockdev;
pub mod clock;
pub mod cmd;
mod disk_io;
pub mod disk_use;
pub mod disks;
pub mod exit;
pub mod extents;
pub mod gpt_disk;
pub mod interrupt;
mod ioctl;
pub mod kexec;
pub mod loopdev;
pub mod mount;
pub mod optical;
pub mod secrecy;
pub mod term;
#[cfg(test)]
mod test_machine;
pub mod wipe;

pub use ioctl::inherited;
