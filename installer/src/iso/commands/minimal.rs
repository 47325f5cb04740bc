//! `iso extract minimal-iso`.

use anyhow::{Result, bail};

use crate::cli::IsoExtractMinimalArgs;

pub(super) fn run(_args: &IsoExtractMinimalArgs) -> Result<()> {
    bail!("This ISO image cannot make a minimal image.")
}
