//! Options of `pxe`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use nestos_formats::live_media::Flavour;

use super::customize::CustomizeArgs;
use super::iso::DescribeArgs;

/// Commands of `pxe`.
#[derive(Debug, Subcommand)]
pub enum PxeCommand {
    /// Say what an initramfs is, and what it was customised with
    Describe(DescribeArgs),
    /// Make an initramfs that installs by itself, or that knows more
    ///
    /// The result is the initramfs with an archive after it. Any dest- option
    /// or option file makes machines install without a question.
    Customize(Box<PxeCustomizeArgs>),
    /// Ignition configs, for appending to an initramfs
    #[command(subcommand)]
    Ignition(PxeIgnitionCommand),
    /// Network settings, for appending to an initramfs
    #[command(subcommand)]
    Network(PxeNetworkCommand),
}

/// Options of `pxe customize`.
#[derive(Debug, Args)]
pub struct PxeCustomizeArgs {
    /// What the live system is given.
    #[command(flatten)]
    pub customize: CustomizeArgs,

    /// Write to a new file, or "-" for standard output
    #[arg(short = 'o', long, value_name = "PATH")]
    pub output: PathBuf,

    /// The initramfs
    #[arg(value_name = "INITRAMFS")]
    pub initrd: PathBuf,
}

/// Commands of `pxe ignition`.
#[derive(Debug, Subcommand)]
pub enum PxeIgnitionCommand {
    /// Make an initramfs of an Ignition config
    Wrap(PxeIgnitionWrapArgs),
    /// Print the Ignition config in an initramfs
    Unwrap(PxeUnwrapArgs),
}

/// Options of `pxe ignition wrap`.
#[derive(Debug, Args)]
pub struct PxeIgnitionWrapArgs {
    /// Ignition or Butane config [default: standard input]
    #[arg(short = 'i', long, value_name = "PATH")]
    pub ignition_file: Option<PathBuf>,

    /// Write to this file [default: standard output]
    #[arg(short = 'o', long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Options of `pxe ignition unwrap`.
#[derive(Debug, Args)]
pub struct PxeUnwrapArgs {
    /// The initramfs [default: standard input]
    #[arg(value_name = "INITRAMFS")]
    pub initrd: Option<PathBuf>,
}

/// Commands of `pxe network`.
#[derive(Debug, Subcommand)]
pub enum PxeNetworkCommand {
    /// Make an initramfs of keyfiles of NetworkManager
    Wrap(PxeNetworkWrapArgs),
    /// Print the keyfiles in an initramfs, or write them into a directory
    Unwrap(PxeNetworkUnwrapArgs),
}

/// Whose live system an initramfs is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// NestOS
    Nestos,
    /// Fedora CoreOS and its kin
    Coreos,
}

impl From<System> for Flavour {
    fn from(system: System) -> Self {
        match system {
            System::Nestos => Self::Nestos,
            System::Coreos => Self::Coreos,
        }
    }
}

/// Options of `pxe network wrap`.
#[derive(Debug, Args)]
pub struct PxeNetworkWrapArgs {
    /// Keyfile of NetworkManager; may be repeated
    #[arg(short = 'k', long, value_name = "PATH", required = true)]
    pub keyfile: Vec<PathBuf>,

    /// Whose live system they are for
    #[arg(long = "for", value_enum, value_name = "SYSTEM", default_value = "nestos")]
    pub system: System,

    /// Write to this file [default: standard output]
    #[arg(short = 'o', long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Options of `pxe network unwrap`.
#[derive(Debug, Args)]
pub struct PxeNetworkUnwrapArgs {
    /// Write them into this directory [default: print them]
    #[arg(short = 'C', long, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// The initramfs [default: standard input]
    #[arg(value_name = "INITRAMFS")]
    pub initrd: Option<PathBuf>,
}
