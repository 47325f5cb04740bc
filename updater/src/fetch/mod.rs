//! Where images come from: registries, and everything else through skopeo.

use std::io::Read;

use anyhow::Result;
use oci_spec::image::Descriptor;

/// A manifest as it was received.
#[derive(Debug, Clone)]
pub struct RawManifest {
    /// `sha256:HEX` of `bytes`.
    pub digest: String,
    /// The bytes, verified against the digest where one was asked for.
    pub bytes: Vec<u8>,
}

/// One image at its source. Calls may come from several threads at once.
pub trait ImageSource: Send + Sync {
    /// Fetches the manifest of this machine's architecture (an index is resolved).
    fn manifest(&self) -> Result<RawManifest>;

    /// Opens a blob. The reader fails at the end, instead of saying "end", when size or digest are
    /// not those of the descriptor; so only a reader that was drained was verified.
    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>>;
}
