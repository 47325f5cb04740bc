//! The health of a fresh boot: checks, verdict, boot counting.
//!
//! Whoever staged it, a deployment boots on trial ([`arm()`]). [`run()`] judges it. Between any two
//! of the effects here the power may go: the order in which they happen makes the next boot either
//! take up where this one ended, or try the deployment again with all its tries.

pub mod boot_counter;
mod checks;
pub mod grubenv;
mod units;
pub mod verdict;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use nestos_host::exit::Exit;
use tracing::{error, info, warn};

use self::verdict::{Boot, Next, Verdict, judge};
use crate::daemon::config::{self, FailedUnits, Health};
use crate::daemon::machine;
use crate::daemon::paths::Paths;
use crate::daemon::state::{DenyReason, State, Trial};
use crate::daemon::state_file::StateFile;
use crate::sysroot::{Deployer, Deployments};

/// What the checks found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What speaks against the deployment, one text each.
    pub failures: Vec<String>,
    /// All units that failed.
    pub failed_units: BTreeSet<String>,
}

/// What is left to do when the verdict has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The boot is complete.
    Complete,
    /// The machine reboots into the deployment it was rolled back to.
    Reboot,
    /// The boot is not complete, and nothing can be done about it here.
    Incomplete,
}

/// Judges this boot and acts on it: the whole of `nestos-updater health`.
pub fn run(deployer: &dyn Deployer, paths: &Paths) -> Result<Exit> {
    let settings = health_settings(paths);
    let deployments = deployer.deployments().context("cannot read the deployments")?;
    let state = StateFile::open(&paths.state)?;
    let findings = examine(&settings, paths, &deployments, &state.read()?)?;
    match conclude(deployer, paths, &state, &findings)? {
        Outcome::Complete => Ok(Exit::Done),
        Outcome::Incomplete => Ok(Exit::Failed),
        Outcome::Reboot => {
            machine::reboot()?;
            Ok(Exit::Failed)
        }
    }
}

/// Puts a staged deployment on trial: the whole of `nestos-updater arm`. It runs at shutdown, before
/// libostree finalizes the deployment; without a staged one it does nothing.
pub fn arm(deployer: &dyn Deployer, paths: &Paths) -> Result<Exit> {
    if !paths.staged.exists() || paths.staged_locked.exists() {
        return Ok(Exit::Done);
    }
    let deployments = deployer.deployments().context("cannot read the deployments")?;
    let Some(staged) = deployments.staged() else { return Ok(Exit::Done) };
    let trial = Trial {
        checksum: staged.checksum.clone(),
        digest: staged.digest.clone(),
        previous: deployments.booted().map(|d| d.checksum.clone()),
        since: machine::now(),
    };
    info!(checksum = trial.checksum, digest = trial.digest, "next boot is on trial");
    // GRUB counts even when the record cannot be written: a bad image must not be booted for ever.
    let recorded = StateFile::open(&paths.state).and_then(|f| f.update(|s| s.trial = Some(trial)));
    boot_counter::arm(paths)?;
    recorded.map(|()| Exit::Done)
}

/// Judges a boot by what the checks found and carries out the verdict, all but the reboot.
pub fn conclude(
    deployer: &dyn Deployer,
    paths: &Paths,
    file: &StateFile,
    findings: &Findings,
) -> Result<Outcome> {
    let deployments = deployer.deployments().context("cannot read the deployments")?;
    let state = file.read()?;
    let boot =
        Boot { counter: boot_counter::read(paths), state: &state, deployments: &deployments };
    let verdict = judge(&boot, &findings.failures);
    info!(?verdict, counter = ?boot.counter, "boot judged");
    let judged = Judged { deployer, paths, file };
    let outcome = judged.act(&verdict, findings, &deployments);
    // An error is no verdict: the time limit of the trial stays in force.
    if outcome.is_ok() {
        judged.leave_mark()?;
    }
    outcome
}

struct Judged<'a> {
    deployer: &'a dyn Deployer,
    paths: &'a Paths,
    file: &'a StateFile,
}

impl Judged<'_> {
    fn act(
        &self,
        verdict: &Verdict,
        findings: &Findings,
        deployments: &Deployments,
    ) -> Result<Outcome> {
        let now = machine::now();
        match verdict {
            Verdict::Ordinary => {
                self.file.update(|s| s.failed_units.clone_from(&findings.failed_units))?;
                boot_counter::clear(self.paths)?;
            }
            Verdict::Good { digest } => {
                self.file.update(|s| {
                    s.trial = None;
                    s.good.clone_from(digest);
                    s.failed_units.clone_from(&findings.failed_units);
                })?;
                boot_counter::clear(self.paths)?;
            }
            Verdict::Bad { digest, why } => {
                let reason = DenyReason::HealthCheck(why.clone());
                self.deny(digest.as_deref(), reason)?;
                self.roll_back()?;
                self.end_trial(None)?;
                return Ok(Outcome::Reboot);
            }
            Verdict::Stuck { why } => {
                error!(why, "the deployment is bad, and there is no other to go back to");
                return Ok(Outcome::Incomplete);
            }
            Verdict::FellBack { digest, next } => {
                warn!(digest, "GRUB gave up on a deployment");
                self.deny(digest.as_deref(), DenyReason::BootFailed)?;
                if *next == Next::Failed {
                    self.roll_back()?;
                }
                self.end_trial(deployments.booted().and_then(|d| d.digest.clone()))?;
            }
            Verdict::Over { rolled_back } => {
                self.file.update(|s| {
                    if let Some(digest) = rolled_back {
                        s.deny(digest, DenyReason::RolledBackByAdmin, now);
                    }
                })?;
                self.end_trial(None)?;
            }
            Verdict::Waiting => {}
        }
        Ok(Outcome::Complete)
    }

    fn deny(&self, digest: Option<&str>, reason: DenyReason) -> Result<()> {
        let Some(digest) = digest else { return Ok(()) };
        warn!(digest, %reason, "image denied");
        self.file.update(|s| s.deny(digest, reason, machine::now()))
    }

    /// Makes the other deployment the default. If the power goes before it is, the bad one boots
    /// with all its tries; if it goes after, GRUB counts for the good one, and finds it in order.
    fn roll_back(&self) -> Result<()> {
        boot_counter::arm(self.paths)?;
        let target = self.deployer.rollback().context("cannot roll back")?;
        info!(checksum = target.checksum, version = target.version, "rolled back");
        Ok(())
    }

    /// Ends the trial; the counter goes first, because the record says what it was about.
    fn end_trial(&self, good: Option<String>) -> Result<()> {
        boot_counter::clear(self.paths)?;
        self.file.update(|s| {
            s.trial = None;
            if good.is_some() {
                s.good = good;
            }
        })
    }

    fn leave_mark(&self) -> Result<()> {
        let mark = &self.paths.judged;
        let dir = mark.parent().unwrap_or(mark);
        std::fs::create_dir_all(dir)
            .and_then(|()| std::fs::write(mark, ""))
            .with_context(|| format!("cannot write {}", mark.display()))
    }
}

/// Runs all checks.
fn examine(
    settings: &Health,
    paths: &Paths,
    deployments: &Deployments,
    state: &State,
) -> Result<Findings> {
    let env = environment(deployments, state);
    let dirs = &paths.health;
    let mut failures = checks::run(dirs, checks::Weight::Required, settings.timeout, &env)?;
    checks::run(dirs, checks::Weight::Wanted, settings.timeout, &env)?;
    let failed_units = units::failed(settings.settle)?;
    let new: Vec<&String> = failed_units.difference(&state.failed_units).collect();
    if !failed_units.is_empty() {
        warn!(?failed_units, ?new, "units have failed");
    }
    if settings.failed_units == FailedUnits::Fail {
        failures.extend(new.into_iter().map(|unit| format!("{unit} failed")));
    }
    Ok(Findings { failures, failed_units })
}

fn environment(deployments: &Deployments, state: &State) -> Vec<(&'static str, String)> {
    let booted = deployments.booted();
    let text = |t: Option<&String>| t.cloned().unwrap_or_default();
    let on_trial = booted.zip(state.trial.as_ref()).is_some_and(|(b, t)| b.checksum == t.checksum);
    vec![
        ("NESTOS_ON_TRIAL", if on_trial { "1" } else { "0" }.to_owned()),
        ("NESTOS_CHECKSUM", text(booted.map(|d| &d.checksum))),
        ("NESTOS_DIGEST", text(booted.and_then(|d| d.digest.as_ref()))),
        ("NESTOS_VERSION", text(booted.and_then(|d| d.version.as_ref()))),
    ]
}

/// Reads the settings. A mistake in them is no fault of the deployment: it is judged all the same.
fn health_settings(paths: &Paths) -> Health {
    match config::load(&paths.config) {
        Ok(loaded) => loaded.settings.health,
        Err(error) => {
            warn!(error = format!("{error:#}"), "judging by the default settings");
            Health::default()
        }
    }
}
