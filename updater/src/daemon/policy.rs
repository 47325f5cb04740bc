//! What the settings say about updates: whether, how often, and when to reboot.

use std::time::Duration;

use jiff::Timestamp;

use super::calendar::Calendar;

/// What the settings say about updates.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether anything is done at all.
    pub enabled: bool,
    /// Whether an older version is taken.
    pub allow_downgrade: bool,
    /// Time between checks.
    pub steady_interval: Duration,
    /// When to reboot.
    pub strategy: Strategy,
    /// How much longer to wait before the next check, in percent: drawn anew for every step, so
    /// that machines which started together do not ask together.
    pub jitter_percent: u32,
}

/// When the machine may reboot into what is staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// At once.
    Immediate,
    /// In the windows of a week.
    Periodic(Calendar),
}

impl Strategy {
    /// Returns how long the reboot has to wait.
    pub(super) fn wait(&self, now: Timestamp) -> Duration {
        match self {
            Self::Immediate => Duration::ZERO,
            Self::Periodic(calendar) => calendar.until_open(now),
        }
    }
}
