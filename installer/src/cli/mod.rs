//! The command line of `nestos-installer`: types only.

mod customize;
mod dev;
mod download;
mod install;
mod iso;
mod pack;
mod pxe;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use customize::CustomizeArgs;
pub use dev::{
    DevCommand, DevExtractCommand, DevShowCommand, ExtractInitrdArgs, ExtractOsmetArgs, FiemapArgs,
    ShowInitrdArgs, ShowIsoArgs,
};
pub use download::{DownloadArgs, ListStreamArgs, StreamFrom};
pub use install::{InstallArgs, ProgressStyle};
pub use iso::{
    DescribeArgs, IsoArgs, IsoChangeArgs, IsoCommand, IsoCustomizeArgs, IsoEmbedArgs,
    IsoExtractCommand, IsoExtractMinimalArgs, IsoExtractPxeArgs, IsoIgnitionCommand,
    IsoIgnitionEmbedArgs, IsoKargsCommand, IsoKargsModifyArgs, IsoKargsShowArgs, IsoNetworkCommand,
    IsoNetworkEmbedArgs, IsoNetworkExtractArgs,
};
pub use pack::{PackCommand, PackMinimalIsoArgs, PackOsmetArgs};
pub use pxe::{
    PxeCommand, PxeCustomizeArgs, PxeIgnitionCommand, PxeIgnitionWrapArgs, PxeNetworkCommand,
    PxeNetworkUnwrapArgs, PxeNetworkWrapArgs, PxeUnwrapArgs, System,
};

/// Install NestOS on a disk
///
/// The disk keeps no bootable system until the whole image was read and
/// verified: an install that fails or is interrupted boots nothing, never a
/// half-written system.
#[derive(Debug, Parser)]
#[command(name = "nestos-installer", version, max_term_width = 80, propagate_version = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write NestOS to a disk; what is not saved there is lost
    ///
    /// The image comes from --image-file, --image-url, the live medium that is
    /// running, or a stream. It may be raw or compressed (gz, xz, zstd); the
    /// content decides, not the name.
    ///
    /// DEVICE is a whole disk such as /dev/sda or sda, a regular file that
    /// stands for one (made with: truncate -s 10G FILE), or a description that
    /// fits exactly one disk: conditions with commas, such as
    /// "transport=nvme,size>=200G" or "serial=S4EVNX0". See below.
    ///
    /// Arguments, config, image and disk are checked before the disk is
    /// touched. Exit status: 0 installed, 1 failed, 2 wrong usage.
    #[command(after_long_help = format!("DEVICE\n{}\n\n{}", indented(crate::selector::HELP), install::MORE), args_override_self = true)]
    Install(Box<InstallArgs>),
    /// Download an image, and verify it
    ///
    /// Prints the path of the image. What is there and verifies is not fetched
    /// again, and what was cut off is taken up where it ended.
    #[command(args_override_self = true)]
    Download(Box<DownloadArgs>),
    /// List the images of a stream
    #[command(args_override_self = true)]
    ListStream(ListStreamArgs),
    /// Customise live ISO images, and take them apart
    #[command(subcommand)]
    Iso(IsoCommand),
    /// Customise what boots from a network
    #[command(subcommand)]
    Pxe(PxeCommand),
    /// Print a script that completes command lines of a shell
    ///
    /// For bash: nestos-installer completion bash >
    /// /usr/share/bash-completion/completions/nestos-installer
    Completion(CompletionArgs),
    /// Make parts of live media; for builders
    #[command(subcommand, hide = true)]
    Pack(PackCommand),
    /// Examine live media, and what they are made of
    #[command(subcommand, hide = true)]
    Dev(DevCommand),
    /// Write the manual pages; for packagers
    #[command(hide = true)]
    Man(ManArgs),
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Options of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to write them
    #[arg(short = 'C', long, value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        let mut root = Cli::command().term_width(80);
        root.build();
        let mut texts = Vec::new();
        collect(&mut root, &mut texts);
        for line in texts.iter().flat_map(|t| t.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    fn collect(command: &mut clap::Command, texts: &mut Vec<String>) {
        texts.push(command.render_long_help().to_string());
        texts.push(command.render_help().to_string());
        for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set()) {
            collect(sub, texts);
        }
    }
}
