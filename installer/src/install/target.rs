//! The disk of an installation: found by its description, freed if that is asked for, claimed.

use anyhow::{Context, Result};
use nestos_host::blockdev::ClaimedDisk;
use nestos_host::disk_use::{Sources, release};
use nestos_host::{disks, term};

use super::Mode;
use crate::request::{Holders, InstallRequest};
use crate::selector::{Busy, Chosen, DeviceSpec};

/// Finds and claims the disk; nothing on it changes. A check releases nothing: it is refused with
/// what would be done.
pub(super) fn claim(request: &InstallRequest, mode: Mode) -> Result<ClaimedDisk> {
    let holders = request.handling.holders;
    let chosen = choose(&request.device, holders)?;
    if let DeviceSpec::Selector(_) = request.device {
        term::status(format!("{} is {}", request.device, chosen.path.display()));
    }
    if (holders, mode) == (Holders::Release, Mode::Install) {
        release(&chosen.path, &Sources::system(), |line| term::status(line))?;
    }
    take(&chosen)
}

/// Finds and claims a disk that nobody uses.
pub(super) fn claim_as_it_is(device: &DeviceSpec) -> Result<ClaimedDisk> {
    take(&choose(device, Holders::Refuse)?)
}

fn take(chosen: &Chosen) -> Result<ClaimedDisk> {
    let disk = ClaimedDisk::claim(&chosen.path)?;
    if let Some(identity) = &chosen.identity {
        identity.check(&disk).context("another disk has taken its place")?;
    }
    Ok(disk)
}

fn choose(device: &DeviceSpec, holders: Holders) -> Result<Chosen> {
    let busy = match holders {
        Holders::Refuse => Busy::Refuse,
        Holders::Release => Busy::Release,
    };
    // Whoever names a path does not wait for slow disks to tell what is on them.
    let disks = match device {
        DeviceSpec::Path(_) => vec![],
        DeviceSpec::Selector(_) => disks::all(&Sources::system()),
    };
    device.choose(&disks, busy)
}
