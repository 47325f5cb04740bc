//! Where images come from: registries by our own client (<https://github.com/opencontainers/distribution-spec>),
//! and everything else through skopeo. Whatever the source, a manifest and a blob count only when
//! they have the digest that was asked for.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use nestos_formats::image_ref::{ImageRef, RegistryName, Transport};
use oci_spec::image::Descriptor;
use thiserror::Error;

mod authorization;
mod certificates;
pub mod challenge;
pub mod credentials;
mod download;
mod endpoint;
mod failure;
mod manifest;
mod proxy;
pub mod registries_conf;
mod registry;
mod verified;

pub use verified::Verified;

/// How long the other side may be silent.
const STALL: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a failed request is repeated.
const RETRIES: u32 = 3;
/// The pause before the first repetition; each further one is twice as long.
const BACKOFF: Duration = Duration::from_secs(1);

/// A manifest as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    /// `sha256:HEX` of `bytes`; of the original where skopeo made an OCI manifest of a Docker one.
    pub digest: String,
    /// The bytes, verified against the digest where one was asked for.
    pub bytes: Vec<u8>,
}

/// One image at its source. Calls may come from several threads at once.
pub trait ImageSource: Send + Sync {
    /// Fetches the manifest of this machine's architecture (an index is resolved).
    fn manifest(&self) -> Result<RawManifest>;

    /// Returns the digest that [`Self::manifest`] would return now, as cheaply as the source can.
    fn digest(&self) -> Result<String> {
        self.manifest().map(|manifest| manifest.digest)
    }

    /// Opens a blob. The reader fails at the end, instead of saying "end", when size or digest are
    /// not those of the descriptor; so only a reader that was drained was verified.
    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>>;
}

/// What a source needs to know about the machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where `etc/containers` and the credential files are looked up: `/`.
    pub root: PathBuf,
    /// Architecture of the machine by its OCI name, such as `amd64`.
    pub arch: String,
    /// Credentials that come first, as given on a command line or in our settings.
    pub authfile: Option<PathBuf>,
    /// Credentials that come second: `$REGISTRY_AUTH_FILE`.
    pub environment_authfile: Option<PathBuf>,
    /// How long the other side may be silent before the connection is made anew.
    pub stall: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How often a failed request is repeated.
    pub retries: u32,
    /// The pause before the first repetition.
    pub backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            arch: oci_architecture(std::env::consts::ARCH).to_owned(),
            authfile: None,
            environment_authfile: std::env::var_os("REGISTRY_AUTH_FILE").map(PathBuf::from),
            stall: STALL,
            connect: CONNECT,
            retries: RETRIES,
            backoff: BACKOFF,
        }
    }
}

/// Why an image could not be fetched, where that decides what a caller does next. It is found by
/// downcasting; what comes without it is a fault of the image, the network or the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The source answers, and has no such image.
    #[error("no such {what} on {host}")]
    NotFound {
        /// What was asked for, such as `tag nestos:v1`.
        what: String,
        /// Where.
        host: String,
    },
    /// The source wants other credentials.
    #[error("{host} denies access to {repository}: {reason}")]
    Denied {
        /// Where.
        host: String,
        /// To what.
        repository: String,
        /// What the source said.
        reason: String,
    },
    /// The source answers with another error. Less than 500 (and not 408 or 429) is no passing one.
    #[error("{host} answers {status}{reason} when asked for {what}")]
    Answer {
        /// Where.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its name, and what the source said.
        reason: String,
        /// What was asked for.
        what: String,
    },
    /// The image is there, and its digest is not the one that was asked for.
    #[error("{image} has the digest {found}, not {expected}")]
    OtherDigest {
        /// The image.
        image: String,
        /// What is there.
        found: String,
        /// What was asked for.
        expected: String,
    },
}

/// Opens an image at its source. Nothing is asked of a registry yet.
pub fn open(image: &ImageRef, options: &Options) -> Result<Box<dyn ImageSource>> {
    match image.transport {
        Transport::Registry => {
            let name: RegistryName = image.name.parse()?;
            Ok(Box::new(registry::Registry::open(name, options)?))
        }
        Transport::Oci
        | Transport::OciArchive
        | Transport::DockerArchive
        | Transport::ContainersStorage
        | Transport::Dir => Ok(Box::new(proxy::Proxied::open(image, options)?)),
    }
}

/// Opens exactly the image with this digest: a registry is asked by it, and another source must
/// have it.
pub fn open_pinned(
    image: &ImageRef,
    digest: &str,
    options: &Options,
) -> Result<Box<dyn ImageSource>> {
    if image.transport != Transport::Registry {
        return Ok(expect_digest(open(image, options)?, image, digest));
    }
    let name: RegistryName = image.name.parse()?;
    if let Some(other) = name.digest.as_deref().filter(|d| *d != digest) {
        bail!("{image} is pinned to {other}, and {digest} was asked for");
    }
    let base = image.name.split('@').next().unwrap_or_default();
    let pinned = ImageRef { transport: image.transport, name: format!("{base}@{digest}") };
    open(&pinned, options)
}

/// Wraps a source so that it has the manifest with this digest, or fails.
pub fn expect_digest(
    source: Box<dyn ImageSource>,
    image: &ImageRef,
    digest: &str,
) -> Box<dyn ImageSource> {
    Box::new(Expecting { source, image: image.to_string(), digest: digest.to_owned() })
}

struct Expecting {
    source: Box<dyn ImageSource>,
    image: String,
    digest: String,
}

impl Expecting {
    fn check(&self, found: &str) -> Result<()> {
        if found == self.digest {
            return Ok(());
        }
        let (image, found) = (self.image.clone(), found.to_owned());
        Err(FetchError::OtherDigest { image, found, expected: self.digest.clone() }.into())
    }
}

impl ImageSource for Expecting {
    fn manifest(&self) -> Result<RawManifest> {
        let manifest = self.source.manifest()?;
        self.check(&manifest.digest)?;
        Ok(manifest)
    }

    fn digest(&self) -> Result<String> {
        let digest = self.source.digest()?;
        self.check(&digest)?;
        Ok(digest)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>> {
        self.source.blob(descriptor)
    }
}

/// Returns the OCI name of an architecture that Rust and the kernel call otherwise.
fn oci_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        other => other,
    }
}
