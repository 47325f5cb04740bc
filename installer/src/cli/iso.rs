//! Options of `iso`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use nestos_formats::kargs::Karg;
use reqwest::Url;

use super::customize::CustomizeArgs;
use crate::fetch;
use crate::iso::kargs_edit::Replacement;

/// Commands of `iso`.
#[derive(Debug, Subcommand)]
pub enum IsoCommand {
    /// Say what an image is, and what it was customised with
    Describe(DescribeArgs),
    /// Make an image that installs by itself, or that knows more
    ///
    /// Starts from the image as it was made: what was customised before is
    /// dropped, and needs --force. Any dest- option or option file makes the
    /// media install without a question.
    Customize(Box<IsoCustomizeArgs>),
    /// The Ignition config of the live system
    #[command(subcommand)]
    Ignition(IsoIgnitionCommand),
    /// Network settings of the live system
    #[command(subcommand)]
    Network(IsoNetworkCommand),
    /// Kernel arguments of the live system
    #[command(subcommand)]
    Kargs(IsoKargsCommand),
    /// Take out what the image holds
    #[command(subcommand)]
    Extract(IsoExtractCommand),
    /// Make the image as it was before it was customised
    Reset(IsoChangeArgs),
    /// Embed an Ignition config; use iso ignition embed
    #[command(hide = true)]
    Embed(IsoEmbedArgs),
    /// Print the embedded Ignition config; use iso ignition show
    #[command(hide = true)]
    Show(IsoArgs),
    /// Remove the embedded Ignition config; use iso ignition remove
    #[command(hide = true)]
    Remove(IsoChangeArgs),
}

/// An image.
#[derive(Debug, Args)]
pub struct IsoArgs {
    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// An image, and where the changed one goes.
#[derive(Debug, Args)]
pub struct IsoChangeArgs {
    /// Write to a new file, or "-" for standard output [default: in place]
    #[arg(short = 'o', long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// Options of `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// The image
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
}

/// Options of `iso customize`.
#[derive(Debug, Args)]
pub struct IsoCustomizeArgs {
    /// What the live system is given.
    #[command(flatten)]
    pub customize: CustomizeArgs,

    /// Kernel argument to add; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    pub live_karg_append: Vec<Karg>,

    /// Kernel argument to remove; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    pub live_karg_delete: Vec<String>,

    /// Kernel argument to replace: KEY=OLD=NEW; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    pub live_karg_replace: Vec<Replacement>,

    /// Drop what the image was customised with before
    #[arg(short = 'f', long)]
    pub force: bool,

    /// The image.
    #[command(flatten)]
    pub change: IsoChangeArgs,
}

/// Commands of `iso ignition`.
#[derive(Debug, Subcommand)]
pub enum IsoIgnitionCommand {
    /// Embed an Ignition config
    Embed(IsoIgnitionEmbedArgs),
    /// Print the embedded Ignition config
    Show(IsoArgs),
    /// Remove the embedded Ignition config
    Remove(IsoChangeArgs),
}

/// Options of `iso ignition embed`.
#[derive(Debug, Args)]
pub struct IsoIgnitionEmbedArgs {
    /// Replace the config that is embedded
    #[arg(short = 'f', long)]
    pub force: bool,

    /// Ignition or Butane config [default: standard input]
    #[arg(short = 'i', long, value_name = "PATH")]
    pub ignition_file: Option<PathBuf>,

    /// The image.
    #[command(flatten)]
    pub change: IsoChangeArgs,
}

/// Options of the old `iso embed`.
#[derive(Debug, Args)]
pub struct IsoEmbedArgs {
    /// Ignition config [default: standard input]
    #[arg(short = 'c', long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Replace the config that is embedded
    #[arg(short = 'f', long)]
    pub force: bool,

    /// The image.
    #[command(flatten)]
    pub change: IsoChangeArgs,
}

/// Commands of `iso network`.
#[derive(Debug, Subcommand)]
pub enum IsoNetworkCommand {
    /// Embed keyfiles of NetworkManager
    Embed(IsoNetworkEmbedArgs),
    /// Print the embedded keyfiles, or write them into a directory
    Extract(IsoNetworkExtractArgs),
    /// Remove the embedded keyfiles
    Remove(IsoChangeArgs),
}

/// Options of `iso network embed`.
#[derive(Debug, Args)]
pub struct IsoNetworkEmbedArgs {
    /// Keyfile of NetworkManager; may be repeated
    #[arg(short = 'k', long, value_name = "PATH", required = true)]
    pub keyfile: Vec<PathBuf>,

    /// Replace the keyfiles that are embedded
    #[arg(short = 'f', long)]
    pub force: bool,

    /// The image.
    #[command(flatten)]
    pub change: IsoChangeArgs,
}

/// Options of `iso network extract`.
#[derive(Debug, Args)]
pub struct IsoNetworkExtractArgs {
    /// Write them into this directory [default: print them]
    #[arg(short = 'C', long, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// Commands of `iso kargs`.
#[derive(Debug, Subcommand)]
pub enum IsoKargsCommand {
    /// Add, remove and replace kernel arguments, in this order: remove, add,
    /// replace
    Modify(IsoKargsModifyArgs),
    /// Restore the kernel arguments that the image was made with
    Reset(IsoChangeArgs),
    /// Print the kernel arguments
    Show(IsoKargsShowArgs),
}

/// Options of `iso kargs modify`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("edits").args(["append", "delete", "replace"]).multiple(true)
          .required(true), override_usage = "nestos-installer iso kargs modify [OPTIONS] <ISO>")]
pub struct IsoKargsModifyArgs {
    /// Kernel argument to add; may be repeated
    #[arg(short = 'a', long, value_name = "ARG")]
    pub append: Vec<Karg>,

    /// Kernel argument to remove; may be repeated
    #[arg(short = 'd', long, value_name = "ARG")]
    pub delete: Vec<String>,

    /// Kernel argument to replace: KEY=OLD=NEW; may be repeated
    #[arg(short = 'r', long, value_name = "ARG")]
    pub replace: Vec<Replacement>,

    /// The image.
    #[command(flatten)]
    pub change: IsoChangeArgs,
}

/// Options of `iso kargs show`.
#[derive(Debug, Args)]
pub struct IsoKargsShowArgs {
    /// Print those that the image was made with
    #[arg(short = 'd', long)]
    pub default: bool,

    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// Commands of `iso extract`.
#[derive(Debug, Subcommand)]
pub enum IsoExtractCommand {
    /// Write kernel, initramfs and rootfs to files, for booting from a network
    ///
    /// Their names are that of the image with -vmlinuz, -initrd.img and
    /// -rootfs.img. What the image was customised with is not in them.
    Pxe(IsoExtractPxeArgs),
    /// Make an image without the root file system, which it fetches
    MinimalIso(IsoExtractMinimalArgs),
}

/// Options of `iso extract pxe`.
#[derive(Debug, Args)]
pub struct IsoExtractPxeArgs {
    /// Where to write them
    #[arg(short = 'o', long, value_name = "DIR", default_value = ".")]
    pub output_dir: PathBuf,

    /// The image
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,
}

/// Options of `iso extract minimal-iso`.
#[derive(Debug, Args)]
pub struct IsoExtractMinimalArgs {
    /// Write the root file system to a new file, too
    #[arg(long, value_name = "PATH")]
    pub output_rootfs: Option<PathBuf>,

    /// Where the image fetches the root file system from
    #[arg(long, value_name = "URL", value_parser = fetch::parse_url)]
    pub rootfs_url: Option<Url>,

    /// The image, as it was made
    #[arg(value_name = "ISO")]
    pub iso: PathBuf,

    /// Where the minimal image goes, "-" for standard output
    #[arg(value_name = "OUTPUT", default_value = "-")]
    pub output: PathBuf,
}
