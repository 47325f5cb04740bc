//! Options of `install`. Their long names are the keys of option files.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use nestos_formats::console::Console;
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::Karg;
use nestos_formats::stream_metadata::StreamName;
use reqwest::Url;

use crate::config::{ConfigHash, ConfigSource};
use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::first_boot::{FirstbootArgs, Hostname};
use crate::request::PlatformId;
use crate::saved::{IndexRange, LabelGlob};
use crate::selector::DeviceSpec;

pub(super) const MORE: &str = "\
OPTION FILES
  --config-file FILE reads options from YAML: long names are the keys, lists
  stand for repeated options, \"true\" for flags, dest-device for DEVICE.
  What files and command line say is added up; where there can be only one
  value, the command line wins, then the later file.

EXAMPLES
  Install from the running live medium, with a first-boot config:
    nestos-installer install /dev/sda --ignition-file example.ign

  Install a downloaded image after checking its digest:
    nestos-installer install /dev/nvme0n1 --image-file nestos.raw.xz \\
        --image-digest sha256:HEX --ignition-file example.ign

  See what would be erased and written:
    nestos-installer install /dev/sda --dry-run

  The only NVMe disk, with a serial console for GRUB and the kernel:
    nestos-installer install transport=nvme --console ttyS0,115200n8 \\
        --ignition-url https://config.example.com/node1.ign";

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar on a terminal, else lines
    Auto,
    /// A line every few seconds
    Plain,
    /// JSON lines for a program
    Json,
    /// Nothing
    None,
}

/// Options of `install`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("image").args(["image_file", "image_url", "stream"]))]
#[command(group = ArgGroup::new("ignition").args(["ignition_file", "ignition_url"]).multiple(true))]
pub struct InstallArgs {
    /// Disk to install to
    #[arg(value_name = "DEVICE", required_unless_present = "config_file")]
    pub device: Option<DeviceSpec>,

    /// Options from a YAML file; may be repeated
    #[arg(short = 'c', long, value_name = "PATH")]
    pub config_file: Vec<PathBuf>,

    /// Check everything, print the plan, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Reboot when the installation is complete
    #[arg(long, conflicts_with = "dry_run")]
    pub reboot: bool,

    /// Image on a local file system
    ///
    /// Its signature is PATH.sig or PATH.asc.
    #[arg(short = 'f', long, value_name = "PATH", help_heading = "Image")]
    pub image_file: Option<PathBuf>,

    /// Image on a web server
    ///
    /// Its signature is URL.sig or URL.asc.
    #[arg(short = 'u', long, value_name = "URL", value_parser = fetch::parse_url,
          help_heading = "Image")]
    pub image_url: Option<Url>,

    /// Newest image of a stream
    ///
    /// Without any image option the running live medium's image is taken, and
    /// where there is none, that of the stream "stable".
    #[arg(short = 's', long, value_name = "NAME", help_heading = "Image")]
    pub stream: Option<StreamName>,

    /// Where the metadata of streams is: NAME.json is added
    #[arg(long, value_name = "URL", value_parser = fetch::parse_url, help_heading = "Image")]
    pub stream_base_url: Option<Url>,

    /// CPU architecture of the image [default: this machine's]
    #[arg(short = 'a', long, value_name = "NAME", help_heading = "Image")]
    pub architecture: Option<Arch>,

    /// Use only the image of the running live medium
    #[arg(long, conflicts_with = "stream", help_heading = "Image")]
    pub offline: bool,

    /// Root directory of the live system, for tests
    #[arg(long, value_name = "DIR", hide = true)]
    pub live_root: Option<PathBuf>,

    /// Digest of the image file as stored: sha256:HEX
    ///
    /// The image is refused, and the disk left unbootable, when the bytes that
    /// were read have another digest. It takes the place of a signature.
    #[arg(long, value_name = "DIGEST", help_heading = "Image")]
    pub image_digest: Option<Digest>,

    /// Keys that may sign images, instead of the system's; may be repeated
    ///
    /// An OpenPGP key file, or a directory of them. The system's are in
    /// /usr/share/nestos/keys and /etc/nestos/keys.
    #[arg(long, value_name = "PATH", help_heading = "Image")]
    pub keyring: Vec<PathBuf>,

    /// Accept an image that nothing vouches for
    ///
    /// Only a missing signature is accepted: one that is bad, expired or by an
    /// unknown key is not, nor a digest that does not match.
    #[arg(long, help_heading = "Image")]
    pub insecure: bool,

    /// How often a failed download starts again: a number or "infinite"
    ///
    /// Connection errors and the answers 408, 429 and 5xx are tried again,
    /// after 1, 2, 4... seconds. What has arrived is not fetched again.
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Image")]
    pub fetch_retries: Retries,

    /// Ignition or Butane config for the first boot: a path, or an http(s) URL
    ///
    /// May be repeated: the configs are merged, and later ones win. Each is
    /// checked before the disk is touched: an error ends the installation, a
    /// warning does not. A Butane config, known by its key `variant`, is
    /// compiled first; local files need the butane command.
    #[arg(
        short = 'i',
        long,
        visible_alias = "ignition",
        value_name = "PATH|URL",
        help_heading = "First boot"
    )]
    pub ignition_file: Vec<ConfigSource>,

    /// Ignition or Butane config for the first boot, fetched now
    #[arg(short = 'I', long, value_name = "URL", value_parser = fetch::parse_url,
          conflicts_with = "ignition_file", help_heading = "First boot")]
    pub ignition_url: Option<Url>,

    /// Digest of the config as it is read: sha256-HEX or sha512-HEX
    #[arg(long, value_name = "TYPE-HEX", requires = "ignition", help_heading = "First boot")]
    pub ignition_hash: Option<ConfigHash>,

    /// Fetch --ignition-url over http without a hash
    #[arg(long, help_heading = "First boot")]
    pub insecure_ignition: bool,

    /// Name of the machine
    #[arg(long, value_name = "NAME", help_heading = "First boot")]
    pub hostname: Option<Hostname>,

    /// Platform whose metadata the system reads
    ///
    /// Replaces ignition.platform.id=metal and applies what the image's
    /// platforms.json says about consoles.
    #[arg(short = 'p', long, value_name = "NAME", help_heading = "First boot")]
    pub platform: Option<PlatformId>,

    /// Console of GRUB and the kernel; may be repeated
    ///
    /// tty0, hvc0, ttysclp0, ttyS<N> or ttyAMA<N>; serial ports take
    /// ,SPEED[PARITY[BITS]], such as ttyS0,115200n8. The default is 9600n8.
    #[arg(long, value_name = "CONSOLE", help_heading = "First boot")]
    pub console: Vec<Console>,

    /// Kernel argument to add; may be repeated
    ///
    /// A value with spaces is written as 'key="a b"'. Characters that the boot
    /// loader would change are refused.
    #[arg(long, value_name = "ARG", help_heading = "First boot")]
    pub append_karg: Vec<Karg>,

    /// Kernel argument to remove, as it is in the image; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "First boot")]
    pub delete_karg: Vec<Karg>,

    /// Kernel arguments of the first boot alone
    #[arg(long, value_name = "ARGS", hide = true, allow_hyphen_values = true)]
    pub firstboot_args: Option<FirstbootArgs>,

    /// Use this system's network settings on the first boot
    #[arg(short = 'n', long, help_heading = "First boot")]
    pub copy_network: bool,

    /// Where the settings of NetworkManager are, for --copy-network
    #[arg(
        long,
        value_name = "DIR",
        help_heading = "First boot",
        default_value = "/etc/NetworkManager/system-connections/"
    )]
    pub network_dir: PathBuf,

    /// Keep partitions with these labels; may be repeated
    ///
    /// Labels may have * and ?, and are separated by commas. Partitions that
    /// the image would reach are refused before the disk is touched.
    #[arg(long, value_name = "LABEL", value_delimiter = ',', help_heading = "Disk")]
    pub save_partlabel: Vec<LabelGlob>,

    /// Keep partitions with these numbers: 5, 5-7, 5- or -7; may be repeated
    #[arg(
        long,
        value_name = "NUMBER",
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Disk"
    )]
    pub save_partindex: Vec<IndexRange>,

    /// Erase the rest of the disk, too
    ///
    /// Signatures of RAID, LVM, ZFS and file systems are erased at both ends of
    /// the disk and of its partitions, and what is not saved is discarded where
    /// the disk can do that.
    #[arg(long, help_heading = "Disk")]
    pub wipe: bool,

    /// Free a disk that is in use
    ///
    /// Unmounts file systems, ends swapping, stops LVM, RAID and encryption on
    /// it, after showing each command. Programs are not ended.
    #[arg(long, help_heading = "Disk")]
    pub release_holders: bool,

    /// Read everything back and compare, before the disk is made bootable
    #[arg(long, help_heading = "Disk")]
    pub verify_written: bool,

    /// Leave a disk on which the installation failed as it is
    ///
    /// For finding out why: it is unbootable, too.
    #[arg(long, help_heading = "Disk")]
    pub preserve_on_error: bool,

    /// Write no image: only apply the first-boot options to an installed disk
    #[arg(long, help_heading = "Disk", conflicts_with_all = [
        "image", "offline", "image_digest", "keyring", "wipe", "release_holders", "verify_written", "save_partlabel",
        "save_partindex", "preserve_on_error", "progress", "report"])]
    pub post_process_only: bool,

    /// How progress is shown
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressStyle,

    /// Open file descriptor that --progress json writes to
    #[arg(long, value_name = "FD", default_value_t = 1, help_heading = "Output",
          value_parser = clap::value_parser!(i32).range(0..))]
    pub progress_fd: i32,

    /// Write a report of the finished installation, or of the plan, as JSON
    ///
    /// "-" stands for standard output.
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub report: Option<PathBuf>,

    /// Secure IPL, on machines that have it
    #[arg(long, hide = true)]
    pub secure_ipl: bool,
}
