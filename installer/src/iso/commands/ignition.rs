//! `iso ignition`: the config of the live system, in the image.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::live_media::CONFIG;

use super::{Change, read_input};
use crate::cli::{IsoChangeArgs, IsoIgnitionEmbedArgs};
use crate::config::embedded;
use crate::iso::live_iso::{Access, LiveIso};
use crate::stdout;

pub(super) fn embed(args: IsoIgnitionEmbedArgs) -> Result<()> {
    let mut change = Change::open(args.change)?;
    let mut members = change.iso.members()?;
    if members.get(CONFIG).is_some() && !args.force {
        bail!("This ISO image already has an embedded Ignition config; use -f to force.");
    }
    let (name, bytes) = read_input(args.ignition_file.as_deref())?;
    members.insert(CONFIG, embedded::as_given(bytes, &name)?);
    let patch = change.iso.embed(&members)?;
    change.write(vec![patch])
}

pub(super) fn show(iso: &Path) -> Result<()> {
    let members = LiveIso::open(iso, Access::Read)?.members()?;
    stdout::write(members.get(CONFIG).context("No embedded Ignition config.")?)
}

pub(super) fn remove(args: IsoChangeArgs) -> Result<()> {
    let mut change = Change::open(args)?;
    let mut members = change.iso.members()?;
    members.remove(CONFIG);
    let patch = change.iso.embed(&members)?;
    change.write(vec![patch])
}
