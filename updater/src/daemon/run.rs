//! The loop of the service: asks [`step`] what to do, saves the state, does it, and tells how it
//! went. What happens in between is in no variable: whoever changes the state is heard.

use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::exit::Exit;
use tracing::{error, info, warn};

use super::config::{self, Settings};
use super::event::{Action, Event, Happened};
use super::machine::{Machine, Notice, ThisMachine, Woken};
use super::paths::Paths;
use super::policy::Policy;
use super::state::{Phase, State};
use super::state_file::StateFile;
use super::step::step;
use crate::sysroot::Deployer;

/// Pause before the deployments are read again when they could not be.
const SYSROOT_PAUSE: Duration = Duration::from_secs(60);

/// Runs the service on this machine until it is told to end.
pub fn run(deployer: &dyn Deployer, paths: &Paths) -> Result<Exit> {
    run_on(&ThisMachine::new()?, deployer, paths)
}

/// Runs the service on a machine. Settings that make no sense end it with [`Exit::Usage`].
pub fn run_on(machine: &dyn Machine, deployer: &dyn Deployer, paths: &Paths) -> Result<Exit> {
    let Some(settings) = settings(paths) else { return Ok(Exit::Usage) };
    let state = StateFile::open(&paths.state)?;
    let service = Service { machine, deployer, state };
    machine.notify(Notice::Ready);
    let exit = service.follow(settings, paths);
    machine.notify(Notice::Stopping);
    exit
}

struct Service<'a> {
    machine: &'a dyn Machine,
    deployer: &'a dyn Deployer,
    state: StateFile,
}

impl Service<'_> {
    fn follow(&self, mut settings: Settings, paths: &Paths) -> Result<Exit> {
        let mut what = Happened::Started;
        loop {
            settings.updates.jitter_percent = self.machine.jitter();
            let Some(action) = self.step(what.clone(), &settings.updates)? else {
                if self.machine.wait(SYSROOT_PAUSE)? == Woken::Stop {
                    return Ok(Exit::Done);
                }
                continue;
            };
            what = match action {
                Action::Sleep(time, why) => {
                    self.machine.notify(Notice::Status(&why.to_string()));
                    match self.machine.wait(time)? {
                        Woken::Elapsed => Happened::Tick,
                        Woken::Stop => return Ok(Exit::Done),
                        Woken::Reload => {
                            match self::settings(paths) {
                                Some(new) => settings = new,
                                None => return Ok(Exit::Usage),
                            }
                            Happened::ConfigReloaded
                        }
                    }
                }
                other => self.act(other)?,
            };
        }
    }

    /// Decides and saves; returns nothing if the deployments cannot be read now.
    fn step(&self, what: Happened, policy: &Policy) -> Result<Option<Action>> {
        let deployments = match self.deployer.deployments() {
            Ok(deployments) => deployments,
            Err(error) => {
                error!(error = format!("{error:#}"), "cannot read the deployments");
                return Ok(None);
            }
        };
        let event = Event { deployments, what };
        let now = self.machine.now();
        let (before, after, action) = self
            .state
            .update(|state| {
                let before = state.clone();
                let (after, action) = step(before.clone(), &event, now, policy);
                *state = after.clone();
                (before, after, action)
            })
            .context("cannot save the state, so nothing is done")?;
        tell(&before, &after, &action);
        Ok(Some(action))
    }

    /// Does what was decided.
    fn act(&self, action: Action) -> Result<Happened> {
        Ok(match action {
            Action::Check(image) => {
                self.machine.notify(Notice::Status(&format!("checking {image}")));
                Happened::Checked(self.work(|| self.deployer.check(&image))?)
            }
            Action::Stage { image, digest } => {
                self.machine.notify(Notice::Status(&format!("staging {digest}")));
                let staged = self.work(|| self.deployer.stage(&image, &digest))?;
                Happened::Staged(staged.map(|_| digest))
            }
            Action::Unstage => Happened::Unstaged(self.work(|| self.deployer.unstage())?),
            Action::Reboot { digest } => {
                self.machine.notify(Notice::Status(&format!("rebooting into {digest}")));
                Happened::RebootAsked(self.machine.reboot().map_err(|e| format!("{e:#}")))
            }
            Action::Sleep(..) => Happened::Tick,
        })
    }

    /// Runs work of the deployer; its failure is an event, not the end of the service.
    fn work<T>(&self, work: impl Fn() -> Result<T>) -> Result<Result<T, String>> {
        let mut done = None;
        self.machine.interruptible(&mut || done = Some(work()))?;
        Ok(done.context("the machine did no work")?.map_err(|e| format!("{e:#}")))
    }
}

fn settings(paths: &Paths) -> Option<Settings> {
    match config::load(&paths.config) {
        Ok(loaded) => {
            for warning in loaded.warnings {
                warn!("{warning}");
            }
            Some(loaded.settings)
        }
        Err(error) => {
            error!(error = format!("{error:#}"), "the settings make no sense");
            None
        }
    }
}

/// Logs what has changed: one line for each transition.
fn tell(before: &State, after: &State, action: &Action) {
    for denied in after.denied.iter().filter(|d| !before.denies(&d.digest)) {
        warn!(digest = denied.digest, reason = %denied.reason, "image denied");
    }
    let failures = |s: &State| s.retry.as_ref().map(|r| (r.digest.clone(), r.failures));
    if let Some(retry) = after.retry.as_ref().filter(|_| failures(before) != failures(after)) {
        let (digest, attempt) = (&retry.digest, retry.failures);
        warn!(digest, attempt, error = retry.error, again_at = %retry.until, "update failed");
    }
    let result = |s: &State| s.checks.last.as_ref().map(|l| l.result.clone());
    if result(before) != result(after)
        && let Some(result) = result(after)
    {
        info!(?result, "checked");
    }
    if before.phase == after.phase {
        return;
    }
    match &after.phase {
        Phase::Steady => info!("nothing is staged"),
        Phase::Staging { digest } => info!(digest, "staging"),
        Phase::Staged { digest } => info!(digest, ?action, "staged"),
        Phase::Rebooting { digest, .. } => info!(digest, "rebooting"),
    }
}
