//! The disk of an installation: found by its description, freed if that is asked for, claimed.

use anyhow::{Context, Result};
use nestos_host::blockdev::ClaimedDisk;
use nestos_host::disk_use::{Sources, release};
use nestos_host::{disks, term};

use crate::request::{Holders, InstallRequest};
use crate::selector::{Busy, Chosen, DeviceSpec};

/// Finds and claims the disk; nothing on it changes.
pub(super) fn claim(request: &InstallRequest) -> Result<ClaimedDisk> {
    claim_with(&request.device, request.handling.holders)
}

/// Finds and claims a disk that nobody uses.
pub(super) fn claim_as_it_is(device: &DeviceSpec) -> Result<ClaimedDisk> {
    claim_with(device, Holders::Refuse)
}

fn claim_with(device: &DeviceSpec, holders: Holders) -> Result<ClaimedDisk> {
    let chosen = choose(device, holders)?;
    if let DeviceSpec::Selector(_) = device {
        term::status(format!("{device} is {}", chosen.path.display()));
    }
    if holders == Holders::Release {
        release(&chosen.path, &Sources::system(), |line| term::status(line))?;
    }
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
