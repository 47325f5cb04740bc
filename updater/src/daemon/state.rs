//! What the updater remembers across restarts and boots.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The content of `state.json`. It is saved before what it says is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Digests that are never staged by the service. First in the file: it matters most.
    pub denied: Vec<Denied>,
    /// What the service is about.
    pub phase: Phase,
    /// The deployment that is finalized, or about to be, and has no verdict yet.
    pub trial: Option<Trial>,
    /// Digest of the last deployment that passed the health check, or was found running.
    pub good: Option<String>,
    /// Units that had failed when the last good boot was judged.
    pub failed_units: BTreeSet<String>,
    /// Checks for updates.
    pub checks: Checks,
    /// The digest whose staging or reboot failed, and when to try again.
    pub retry: Option<Retry>,
    /// Reboots asked for, for one digest.
    pub reboots: Option<Reboots>,
}

/// What the service is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Phase {
    /// It waits for something new.
    #[default]
    Steady,
    /// It imports an image.
    Staging {
        /// Digest of the image.
        digest: String,
    },
    /// A deployment waits for the reboot.
    Staged {
        /// Digest of its image.
        digest: String,
    },
    /// It asked for the reboot.
    Rebooting {
        /// Digest of the staged image.
        digest: String,
        /// When it asked.
        since: Timestamp,
    },
}

/// A digest that is not taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// Digest of the image's manifest.
    pub digest: String,
    /// Why.
    pub reason: DenyReason,
    /// Since when.
    pub at: Timestamp,
}

/// Why a digest is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum DenyReason {
    /// It booted, and the health check said no: the text names what failed.
    HealthCheck(String),
    /// It did not get as far as the health check, and GRUB fell back.
    BootFailed,
    /// It was staged and the machine rebooted, several times, yet it never came into the menu.
    NeverFinalized,
    /// An administrator went back from it.
    RolledBackByAdmin,
    /// The state file was damaged; that the digest was denied is all that could be read.
    Unreadable,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HealthCheck(what) => write!(f, "failed its health check: {what}"),
            Self::BootFailed => f.write_str("did not boot"),
            Self::NeverFinalized => f.write_str("never came into the boot menu"),
            Self::RolledBackByAdmin => f.write_str("rolled back by an administrator"),
            Self::Unreadable => f.write_str("denied for a reason that could not be read"),
        }
    }
}

/// A deployment without a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Checksum of its commit.
    pub checksum: String,
    /// Digest of its image, when it is one.
    pub digest: Option<String>,
    /// Checksum of the deployment it was staged from.
    pub previous: Option<String>,
    /// When the trial began.
    pub since: Timestamp,
}

/// Checks for updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checks {
    /// Failures in a row.
    pub failures: u32,
    /// The service does not check before this.
    pub next: Option<Timestamp>,
    /// The last one.
    pub last: Option<LastCheck>,
}

/// The last check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheck {
    /// When it ended.
    pub at: Timestamp,
    /// What it found.
    pub result: CheckResult,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum CheckResult {
    /// The tag names what runs, or what boots next.
    UpToDate,
    /// The tag names another image: its digest.
    Update(String),
    /// The tag names a denied image: its digest.
    Denied(String),
    /// The tag names an older version, which the settings do not allow: the version.
    Downgrade(String),
    /// Another image was staged by somebody else, and is left alone.
    Foreign,
    /// The source could not be asked: why.
    Failed(String),
}

/// Something about a digest that failed and is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The digest.
    pub digest: String,
    /// Failures in a row.
    pub failures: u32,
    /// When to try again.
    pub until: Timestamp,
    /// What went wrong the last time.
    pub error: String,
}

/// Reboots asked for, for one digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboots {
    /// The digest.
    pub digest: String,
    /// How many did not lead to it.
    pub count: u32,
}

impl State {
    /// Returns why a digest is denied, if it is.
    pub fn denial(&self, digest: &str) -> Option<&Denied> {
        self.denied.iter().find(|d| d.digest == digest)
    }

    /// Returns whether a digest is denied.
    pub fn denies(&self, digest: &str) -> bool {
        self.denial(digest).is_some()
    }

    /// Denies a digest; the first reason stays.
    pub fn deny(&mut self, digest: &str, reason: DenyReason, at: Timestamp) {
        if !self.denies(digest) {
            self.denied.push(Denied { digest: digest.to_owned(), reason, at });
        }
    }

    /// Allows a digest again, as when an administrator asks for it by name.
    pub fn allow(&mut self, digest: &str) {
        self.denied.retain(|d| d.digest != digest);
        self.reboots.take_if(|r| r.digest == digest);
        self.retry.take_if(|r| r.digest == digest);
    }

    /// Records that an administrator goes back from `from`: it is denied. A trial of it ends with the
    /// next boot, where the health check also sees what GRUB counted.
    pub fn roll_back_by_admin(&mut self, from: Option<&str>, at: Timestamp) {
        if let Some(digest) = from {
            self.deny(digest, DenyReason::RolledBackByAdmin, at);
        }
        self.phase = Phase::Steady;
        // What is booted next is no surprise: without this, the service would take it for one.
        self.good = None;
    }
}
