//! What to install where: the arguments after everything that needs no disk was checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::KernelArgs;
use nestos_host::term::{self, WithHint};
use reqwest::Url;
use thiserror::Error;

use crate::boot::BootEdits;
use crate::cli::{InstallArgs, ProgressStyle};
use crate::config::{CheckedConfig, ConfigSource, Loading};
use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::first_boot::NetworkSettings;
use crate::progress::{Audience, Events};
use crate::saved::Filter;
use crate::selector::DeviceSpec;
use crate::source::{self, StreamSource};

/// Stream that is meant when none is named.
pub const DEFAULT_STREAM: &str = "stable";

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// A local file.
    File(PathBuf),
    /// A web server.
    Url(Url),
    /// The file that the running live medium offers.
    Live(PathBuf),
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Live(path) => path.display().fmt(f),
            Self::Url(url) => fetch::shown(url).fmt(f),
        }
    }
}

/// Which image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageChoice {
    /// A local file.
    File(PathBuf),
    /// A web server.
    Url(Url),
    /// The newest of a stream.
    Stream(StreamSource),
    /// The live medium's own.
    Live,
    /// The live medium's own; where there is none, the newest of a stream.
    LiveOrStream(StreamSource),
}

impl ImageChoice {
    /// Takes a file or an address that was given, else the live medium's image.
    pub fn given_or_live(file: Option<PathBuf>, url: Option<Url>) -> Result<Self> {
        let given = file.map(Self::File).or(url.map(Self::Url));
        given.map_or_else(|| Ok(Self::LiveOrStream(stable()?)), Ok)
    }
}

fn stable() -> Result<StreamSource> {
    let base = fetch::parse_url(source::BASE_URL)?;
    Ok(StreamSource { name: DEFAULT_STREAM.parse()?, base })
}

/// What the command line says about trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// `--image-digest`.
    pub digest: Option<Digest>,
    /// `--insecure`.
    pub unsigned: Unsigned,
    /// `--keyring`; the system's keys if there is none.
    pub keyring: Vec<PathBuf>,
}

/// The value of `ignition.platform.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformId(String);

/// A text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("platform {0:?} may have only lower-case letters, digits and dashes")]
pub struct PlatformError(String);

impl PlatformId {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlatformId {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is done with the disk besides writing it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    /// Partitions that are saved.
    pub saved: Vec<Filter>,
    /// What is done about a disk that is in use.
    pub holders: Holders,
    /// Whether what was written is compared.
    pub comparison: Comparison,
    /// What is done with the rest of the disk.
    pub rest: Rest,
    /// What becomes of a disk on which the installation failed.
    pub failed: FailedDisk,
}

/// What is done about a disk that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holders {
    /// It is refused.
    #[default]
    Refuse,
    /// What uses it is ended.
    Release,
}

/// Whether what was written is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparison {
    /// The disk is believed.
    #[default]
    None,
    /// It is read back.
    ReadBack,
}

/// What is done with what the image does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rest {
    /// It stays on the disk; no table leads to it.
    #[default]
    Leave,
    /// What anything could recognise is erased, and the rest is discarded.
    Wipe,
}

/// What becomes of a disk on which the installation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailedDisk {
    /// Its tables are erased.
    #[default]
    Erase,
    /// It stays as it is, for finding out why; it has no boot sector.
    Preserve,
}

/// Who hears what.
#[derive(Debug, Default)]
pub struct Output {
    /// Who hears of the progress.
    pub audience: Audience,
    /// Where the report goes; `-` is stdout.
    pub report: Option<PathBuf>,
}

/// One installation.
#[derive(Debug)]
pub struct InstallRequest {
    /// The disk.
    pub device: DeviceSpec,
    /// The image.
    pub image: ImageChoice,
    /// What has to vouch for it.
    pub proof: Proof,
    /// CPU architecture that the image has to be for.
    pub architecture: Option<Arch>,
    /// What changes in `/boot`.
    pub boot: BootEdits,
    /// How often a download starts again.
    pub retries: Retries,
    /// What is done with the disk.
    pub handling: Handling,
    /// Who hears what.
    pub output: Output,
}

impl TryFrom<InstallArgs> for InstallRequest {
    type Error = anyhow::Error;

    fn try_from(mut args: InstallArgs) -> Result<Self> {
        let device = args.device.take().context("no disk is named")?;
        let output = output(&args).with_context(|| untouched(&device))?;
        let audience = output.audience.clone();
        let request = || -> Result<Self> {
            let boot = BootEdits::try_from(&args)?;
            let proof = Proof {
                digest: args.image_digest,
                unsigned: args.insecure.into(),
                keyring: args.keyring.clone(),
            };
            let failed =
                if args.preserve_on_error { FailedDisk::Preserve } else { FailedDisk::Erase };
            Ok(Self {
                device: device.clone(),
                image: image(&args)?,
                proof,
                architecture: args.architecture.or_else(Arch::of_this_program),
                boot,
                retries: args.fetch_retries,
                handling: Handling {
                    saved: saved(&args),
                    holders: if args.release_holders { Holders::Release } else { Holders::Refuse },
                    comparison: if args.verify_written {
                        Comparison::ReadBack
                    } else {
                        Comparison::None
                    },
                    rest: if args.wipe { Rest::Wipe } else { Rest::Leave },
                    failed,
                },
                output,
            })
        };
        request().with_context(|| untouched(&device)).inspect_err(|e| audience.failed(e))
    }
}

fn saved(args: &InstallArgs) -> Vec<Filter> {
    let labels = args.save_partlabel.iter().cloned().map(Filter::Label);
    labels.chain(args.save_partindex.iter().cloned().map(Filter::Index)).collect()
}

fn image(args: &InstallArgs) -> Result<ImageChoice> {
    let mut stream = stable()?;
    if let Some(base) = &args.stream_base_url {
        stream.base = base.clone();
    }
    if let Some(name) = &args.stream {
        stream.name = name.clone();
        return Ok(ImageChoice::Stream(stream));
    }
    match ImageChoice::given_or_live(args.image_file.clone(), args.image_url.clone())? {
        ImageChoice::LiveOrStream(_) if args.offline => Ok(ImageChoice::Live),
        ImageChoice::LiveOrStream(_) => Ok(ImageChoice::LiveOrStream(stream)),
        given => Ok(given),
    }
}

/// First-boot options for a disk that has an image.
#[derive(Debug)]
pub struct PostProcessRequest {
    /// The disk.
    pub device: DeviceSpec,
    /// What changes in `/boot`.
    pub boot: BootEdits,
    /// Whether it only looks.
    pub dry_run: DryRun,
}

/// Whether everything is checked and nothing done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// Nothing is written.
    Yes,
    /// It is done.
    No,
}

impl TryFrom<InstallArgs> for PostProcessRequest {
    type Error = anyhow::Error;

    fn try_from(mut args: InstallArgs) -> Result<Self> {
        let device = args.device.take().context("no disk is named")?;
        let request = || -> Result<Self> {
            let boot = BootEdits::try_from(&args)?;
            if boot.is_empty() {
                bail!("--post-process-only has nothing to do without a first-boot option");
            }
            let dry_run = if args.dry_run { DryRun::Yes } else { DryRun::No };
            Ok(Self { device: device.clone(), boot, dry_run })
        };
        request().with_context(|| untouched(&device))
    }
}

impl TryFrom<&InstallArgs> for BootEdits {
    type Error = anyhow::Error;

    fn try_from(args: &InstallArgs) -> Result<Self> {
        let appended: KernelArgs = args.append_karg.iter().cloned().collect();
        appended.check_length()?;
        if args.append_karg.iter().any(|arg| arg.name() == "console") {
            term::warning("--console would tell GRUB of the console, too; --append-karg does not");
        }
        let network = args.copy_network.then(|| NetworkSettings::read(&args.network_dir));
        Ok(Self {
            config: config(args)?,
            network: network.transpose()?.unwrap_or_default(),
            firstboot: args.firstboot_args.clone(),
            platform: args.platform.clone(),
            consoles: args.console.clone(),
            append: args.append_karg.clone(),
            delete: args.delete_karg.clone(),
        })
    }
}

fn config(args: &InstallArgs) -> Result<Option<CheckedConfig>> {
    let mut sources = args.ignition_file.clone();
    if let Some(url) = &args.ignition_url {
        let secured = args.ignition_hash.is_some() || args.insecure_ignition;
        if url.scheme() == "http" && !secured {
            return Err(anyhow!("{} is not encrypted", fetch::shown(url))).hint(
                "whoever controls the network would control the config: use https, give its \
                 digest with --ignition-hash, or accept that with --insecure-ignition",
            );
        }
        sources.push(ConfigSource::Url(url.clone()));
    }
    if args.ignition_hash.is_some() && sources.len() != 1 {
        bail!("--ignition-hash is for one config, not for {}", sources.len());
    }
    let loading = Loading { retries: args.fetch_retries, hash: args.ignition_hash.as_ref() };
    let configs: Result<Vec<CheckedConfig>> =
        sources.iter().map(|source| CheckedConfig::load(source, loading)).collect();
    Ok(CheckedConfig::merge(configs?, args.hostname.as_ref()))
}

/// Fails when a report could not be written, as long as that costs nothing.
fn check_writable(path: &Path) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".nestos-")
        .tempfile_in(dir)
        .map(drop)
        .with_context(|| format!("cannot write the report {}", path.display()))
}

fn output(args: &InstallArgs) -> Result<Output> {
    let audience = match args.progress {
        ProgressStyle::Auto => Audience::Person,
        ProgressStyle::Plain => Audience::Lines,
        ProgressStyle::None => Audience::Nobody,
        ProgressStyle::Json => {
            let file = nestos_host::inherited(args.progress_fd);
            let file = file
                .with_context(|| format!("file descriptor {} is not open", args.progress_fd))
                .hint(
                    "open it in the shell: nestos-installer ... --progress-fd 3 3>progress.json",
                )?;
            Audience::Program(Events::new(file))
        }
    };
    if let Some(path) = args.report.as_deref().filter(|path| *path != Path::new("-")) {
        check_writable(path)?;
    }
    Ok(Output { audience, report: args.report.clone() })
}

/// Returns the top line of an error that comes before the disk is touched.
pub fn untouched(device: &DeviceSpec) -> String {
    format!("cannot install on {device}; the disk was not touched")
}

/// Whether an image that nothing vouches for is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unsigned {
    /// Refused.
    #[default]
    Refuse,
    /// Accepted, as `--insecure` asks.
    Accept,
}

impl From<bool> for Unsigned {
    fn from(insecure: bool) -> Self {
        if insecure { Self::Accept } else { Self::Refuse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_plain_names() {
        assert!("openstack".parse::<PlatformId>().is_ok());
        for wrong in ["", "a b", "a;b", "QEMU"] {
            assert!(wrong.parse::<PlatformId>().is_err(), "{wrong}");
        }
    }
}
