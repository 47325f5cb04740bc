//! What to install where: the arguments after everything that needs no disk was checked.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use nestos_formats::kargs::KernelArgs;
use nestos_host::term::WithHint;
use reqwest::Url;
use thiserror::Error;

use crate::boot::BootEdits;
use crate::cli::InstallArgs;
use crate::config::{CheckedConfig, ConfigSource};
use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::live;
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

/// One installation.
#[derive(Debug)]
pub struct InstallRequest {
    /// The disk.
    pub device: PathBuf,
    /// The image.
    pub image: ImageSource,
    /// What vouches for the image.
    pub trust: Trust,
    /// What changes in `/boot`.
    pub boot: BootEdits,
    /// How often a download starts again.
    pub retries: Retries,
}

impl TryFrom<InstallArgs> for InstallRequest {
    type Error = anyhow::Error;

    fn try_from(args: InstallArgs) -> Result<Self> {
        let retries = Retries::from(args.fetch_retries);
        let given = args.image_file.map(ImageSource::File).or(args.image_url.map(ImageSource::Url));
        let vouching = Vouching { digest: args.image_digest, insecure: args.insecure.into() };
        let untouched = || untouched(&args.device);
        let (image, trust) = choose_image(given, vouching).with_context(untouched)?;
        let source = args.ignition_file.or(args.ignition_url.map(ConfigSource::Url));
        let config = source.map(|s| CheckedConfig::load(&s, retries)).transpose();
        let appended: KernelArgs = args.append_karg.iter().cloned().collect();
        appended.check_length().with_context(untouched)?;
        let boot = BootEdits {
            config: config.with_context(untouched)?,
            platform: args.platform,
            consoles: args.console,
            append: args.append_karg,
            delete: args.delete_karg,
        };
        Ok(Self { device: args.device, image, trust, boot, retries })
    }
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
