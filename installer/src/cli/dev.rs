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
    /// Show the file system of an ISO image, as JSON
    Iso(ShowIsoArgs),
    /// List the regular files of an initramfs
    Initrd(ShowInitrdArgs),
}

/// Options of `dev show iso`.
#[derive(Debug, Args)]
pub struct ShowIsoArgs {
    /// Show where the Ignition config goes
    #[arg(long, conflicts_with = "kargs")]
    pub ignition: bool,

    /// Show where kernel arguments are
    #[arg(long)]
    pub kargs: bool,

    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// Options of `dev show initrd`.
#[derive(Debug, Args)]
pub struct ShowInitrdArgs {
    /// The initramfs, "-" for standard input
    #[arg(value_name = "INITRAMFS")]
    pub initrd: PathBuf,

    /// Only files whose paths fit one of these patterns
    #[arg(value_name = "GLOB")]
    pub patterns: Vec<glob::Pattern>,
}

/// Options of `dev extract initrd`.
#[derive(Debug, Args)]
pub struct ExtractInitrdArgs {
    /// Where to write them
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,

    /// Print the paths
    #[arg(short = 'v', long)]
    pub verbose: bool,

    /// The initramfs, "-" for standard input
    #[arg(value_name = "INITRAMFS")]
    pub initrd: PathBuf,

    /// Only files whose paths fit one of these patterns
    #[arg(value_name = "GLOB")]
    pub patterns: Vec<glob::Pattern>,
}

/// Commands of `dev extract`.
#[derive(Debug, Subcommand)]
pub enum DevExtractCommand {
    /// Put the image together that an osmet file describes
    Osmet(ExtractOsmetArgs),
    /// Write the regular files of an initramfs into a directory
    Initrd(ExtractInitrdArgs),
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
