//! What to install where: the arguments after everything that needs no disk was checked.

mod from_args;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use nestos_formats::disk_layout::Arch;
use reqwest::Url;
use thiserror::Error;

use crate::boot::BootEdits;
use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::live::LiveSystem;
use crate::progress::Audience;
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
    /// A file of the live system that is running.
    Live(PathBuf),
    /// Put together from the objects of the live system that is running.
    Rebuilt {
        /// What describes the image.
        osmet: PathBuf,
        /// The objects.
        repository: PathBuf,
        /// What the image's digest has to be.
        digest: Digest,
    },
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Live(path) | Self::Rebuilt { osmet: path, .. } => {
                path.display().fmt(f)
            }
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
    Live(LiveSystem),
    /// The live medium's own; where there is none, the newest of a stream.
    LiveOrStream(LiveSystem, StreamSource),
}

impl ImageChoice {
    /// Takes a file or an address that was given, else the live medium's image.
    pub fn given_or_live(file: Option<PathBuf>, url: Option<Url>) -> Result<Self> {
        let given = file.map(Self::File).or(url.map(Self::Url));
        given.map_or_else(|| Ok(Self::LiveOrStream(LiveSystem::running(), stable()?)), Ok)
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
    /// It stays as it is, for finding out why.
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
