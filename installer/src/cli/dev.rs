//! Commands for those who build and examine live media.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands of `dev`.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Show what files are made of
    #[command(subcommand)]
    Show(DevShowCommand),
}

/// Commands of `dev show`.
#[derive(Debug, Subcommand)]
pub enum DevShowCommand {
    /// Show where a file lies on its file system
    Fiemap(FiemapArgs),
}

/// Options of `dev show fiemap`.
#[derive(Debug, Args)]
pub struct FiemapArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// The file
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}
