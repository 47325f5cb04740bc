//! Manual pages, made from the command lines themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;

/// Writes the manual pages of a command and its subcommands into a directory.
pub fn write(command: Command, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .with_context(|| format!("cannot write manual pages to {}", dir.display()))
}
