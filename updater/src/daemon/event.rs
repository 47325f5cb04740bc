//! What the service is told, and what it is to do: the two ends of [`super::step::step`].

use std::fmt;
use std::time::Duration;

use nestos_formats::image_ref::OstreeImageRef;

use crate::sysroot::{Deployments, Offer};

/// Something that happened, and what is deployed after it.
#[derive(Debug, Clone)]
pub struct Event {
    /// What is deployed.
    pub deployments: Deployments,
    /// What happened.
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The service started.
    Started,
    /// The sleep is over.
    Tick,
    /// There are new settings.
    ConfigReloaded,
    /// The source was asked.
    Checked(Result<Offer, String>),
    /// The image with the digest was staged, or not.
    Staged(Result<String, String>),
    /// The staged deployment was dropped, or not.
    Unstaged(Result<(), String>),
    /// The reboot was asked for: the machine goes down, or it was refused.
    RebootAsked(Result<(), String>),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the source.
    Check(OstreeImageRef),
    /// Import and stage.
    Stage {
        /// The reference that is followed.
        image: OstreeImageRef,
        /// The digest it led to.
        digest: String,
    },
    /// Drop the staged deployment.
    Unstage,
    /// Reboot into the staged deployment.
    Reboot {
        /// Digest of its image.
        digest: String,
    },
    /// Wait.
    Sleep(Duration, Waiting),
}

/// What the service waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// New settings: updates are off.
    Disabled,
    /// A reboot into an image: what is booted is none.
    NoImage,
    /// The verdict about the deployment on trial.
    Verdict,
    /// The next check.
    Check,
    /// A window for the reboot.
    Window,
    /// The end of a pause after a failure.
    Retry,
    /// The end of the shutdown.
    Shutdown,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "updates are disabled",
            Self::NoImage => "the booted deployment follows no image",
            Self::Verdict => "a deployment is on trial",
            Self::Check => "waiting for the next check",
            Self::Window => "an update is staged, waiting for a window to reboot",
            Self::Retry => "an attempt failed, waiting to repeat it",
            Self::Shutdown => "rebooting",
        })
    }
}
