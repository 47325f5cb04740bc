//! The command line of nosa.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nestos_formats::stream_metadata::StreamName;

use crate::release_meta::BaseUrl;

/// Build NestOS images from a config folder
///
/// Work happens in a directory of its own: `nosa init CONFIG` makes it one, `nosa build` composes
/// a root file system from packages, commits it to ostree and makes a container image of the
/// commit and disk images, which are then in builds/latest/ARCH. A second build without changes does no work.
#[derive(Debug, Parser)]
#[command(name = "nosa", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Work in DIR instead of the current directory
    #[arg(short = 'C', long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) workdir: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What nosa can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the current directory a working directory
    Init(Init),
    /// Resolve the packages and download them
    Fetch(Mirrored),
    /// Build an ostree commit, its container image and disk images
    ///
    /// Without a target the qemu image is made. Packages are resolved anew only when the list in
    /// the manifest changed, or with --fetch.
    Build(Build),
    /// Make the qcow2 image of the latest build
    BuildextendQemu(Extend),
    /// Make the raw image for real machines of the latest build
    BuildextendMetal(Extend),
    /// Make the raw image for disks with 4096-byte sectors of the latest build
    #[command(name = "buildextend-metal4k")]
    BuildextendMetal4k(Extend),
    /// Make the live ISO, and kernel, initramfs and rootfs for PXE, of the latest build
    ///
    /// They hold what is needed to install both images for real machines without a network;
    /// those are made first if the build lacks them.
    BuildextendLive(ExtendLive),
    /// Push the container image of a build to a registry
    ///
    /// Prints the command that makes a machine follow the image.
    PushContainer(PushContainer),
    /// Write what a build offers, for installers: release and stream metadata
    ///
    /// Writes builds/BUILD/release.json and brings builds/STREAM.json up to date, in the format of
    /// Fedora CoreOS. Other architectures that are in them stay. Publish the images first, then
    /// these.
    GenerateReleaseMeta(GenerateReleaseMeta),
    /// Make compressed copies of images, for fast installations
    ///
    /// Without a file the images of a build are compressed; its meta.json names the copies. The
    /// images stay. What is written is decompressed and compared.
    Compress(Compress),
    /// List builds and their artifacts
    List,
    /// Print the architecture
    Basearch,
    /// Write the manual pages into the directory of -C; for packagers
    #[command(hide = true)]
    Man,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// A config folder, or the address of a git repository with one
    #[arg(value_name = "CONFIG")]
    pub(crate) config: String,
    /// Folder inside CONFIG
    #[arg(value_name = "SUBDIR")]
    pub(crate) subdir: Option<String>,
    /// Branch to clone
    #[arg(short, long)]
    pub(crate) branch: Option<String>,
    /// Use a directory that is not empty, or point it to another config
    #[arg(short, long)]
    pub(crate) force: bool,
    /// NestOS tools to put into the image (make install DESTDIR=DIR PREFIX=/usr)
    #[arg(long, value_name = "DIR")]
    pub(crate) tools_root: Option<PathBuf>,
}

/// Where packages come from.
#[derive(Debug, Args)]
pub(crate) struct Mirrored {
    /// Package mirror, where a repository file names none; else the one of the host
    #[arg(long, value_name = "URL", value_parser = address)]
    pub(crate) mirror: Option<String>,
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Images to make
    #[arg(value_enum)]
    pub(crate) targets: Vec<Target>,
    /// Resolve the packages anew first
    #[arg(short = 'F', long)]
    pub(crate) fetch: bool,
    /// Build even when nothing changed
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Make live media in less time, larger by a tenth
    #[arg(long)]
    pub(crate) fast: bool,
    #[command(flatten)]
    pub(crate) mirrored: Mirrored,
}

/// What `build` can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The ostree commit and its container image; always made
    #[value(alias = "container")]
    Ostree,
    /// qcow2 image for QEMU
    Qemu,
    /// Raw image for real machines
    Metal,
    /// Raw image for disks with 4096-byte sectors
    #[value(name = "metal4k")]
    Metal4k,
    /// Live ISO, and kernel, initramfs and rootfs for PXE
    Live,
}

/// Arguments of `buildextend-*`.
#[derive(Debug, Args)]
pub(crate) struct Extend {
    /// Build to extend; else the latest
    #[arg(long, value_name = "ID")]
    pub(crate) build: Option<String>,
    /// Make the image again
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) mirrored: Mirrored,
}

/// Arguments of `buildextend-live`.
#[derive(Debug, Args)]
pub(crate) struct ExtendLive {
    /// Take less time; the media are larger by a tenth
    #[arg(long)]
    pub(crate) fast: bool,
    #[command(flatten)]
    pub(crate) extend: Extend,
}

/// Arguments of `push-container`.
#[derive(Debug, Args)]
pub(crate) struct PushContainer {
    /// HOST[:PORT]/NAME[:TAG], or a path with the transports that write files; the tag is BUILD-ARCH
    /// when none is given
    #[arg(value_name = "NAME[:TAG]")]
    pub(crate) name: Option<String>,
    /// Build to push; else the latest
    #[arg(long, value_name = "ID")]
    pub(crate) build: Option<String>,
    /// File with the credentials, as skopeo login writes it
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Accept a registry without encryption or with an unknown certificate
    #[arg(long, alias = "no-tls-verify")]
    pub(crate) insecure: bool,
    /// Where the image goes
    #[arg(long, value_enum, default_value_t = Transport::Docker)]
    pub(crate) transport: Transport,
    /// Format of the manifest; else what the image has, or the place demands
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Appended to the tag BUILD-ARCH
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag_suffix: Option<String>,
}

/// Arguments of `generate-release-meta`.
#[derive(Debug, Args)]
pub(crate) struct GenerateReleaseMeta {
    /// Stream that the build is released to
    #[arg(short, long, value_name = "NAME", alias = "stream-name")]
    pub(crate) stream: StreamName,
    /// Where the folder builds/ is published; BUILD/ARCH/FILE is added
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: BaseUrl,
    /// Build to release; else the latest
    #[arg(long, value_name = "ID", alias = "build-id")]
    pub(crate) build: Option<String>,
    /// Architecture to release; else all of the build
    #[arg(long, value_name = "ARCH")]
    pub(crate) arch: Option<String>,
    /// Write both files there, and update the metadata of the stream there
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Name a signature for every file; else only where FILE.sig is there
    #[arg(long)]
    pub(crate) signed: bool,
}

/// Arguments of `compress`.
#[derive(Debug, Args)]
pub(crate) struct Compress {
    /// Files to compress; else the images of a build
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Build to compress; else the latest
    #[arg(long, value_name = "ID", conflicts_with = "files")]
    pub(crate) build: Option<String>,
    /// Format of the copies
    #[arg(long, value_enum, default_value_t = crate::compress::Format::Zst)]
    pub(crate) format: crate::compress::Format,
    /// Effort: 1 to 22 for zst (12), 1 to 9 for xz and gz (6)
    #[arg(long, value_name = "N")]
    pub(crate) level: Option<u32>,
    /// Threads to use; else one for each processor. The output is the same
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroU32>,
    /// Replace copies that are there
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Do not decompress and compare what was written
    #[arg(long)]
    pub(crate) no_verify: bool,
}

/// Where an image can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// A registry
    #[value(alias = "registry")]
    Docker,
    /// A directory with the manifest and a file for each layer
    Dir,
    /// A directory in OCI layout
    Oci,
    /// An archive for docker load
    DockerArchive,
    /// The storage of podman on this host
    #[value(alias = "podman")]
    ContainersStorage,
    /// The docker daemon on this host
    DockerDaemon,
}

/// Format of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// OCI
    Oci,
    /// Docker, version 2, schema 2
    V2s2,
}

/// apt's methods are more than those of web addresses (`copy:/dir`), so only the form is checked.
fn address(text: &str) -> Result<String, String> {
    let scheme = text.split_once(":/").map_or("", |(scheme, _)| scheme);
    let fine = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+');
    if fine && !text.contains(char::is_whitespace) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(format!("{text:?} is no address such as https://HOST/debian"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_fits_a_terminal() {
        Cli::command().debug_assert();
        let help = Cli::command().term_width(80).render_long_help().to_string();
        assert!(help.lines().all(|l| l.chars().count() <= 80), "{help}");
    }
}
