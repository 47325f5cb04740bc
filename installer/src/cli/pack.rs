//! Options of the commands that builders of live media call.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::digest::Digest;

/// Commands of `pack`.
#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// Describe a disk image by the objects of the system in it
    ///
    /// A live medium that holds the system can put the image together again,
    /// bit by bit.
    Osmet(PackOsmetArgs),
    /// Describe a minimal ISO image in the full one
    ///
    /// The minimal image is the full one without its root file system; it can
    /// be cut out again, bit by bit.
    MinimalIso(PackMinimalIsoArgs),
}

/// Options of `pack minimal-iso`.
#[derive(Debug, Args)]
pub struct PackMinimalIsoArgs {
    /// Remove the minimal image when it is described
    #[arg(long)]
    pub consume: bool,

    /// The full image, which is changed
    #[arg(value_name = "FULL")]
    pub full: PathBuf,

    /// The minimal image
    #[arg(value_name = "MINIMAL")]
    pub minimal: PathBuf,
}

/// Options of `pack osmet`.
#[derive(Debug, Args)]
pub struct PackOsmetArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,

    /// SHA-256 of the image: 64 hexadecimal digits
    #[arg(long, value_name = "SHA256", value_parser = sha256)]
    pub checksum: Digest,

    /// Name and version of the system
    #[arg(long, value_name = "TEXT")]
    pub description: String,

    /// Compress less, in less time
    #[arg(long)]
    pub fast: bool,

    /// The image: a file, or a device that shows one
    #[arg(value_name = "DEVICE|FILE")]
    pub image: PathBuf,
}

/// Accepts the digits alone, as sha256sum prints them.
fn sha256(text: &str) -> Result<Digest, crate::digest::DigestError> {
    if text.contains([':', '-']) { text.parse() } else { format!("sha256:{text}").parse() }
}
