//! A config that would make the root, boot or EFI partition anew is refused while everything is
//! still there: nothing here moves the system out of the way meanwhile.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::recreated::found_in;
use nestos_host::term::WithHint;

use crate::disk::disk_of;

/// What Ignition fetched and merged.
const CONFIG: &str = "/run/ignition.json";

/// Fails when the config cannot be applied to the disk that the system is on.
pub(crate) fn check() -> Result<()> {
    let config = match fs::read(CONFIG) {
        Ok(config) => config,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {CONFIG}")),
    };
    let disk = disk_of(Path::new("/dev/disk/by-label/boot"))?;
    let found = found_in(&config, &disk.map_or_else(String::new, |d| d.display().to_string()));
    if found.is_empty() {
        return Ok(());
    }
    Err(anyhow!("the config makes parts of the system anew, which this image cannot: {}", found.join(", ")))
        .hint("remove that from the config (boot_device, in Butane) and install again; nothing was changed")
}
