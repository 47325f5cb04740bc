//! Loop devices that show one partition of a disk or of a disk image by offset, so that neither
//! kernel partition nodes nor udev are needed. See loop(4).

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use crate::ioctl::{self, Window};
use crate::term::WithHint;

const CONTROL: &str = "/dev/loop-control";

/// How often another process may snatch the free device before we give up.
const ATTEMPTS: usize = 16;

/// A loop device bound to a part of a file; dropping it (and unmounting it) detaches it.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    // The kernel detaches at the last close (LO_FLAGS_AUTOCLEAR).
    _open: File,
}

impl LoopDevice {
    /// Binds a free loop device to `length` bytes of `backing` from `offset` on.
    pub fn attach(backing: &File, offset: u64, length: u64, sector_size: u32) -> Result<Self> {
        let window = Window { offset, length, sector_size };
        let control = open_control()?;
        for _ in 0..ATTEMPTS {
            let number = ioctl::free_loop_number(&control)
                .with_context(|| format!("cannot get a free loop device from {CONTROL}"))?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = File::options().read(true).write(true).open(&path);
            let device = device.with_context(|| format!("cannot open {}", path.display()))?;
            match ioctl::configure_loop(&device, backing, window) {
                Ok(()) => return Ok(Self { path, _open: device }),
                Err(Errno::EBUSY) => {}
                Err(e) => {
                    return Err(e).with_context(|| format!("cannot set up {}", path.display()));
                }
            }
        }
        bail!("every free loop device was taken by another process, {ATTEMPTS} times in a row")
    }

    /// Returns the path of the device.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Fails with advice when loop devices cannot be used here, before anything depends on them.
pub fn check_available() -> Result<()> {
    let control = open_control()?;
    ioctl::free_loop_number(&control)
        .with_context(|| format!("cannot get a free loop device from {CONTROL}"))?;
    Ok(())
}

fn open_control() -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .open(CONTROL)
        .with_context(|| format!("cannot open {CONTROL}"))
        .hint("loop devices need root and the loop module (modprobe loop)")
}
