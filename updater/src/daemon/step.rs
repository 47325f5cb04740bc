//! What the service does next: one pure function of the state, what happened, the time and the
//! policy. The caller saves the state it returns, and only then does what the action says.
//!
//! It never stages a denied digest or the booted one, and asks for a reboot only into a deployment
//! that is staged, when the strategy allows it. A reboot that did not lead to its deployment is
//! counted and, in the end, denied: there is no reboot loop.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nestos_formats::image_ref::OstreeImageRef;

use super::event::{Action, Event, Happened, Waiting};
use super::policy::Policy;
use super::state::{CheckResult, DenyReason, LastCheck, Phase, Reboots, Retry, State};
use crate::sysroot::{Deployment, Deployments, Offer, Origin};

/// First pause after a failure; it doubles with every further one.
const RETRY_FIRST: Duration = Duration::from_secs(5 * 60);
/// Longest pause between attempts to stage or to reboot.
pub const RETRY_CAP: Duration = Duration::from_secs(6 * 3600);
/// Longest pause between checks that fail.
const CHECK_CAP: Duration = Duration::from_secs(3600);
/// How long a shutdown may take before the reboot counts as failed.
const REBOOT_GRACE: Duration = Duration::from_secs(10 * 60);
/// Reboots that may fail to lead to one digest.
pub const MAX_REBOOTS: u32 = 3;
/// How long to sleep when only new settings or a reboot can change anything.
const IDLE: Duration = Duration::from_secs(3 * 3600);

/// Decides: returns the new state, to be saved first, and what to do then.
pub fn step(state: State, event: &Event, now: Timestamp, policy: &Policy) -> (State, Action) {
    let mut step = Step { state, deployments: &event.deployments, now, policy };
    let action = step.take(&event.what);
    (step.state, action)
}

struct Step<'a> {
    state: State,
    deployments: &'a Deployments,
    now: Timestamp,
    policy: &'a Policy,
}

impl Step<'_> {
    fn take(&mut self, what: &Happened) -> Action {
        match what {
            Happened::Started => self.start(),
            Happened::Tick | Happened::ConfigReloaded | Happened::RebootAsked(Ok(())) => {}
            Happened::Checked(result) => {
                self.reconcile();
                if let Some(action) = self.checked(result) {
                    return action;
                }
            }
            Happened::Staged(result) => self.staged(result),
            Happened::Unstaged(result) => {
                if let (Phase::Staged { digest }, Err(error)) = (self.state.phase.clone(), result) {
                    self.fail(&digest, error);
                } else {
                    self.state.phase = Phase::Steady;
                }
            }
            Happened::RebootAsked(Err(error)) => {
                if let Phase::Rebooting { digest, .. } = self.state.phase.clone() {
                    self.fail(&digest, error);
                    self.state.phase = Phase::Staged { digest };
                }
            }
        }
        self.reconcile();
        self.decide()
    }

    /// Looks at what the last boot, or the last run of the service, has left.
    fn start(&mut self) {
        if let Phase::Rebooting { digest, .. } = self.state.phase.clone()
            && !self.is_staged(&digest)
        {
            self.state.phase = Phase::Steady;
            self.rebooted(&digest);
        }
        self.reconcile();
        let booted = self.deployments.booted().and_then(|d| d.digest.clone());
        if let (None, Some(booted)) = (&self.state.trial, booted) {
            let runs_by_default = self.deployments.default_entry().is_some_and(|d| d.booted);
            if let Some(good) = self.state.good.take_if(|good| *good != booted)
                && runs_by_default
                && self.is_finalized(&good)
            {
                // Neither an update nor a fallback led here, and the other is still in the menu:
                // somebody changed the default, with whatever tool.
                self.state.deny(&good, DenyReason::RolledBackByAdmin, self.now);
            }
            self.state.good = Some(booted);
        }
    }

    /// Judges a reboot that was asked for `digest`.
    fn rebooted(&mut self, digest: &str) {
        let booted = self.deployments.booted().and_then(|d| d.digest.as_deref());
        if booted == Some(digest) {
            self.state.reboots = None;
            self.state.retry = None;
            // Were there no health check on this system, this would be the verdict.
            if self.state.trial.is_none() {
                self.state.good = Some(digest.to_owned());
            }
        } else if self.state.trial.is_some() {
            // The health check has the last word.
        } else if self.is_finalized(digest) {
            self.state.deny(digest, DenyReason::BootFailed, self.now);
        } else {
            let before = self.state.reboots.take().filter(|r| r.digest == digest);
            let count = before.map_or(0, |r| r.count).saturating_add(1);
            self.state.reboots = Some(Reboots { digest: digest.to_owned(), count });
            if count >= MAX_REBOOTS {
                self.state.deny(digest, DenyReason::NeverFinalized, self.now);
            }
            self.fail(digest, "the machine rebooted, but the deployment is not in the boot menu");
        }
    }

    /// Makes the phase agree with what is deployed.
    fn reconcile(&mut self) {
        match self.state.phase.clone() {
            Phase::Steady => {}
            Phase::Staging { digest } if self.is_staged(&digest) => {
                self.state.phase = Phase::Staged { digest };
            }
            Phase::Staging { digest } => {
                self.fail(&digest, "staging was interrupted");
                self.state.phase = self.adopted();
            }
            Phase::Staged { digest } | Phase::Rebooting { digest, .. }
                if !self.is_staged(&digest) =>
            {
                self.state.phase = Phase::Steady;
            }
            Phase::Staged { .. } => {}
            Phase::Rebooting { digest, since } => {
                let over = since.checked_add(REBOOT_GRACE).is_ok_and(|end| self.now >= end);
                // A time in the future is a clock that was set back.
                if over || since > self.now {
                    self.fail(&digest, "the machine did not go down");
                    self.state.phase = Phase::Staged { digest };
                }
            }
        }
    }

    /// Takes in what the source said; returns the action if that alone decides it.
    fn checked(&mut self, result: &Result<Offer, String>) -> Option<Action> {
        let checks = &mut self.state.checks;
        let pause = match result {
            Ok(_) => {
                checks.failures = 0;
                self.policy.steady_interval
            }
            Err(_) => {
                checks.failures = checks.failures.saturating_add(1);
                let longest = CHECK_CAP.max(self.policy.steady_interval);
                doubled(self.policy.steady_interval, checks.failures, longest)
            }
        };
        let jitter = pause.saturating_mul(self.policy.jitter_percent.min(100)) / 100;
        checks.next = Some(after(self.now, pause.saturating_add(jitter)));
        let (found, action) = match result {
            Ok(offer) => self.judge(offer),
            Err(error) => (CheckResult::Failed(error.clone()), None),
        };
        self.state.checks.last = Some(LastCheck { at: self.now, result: found });
        action
    }

    /// Judges an offer; what is new begins to be staged.
    fn judge(&mut self, offer: &Offer) -> (CheckResult, Option<Action>) {
        let digest = offer.digest.clone();
        let is = |d: &Deployment| d.digest.as_ref() == Some(&digest);
        let found = CheckResult::Update(digest.clone());
        let (true, Some((booted, image))) = (self.may_change(), followed(self.deployments)) else {
            return (found, None);
        };
        if self.deployments.staged().is_some_and(|d| d.origin != booted.origin) {
            return (CheckResult::Foreign, None);
        }
        if is(booted) {
            let ours = matches!(self.state.phase, Phase::Staged { .. });
            // The tag went back to what runs: what was staged is not wanted any more.
            return (CheckResult::UpToDate, ours.then_some(Action::Unstage));
        }
        if self.state.denies(&digest) {
            return (CheckResult::Denied(digest), None);
        }
        if self.deployments.staged().is_some_and(is) {
            if !matches!(self.state.phase, Phase::Rebooting { .. }) {
                self.state.phase = Phase::Staged { digest };
            }
            return (CheckResult::UpToDate, None);
        }
        if self.deployments.default_entry().is_some_and(is) {
            return (CheckResult::UpToDate, None);
        }
        if let Some(version) = older(offer, booted).filter(|_| !self.policy.allow_downgrade) {
            return (CheckResult::Downgrade(version), None);
        }
        if self.pause(Some(&digest)).is_some()
            || matches!(self.state.phase, Phase::Rebooting { .. })
        {
            return (found, None);
        }
        self.state.phase = Phase::Staging { digest: digest.clone() };
        (found, Some(Action::Stage { image: image.clone(), digest }))
    }

    fn staged(&mut self, result: &Result<String, String>) {
        let Phase::Staging { digest } = self.state.phase.clone() else { return };
        match result {
            Ok(_) if self.is_staged(&digest) => {
                self.state.retry.take_if(|r| r.digest == digest);
                self.state.phase = Phase::Staged { digest };
            }
            Ok(_) => {
                self.fail(&digest, "it was staged, and then it was not there");
                self.state.phase = self.adopted();
            }
            Err(error) => {
                self.fail(&digest, error);
                self.state.phase = self.adopted();
            }
        }
    }

    fn decide(&mut self) -> Action {
        if !self.policy.enabled {
            return Action::Sleep(IDLE, Waiting::Disabled);
        }
        let Some((_, image)) = followed(self.deployments) else {
            return Action::Sleep(IDLE, Waiting::NoImage);
        };
        if !self.may_change() {
            return self.sleep(self.policy.steady_interval, Waiting::Verdict);
        }
        if let Phase::Rebooting { since, .. } = self.state.phase {
            return self.sleep(left(self.now, after(since, REBOOT_GRACE)), Waiting::Shutdown);
        }
        let next_check = self.until_check();
        let Phase::Staged { digest } = self.state.phase.clone() else {
            return if next_check.is_zero() {
                Action::Check(image.clone())
            } else {
                self.sleep(next_check, Waiting::Check)
            };
        };
        let pause = self.pause(Some(&digest));
        if self.state.denies(&digest) && pause.is_none() {
            return Action::Unstage;
        }
        if next_check.is_zero() {
            return Action::Check(image.clone());
        }
        if let Some(pause) = pause {
            return self.sleep(pause.min(next_check), Waiting::Retry);
        }
        let wait = self.policy.strategy.wait(self.now);
        if !wait.is_zero() {
            return self.sleep(wait.min(next_check), Waiting::Window);
        }
        self.state.phase = Phase::Rebooting { digest: digest.clone(), since: self.now };
        Action::Reboot { digest }
    }

    /// Returns whether deployments may be changed: not while one has no verdict yet.
    fn may_change(&self) -> bool {
        let staged = self.deployments.staged().map(|d| &d.checksum);
        self.state.trial.as_ref().is_none_or(|trial| Some(&trial.checksum) == staged)
            && self.policy.enabled
    }

    /// Returns the phase for a deployment that is staged though it was not the last attempt.
    fn adopted(&self) -> Phase {
        let booted = self.deployments.booted();
        let staged = self.deployments.staged();
        let same = staged.filter(|s| booted.is_some_and(|b| b.origin == s.origin));
        match same.and_then(|s| s.digest.clone()).filter(|d| !self.state.denies(d)) {
            Some(digest) => Phase::Staged { digest },
            None => Phase::Steady,
        }
    }

    fn fail(&mut self, digest: &str, error: &str) {
        let before = self.state.retry.take().filter(|r| r.digest == digest);
        let failures = before.map_or(0, |r| r.failures).saturating_add(1);
        self.state.retry = Some(Retry {
            digest: digest.to_owned(),
            failures,
            until: after(self.now, doubled(RETRY_FIRST, failures - 1, RETRY_CAP)),
            error: error.to_owned(),
        });
    }

    /// Returns how long attempts for `digest` have to wait, if they do.
    fn pause(&self, digest: Option<&str>) -> Option<Duration> {
        let retry = self.state.retry.as_ref().filter(|r| digest == Some(r.digest.as_str()))?;
        let left = left(self.now, retry.until);
        // More than the longest pause is a clock that was set back.
        (!left.is_zero() && left <= RETRY_CAP).then_some(left)
    }

    fn until_check(&self) -> Duration {
        let left = self.state.checks.next.map_or(Duration::ZERO, |next| left(self.now, next));
        let longest = CHECK_CAP.max(self.policy.steady_interval).saturating_mul(2);
        if left > longest { Duration::ZERO } else { left }
    }

    fn sleep(&self, time: Duration, why: Waiting) -> Action {
        Action::Sleep(time.max(Duration::from_secs(1)), why)
    }

    fn is_staged(&self, digest: &str) -> bool {
        self.deployments.staged().is_some_and(|d| d.digest.as_deref() == Some(digest))
    }

    fn is_finalized(&self, digest: &str) -> bool {
        self.deployments.0.iter().any(|d| !d.staged && d.digest.as_deref() == Some(digest))
    }
}

/// Returns the booted deployment and the image it follows, if it came from one.
fn followed(deployments: &Deployments) -> Option<(&Deployment, &OstreeImageRef)> {
    let booted = deployments.booted()?;
    match &booted.origin {
        Origin::Image(image) => Some((booted, image)),
        Origin::Refspec(_) | Origin::Unknown(_) => None,
    }
}

/// Returns the offered version if it is older than the booted one. Versions that are not numbers
/// with dots cannot be compared: then the tag's owner knows best.
fn older(offer: &Offer, booted: &Deployment) -> Option<String> {
    let numbers = |v: &str| v.split('.').map(|n| n.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    let offered = offer.version.as_deref()?;
    let older = numbers(offered)? < numbers(booted.version.as_deref()?)?;
    older.then(|| offered.to_owned())
}

/// Returns `first` doubled `times` times, at most `longest`.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.min(31))).min(longest)
}

fn after(time: Timestamp, pause: Duration) -> Timestamp {
    time.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// Returns the time from `now` to `then`; none if it has passed.
fn left(now: Timestamp, then: Timestamp) -> Duration {
    let left: SignedDuration = now.duration_until(then);
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}
