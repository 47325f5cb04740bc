//! Commands for those who build and examine live media.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands of `dev`.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Show what files are made of
    #[command(subcommand)]
    Show(DevShowCommand),
    /// Take out what is in files
    #[command(subcommand)]
    Extract(DevExtractCommand),
}

/// Commands of `dev show`.
#[derive(Debug, Subcommand)]
pub enum DevShowCommand {
    /// Show where a file lies on its file system
    Fiemap(FiemapArgs),
}

/// Commands of `dev extract`.
#[derive(Debug, Subcommand)]
pub enum DevExtractCommand {
    /// Put the image together that an osmet file describes
    Osmet(ExtractOsmetArgs),
}

/// Options of `dev extract osmet`.
#[derive(Debug, Args)]
pub struct ExtractOsmetArgs {
    /// The osmet file
    #[arg(long, value_name = "FILE")]
    pub osmet: PathBuf,

    /// Repository with the objects, such as /sysroot/ostree/repo
    #[arg(value_name = "REPO")]
    pub repository: PathBuf,

    /// Where to write the image: a device, or a file
    #[arg(value_name = "DEVICE|FILE")]
    pub to: PathBuf,
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
