//! What to install where: the arguments after everything that needs no disk was checked.

use std::fmt;
use std::path::PathBuf;
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
use crate::live;
use crate::progress::{Audience, Events};
use crate::trust::Trust;

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
#[derive(Debug, Default)]
pub struct Handling {
    /// What becomes of a disk on which the installation failed.
    pub failed: FailedDisk,
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
    pub device: PathBuf,
    /// The image.
    pub image: ImageSource,
    /// What vouches for the image.
    pub trust: Trust,
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
        let request = || -> Result<Self> {
            let output = output(&args)?;
            let boot = BootEdits::try_from(&args)?;
            let file = args.image_file.map(ImageSource::File);
            let given = file.or(args.image_url.map(ImageSource::Url));
            let vouching = Vouching { digest: args.image_digest, insecure: args.insecure.into() };
            let (image, trust) = choose_image(given, vouching)?;
            let failed =
                if args.preserve_on_error { FailedDisk::Preserve } else { FailedDisk::Erase };
            Ok(Self {
                device: device.clone(),
                image,
                trust,
                architecture: args.architecture.or_else(Arch::of_this_program),
                boot,
                retries: args.fetch_retries,
                handling: Handling { failed },
                output,
            })
        };
        request().with_context(|| untouched(&device))
    }
}

/// First-boot options for a disk that has an image.
#[derive(Debug)]
pub struct PostProcessRequest {
    /// The disk.
    pub device: PathBuf,
    /// What changes in `/boot`.
    pub boot: BootEdits,
    /// Who hears what.
    pub output: Output,
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
            Ok(Self { device: device.clone(), boot, output: output(&args)? })
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
    Ok(Output { audience, report: args.report.clone() })
}

/// Returns the top line of an error that comes before the disk is touched.
pub fn untouched(device: &std::path::Path) -> String {
    format!("cannot install on {}; the disk was not touched", device.display())
}

/// Whether an image that nothing vouches for is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// Refused.
    Refuse,
    /// Accepted, as `--insecure` asks.
    Accept,
}

impl From<bool> for Unsigned {
    fn from(insecure: bool) -> Self {
        if insecure { Self::Accept } else { Self::Refuse }
    }
}

/// What the command line says about trust.
#[derive(Debug, Clone, Copy)]
pub struct Vouching {
    /// `--image-digest`.
    pub digest: Option<Digest>,
    /// `--insecure`.
    pub insecure: Unsigned,
}

/// Settles which image is written and what vouches for it; without a given one, the live
/// medium's.
pub fn choose_image(
    given: Option<ImageSource>,
    vouching: Vouching,
) -> Result<(ImageSource, Trust)> {
    let image = match given {
        Some(image) => image,
        None => live::image()
            .map(ImageSource::Live)
            .ok_or_else(|| anyhow!("no image was given, and no live medium offers one"))
            .hint(format!(
                "give --image-file or --image-url; a live medium's image is looked for in {}",
                live::DIRECTORIES.join(", ")
            ))?,
    };
    let trust = match (vouching.digest, vouching.insecure, &image) {
        (Some(digest), _, _) => Trust::Digest(digest),
        (None, _, ImageSource::Live(_)) => Trust::LiveMedium,
        (None, Unsigned::Accept, _) => Trust::Insecure,
        (None, Unsigned::Refuse, _) => {
            return Err(anyhow!("nothing vouches for the image {image}")).hint(
                "give its digest with --image-digest sha256:HEX, or accept it unverified with \
                 --insecure",
            );
        }
    };
    Ok((image, trust))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_from_elsewhere_needs_a_digest_or_insecure() {
        let file = || Some(ImageSource::File(PathBuf::from("x.raw")));
        let digest = Digest::from([1; 32]);
        let vouch = |digest, insecure| Vouching { digest, insecure };
        assert!(choose_image(file(), vouch(None, Unsigned::Refuse)).is_err());
        let (_, trust) = choose_image(file(), vouch(None, Unsigned::Accept)).unwrap();
        assert_eq!(trust, Trust::Insecure);
        // A digest is checked even when an unverified image would be accepted.
        let (_, trust) = choose_image(file(), vouch(Some(digest), Unsigned::Accept)).unwrap();
        assert_eq!(trust, Trust::Digest(digest));
    }

    #[test]
    fn platforms_have_plain_names() {
        assert!("openstack".parse::<PlatformId>().is_ok());
        for wrong in ["", "a b", "a;b", "QEMU"] {
            assert!(wrong.parse::<PlatformId>().is_err(), "{wrong}");
        }
    }
}
