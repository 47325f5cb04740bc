//! Drives for optical media.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::libc::O_NONBLOCK;

use crate::ioctl;

/// PREVENT ALLOW MEDIUM REMOVAL: allow (SCSI Primary Commands).
const ALLOW_REMOVAL: [u8; 6] = [0x1E, 0, 0, 0, 0, 0];
/// START STOP UNIT: stop, and load or eject (Multi-Media Commands).
const EJECT: [u8; 6] = [0x1B, 0, 0, 0, 0x02, 0];

/// Ejects a medium, even one that is mounted: the ioctl `CDROMEJECT` would refuse that. Whoever
/// still needs a file on it gets errors from now on; this program keeps running.
pub fn eject(drive: &Path) -> Result<()> {
    let eject = || -> Result<()> {
        // With O_NONBLOCK a drive opens without a medium, and is not locked again.
        let device = File::options().read(true).custom_flags(O_NONBLOCK).open(drive)?;
        ioctl::stay_in_memory().context("cannot keep this program in memory")?;
        // A drive that knows no lock needs no unlocking.
        drop(ioctl::scsi_command(&device, ALLOW_REMOVAL).map_err(std::io::Error::from));
        ioctl::scsi_command(&device, EJECT).context("the drive refuses")
    };
    eject().with_context(|| format!("cannot eject the medium in {}", drive.display()))
}
