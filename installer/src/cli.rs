//! The command line of `nestos-installer`: types only.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use nestos_formats::console::Console;
use nestos_formats::kargs::Karg;
use reqwest::Url;

use crate::config::ConfigSource;
use crate::digest::Digest;
use crate::request::PlatformId;

/// Install NestOS on a disk
///
/// The disk keeps no bootable system until the whole image was read and
/// verified: an install that fails or is interrupted boots nothing, never a
/// half-written system.
#[derive(Debug, Parser)]
#[command(name = "nestos-installer", version, max_term_width = 80, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write NestOS to a disk; everything on the disk is lost
    ///
    /// The image comes from --image-file, --image-url or the live medium that
    /// is running. It may be raw or compressed (gz, xz, zstd); the content
    /// decides, not the name. DEVICE is a whole disk such as /dev/sda, or a
    /// regular file that stands for one (made with: truncate -s 10G FILE).
    ///
    /// Arguments, config, image and disk are checked before the disk is
    /// touched. Exit status: 0 installed, 1 failed, 2 wrong usage.
    #[command(after_long_help = EXAMPLES)]
    Install(Box<InstallArgs>),
    /// Write the manual pages; for packagers
    #[command(hide = true)]
    Man(ManArgs),
}

/// Options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to write them
    #[arg(short = 'C', long, value_name = "DIR")]
    pub directory: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  Install from the running live medium, with a first-boot config:
    nestos-installer install /dev/sda --ignition-file example.ign

  Install a downloaded image after checking its digest:
    nestos-installer install /dev/nvme0n1 --image-file nestos.raw.xz \\
        --image-digest sha256:HEX --ignition-file example.ign

  Use a serial console for GRUB and the kernel:
    nestos-installer install /dev/sda --console ttyS0,115200n8 \\
        --ignition-url https://config.example.com/node1.ign";

/// Options of `install`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("image").args(["image_file", "image_url", "offline"]))]
#[command(group = ArgGroup::new("ignition").args(["ignition_file", "ignition_url"]))]
pub struct InstallArgs {
    /// Disk to install to
    #[arg(value_name = "DEVICE")]
    pub device: PathBuf,

    /// Image on a local file system
    #[arg(short = 'f', long, value_name = "PATH")]
    pub image_file: Option<PathBuf>,

    /// Image on a web server
    #[arg(short = 'u', long, value_name = "URL", value_parser = crate::fetch::parse_url)]
    pub image_url: Option<Url>,

    /// Use only the image of the running live medium
    #[arg(long)]
    pub offline: bool,

    /// Digest of the image file as stored: sha256:HEX
    ///
    /// The image is refused, and the disk left unbootable, when the bytes that
    /// were read have another digest.
    #[arg(long, value_name = "DIGEST")]
    pub image_digest: Option<Digest>,

    /// Accept an image that nothing vouches for
    ///
    /// Without --image-digest, an image from a file or a web server is only
    /// written with this option. A digest that does not match is never
    /// accepted.
    #[arg(long)]
    pub insecure: bool,

    /// Ignition or Butane config for the first boot: a path, or an http(s) URL
    ///
    /// It is checked before the disk is touched: an error ends the
    /// installation, a warning does not. A Butane config, known by its key
    /// `variant`, is compiled first; local files need the butane command.
    #[arg(short = 'i', long, visible_alias = "ignition", value_name = "PATH|URL")]
    pub ignition_file: Option<ConfigSource>,

    /// Ignition or Butane config for the first boot, fetched now
    #[arg(short = 'I', long, value_name = "URL", value_parser = crate::fetch::parse_url)]
    pub ignition_url: Option<Url>,

    /// Platform whose metadata the system reads
    ///
    /// Replaces ignition.platform.id=metal and applies what the image's
    /// platforms.json says about consoles.
    #[arg(short = 'p', long, value_name = "NAME")]
    pub platform: Option<PlatformId>,

    /// Console of GRUB and the kernel; may be repeated
    ///
    /// tty0, hvc0, ttysclp0, ttyS<N> or ttyAMA<N>; serial ports take
    /// ,SPEED[PARITY[BITS]], such as ttyS0,115200n8. The default is 9600n8.
    #[arg(long, value_name = "CONSOLE")]
    pub console: Vec<Console>,

    /// Kernel argument to add; may be repeated
    ///
    /// A value with spaces is written as 'key="a b"'. Characters that the boot
    /// loader would change are refused.
    #[arg(long, value_name = "ARG")]
    pub append_karg: Vec<Karg>,

    /// Kernel argument to remove, as it is in the image; may be repeated
    #[arg(long, value_name = "ARG")]
    pub delete_karg: Vec<Karg>,

    /// How often a failed download starts again
    ///
    /// Connection errors and the answers 408, 429 and 5xx are tried again,
    /// after 1, 2, 4... seconds.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub fetch_retries: u32,

    /// Check everything, say what would be erased, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Reboot when the installation is complete
    #[arg(long, conflicts_with = "dry_run")]
    pub reboot: bool,
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
        let mut texts = vec![root.render_long_help().to_string()];
        for sub in root.get_subcommands_mut() {
            texts.push(sub.render_long_help().to_string());
            texts.push(sub.render_help().to_string());
        }
        for line in texts.iter().flat_map(|t| t.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
