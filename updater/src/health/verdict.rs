//! The verdict about a boot: a pure function of GRUB's counter, the trial, the deployments and the
//! failures that the checks found.

use super::boot_counter::Counter;
use crate::daemon::state::{State, Trial};
use crate::sysroot::{Deployment, Deployments};

/// What is known about a boot.
#[derive(Debug)]
pub struct Boot<'a> {
    /// What GRUB counted.
    pub counter: Counter,
    /// What the updater remembers.
    pub state: &'a State,
    /// What is deployed.
    pub deployments: &'a Deployments,
}

/// What a boot means, and so what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is on trial. What the checks found is logged; nothing is ever rolled back for it.
    Ordinary,
    /// The deployment on trial is good.
    Good {
        /// Digest of its image.
        digest: Option<String>,
    },
    /// The deployment on trial is bad, and there is another to go back to.
    Bad {
        /// Digest of its image.
        digest: Option<String>,
        /// What failed.
        why: String,
    },
    /// The deployment on trial is bad, and it is the only one.
    Stuck {
        /// What failed.
        why: String,
    },
    /// GRUB went back by itself.
    FellBack {
        /// Digest of the image that did not boot.
        digest: Option<String>,
        /// What boots next.
        next: Next,
    },
    /// The trial is over without a verdict of ours.
    Over {
        /// Digest of the image that an administrator went back from, if that is how it ended; else
        /// the deployment never came into the menu, or was judged before.
        rolled_back: Option<String>,
    },
    /// Another entry was chosen by hand; the trial waits.
    Waiting,
}

/// What boots next after GRUB went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The failed deployment, unless the order is changed.
    Failed,
    /// The booted one.
    Booted,
}

/// Judges a boot.
pub fn judge(boot: &Boot<'_>, failures: &[String]) -> Verdict {
    let Some(booted) = boot.deployments.booted() else { return Verdict::Ordinary };
    if boot.counter == Counter::FellBack && !is_trial(booted, boot.state.trial.as_ref()) {
        return fell_back(boot, booted);
    }
    match (&boot.state.trial, boot.counter) {
        (Some(trial), _) if is_trial(booted, Some(trial)) => on_trial(boot, booted, failures),
        (Some(trial), _) => elsewhere(boot, trial),
        (None, Counter::Unset) => Verdict::Ordinary,
        // Somebody armed GRUB and nobody wrote down for what.
        (None, _) if booted.digest.is_some() && booted.digest == boot.state.good => {
            Verdict::Over { rolled_back: None }
        }
        (None, _) if is_default(boot, booted) => on_trial(boot, booted, failures),
        (None, _) => Verdict::Waiting,
    }
}

fn on_trial(boot: &Boot<'_>, booted: &Deployment, failures: &[String]) -> Verdict {
    let digest = booted.digest.clone();
    let denial = digest.as_deref().and_then(|d| boot.state.denial(d));
    let why = match denial {
        // Condemned already, and the power went before it was rolled back.
        Some(denied) => denied.reason.to_string(),
        None if failures.is_empty() => return Verdict::Good { digest },
        None => failures.join("; "),
    };
    match boot.deployments.rollback_target() {
        Some(target) if target != booted => Verdict::Bad { digest, why },
        _ => Verdict::Stuck { why },
    }
}

fn fell_back(boot: &Boot<'_>, booted: &Deployment) -> Verdict {
    match boot.deployments.default_entry().filter(|d| !d.booted) {
        Some(failed) => Verdict::FellBack { digest: failed.digest.clone(), next: Next::Failed },
        // The order was changed, and the power went before the counter was cleared.
        None => {
            let trial = boot.state.trial.as_ref().filter(|t| t.checksum != booted.checksum);
            let listed = |t: &&Trial| find(boot.deployments, &t.checksum).is_some();
            let digest = trial.filter(listed).and_then(|t| t.digest.clone());
            Verdict::FellBack { digest, next: Next::Booted }
        }
    }
}

/// Judges a boot of something else than what is on trial.
fn elsewhere(boot: &Boot<'_>, trial: &Trial) -> Verdict {
    let Some(listed) = find(boot.deployments, &trial.checksum) else {
        return Verdict::Over { rolled_back: None };
    };
    let condemned = trial.digest.as_deref().is_some_and(|d| boot.state.denies(d));
    match (condemned, is_default(boot, listed)) {
        // Its rollback was begun: going on where it ended.
        (true, true) => Verdict::FellBack { digest: trial.digest.clone(), next: Next::Failed },
        // Rolled back, and the power went before the trial was ended.
        (true, false) => Verdict::Over { rolled_back: None },
        (false, false) => Verdict::Over { rolled_back: trial.digest.clone() },
        (false, true) => Verdict::Waiting,
    }
}

fn is_trial(booted: &Deployment, trial: Option<&Trial>) -> bool {
    trial.is_some_and(|t| t.checksum == booted.checksum)
}

fn is_default(boot: &Boot<'_>, deployment: &Deployment) -> bool {
    boot.deployments.default_entry() == Some(deployment)
}

fn find<'a>(deployments: &'a Deployments, checksum: &str) -> Option<&'a Deployment> {
    deployments.0.iter().find(|d| !d.staged && d.checksum == checksum)
}
