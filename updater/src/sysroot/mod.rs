//! The deployments of this machine. What decides works on these values, and acts through
//! [`Deployer`]; the real one is libostree's sysroot.

mod system;

use anyhow::Result;
use nestos_formats::image_ref::OstreeImageRef;

pub use system::{System, pull_into};

/// Where a deployment's content comes from: `[origin]` of its `.origin` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `container-image-reference`.
    Image(OstreeImageRef),
    /// `refspec`: a branch of an ostree repository, as on a node before its first rebase.
    Refspec(String),
    /// Neither, or something that cannot be read; the text says what was found.
    Unknown(String),
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Checksum of its commit (the merge commit, for an image).
    pub checksum: String,
    /// Serial number beside others of the same commit.
    pub serial: u32,
    /// Stateroot ("os name").
    pub stateroot: String,
    /// Where it came from.
    pub origin: Origin,
    /// Digest of its image's manifest, when it is an image.
    pub digest: Option<String>,
    /// Version of the system, as its commit or image says.
    pub version: Option<String>,
    /// When its content was made, in seconds since 1970-01-01 UTC.
    pub timestamp: u64,
    /// It runs now.
    pub booted: bool,
    /// It is staged: written to the boot menu at shutdown.
    pub staged: bool,
    /// It is never removed automatically.
    pub pinned: bool,
}

/// All deployments, in the order of the boot menu (a staged one first).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployments(pub Vec<Deployment>);

impl Deployments {
    /// Returns the one that runs.
    pub fn booted(&self) -> Option<&Deployment> {
        self.0.iter().find(|d| d.booted)
    }

    /// Returns the one that waits for the shutdown.
    pub fn staged(&self) -> Option<&Deployment> {
        self.0.iter().find(|d| d.staged)
    }

    /// Returns the one that boots by default now, with a staged one left aside.
    pub fn default_entry(&self) -> Option<&Deployment> {
        self.0.iter().find(|d| !d.staged)
    }

    /// Returns what [`Deployer::rollback`] would make the default.
    pub fn rollback_target(&self) -> Option<&Deployment> {
        let finalized: Vec<_> = self.0.iter().filter(|d| !d.staged).collect();
        let (_, others) = finalized.split_first()?;
        // Of a system that does not run, the second one is what ran before.
        others.iter().find(|d| d.booted).or_else(|| others.first()).copied()
    }
}

/// What a source offers under a reference now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Digest of the manifest.
    pub digest: String,
    /// Version by the image's label.
    pub version: Option<String>,
}

/// Acts on the deployments of a machine. Every call is whole: it is done when it returns, or
/// nothing of it counts.
pub trait Deployer {
    /// Reads what is deployed.
    fn deployments(&self) -> Result<Deployments>;

    /// Asks the source what it offers; nothing is written.
    fn check(&self, image: &OstreeImageRef) -> Result<Offer>;

    /// Imports exactly the image with this digest, and stages it under the reference `image`.
    fn stage(&self, image: &OstreeImageRef, digest: &str) -> Result<Deployment>;

    /// Drops the staged deployment, if there is one.
    fn unstage(&self) -> Result<()>;

    /// Makes another deployment the default: the second in the menu when the first is booted, else
    /// the booted one. A staged one is dropped. Returns the new default.
    fn rollback(&self) -> Result<Deployment>;
}
