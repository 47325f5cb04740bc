//! The loop with a scripted machine: what is saved when, how it ends.

use std::cell::{Cell, RefCell};
use std::fs;
use std::time::Duration;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use nestos_formats::image_ref::OstreeImageRef;
use nestos_host::exit::Exit;
use nestos_updater::daemon::machine::{Machine, Notice, Woken};
use nestos_updater::daemon::paths::Paths;
use nestos_updater::daemon::run::run_on;
use nestos_updater::daemon::state::{Phase, State};
use nestos_updater::daemon::state_file::StateFile;
use nestos_updater::sysroot::{Deployer, Deployment, Deployments, Offer};

use crate::deployments::{deployment, digest, menu};

/// A machine whose waits end as the script says, and which records what it is told.
struct Scripted {
    now: Cell<i64>,
    wakes: RefCell<Vec<Woken>>,
    log: RefCell<Vec<String>>,
    paths: Paths,
}

impl Scripted {
    fn new(paths: &Paths, wakes: &[Woken]) -> Self {
        let mut wakes = wakes.to_vec();
        wakes.reverse();
        let now = Cell::new(1_800_000_000);
        Self { now, wakes: RefCell::new(wakes), log: RefCell::default(), paths: paths.clone() }
    }

    fn log(&self, line: impl Into<String>) {
        self.log.borrow_mut().push(line.into());
    }

    fn state(&self) -> State {
        StateFile::peek(&self.paths.state).unwrap()
    }
}

impl Machine for Scripted {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now.get()).unwrap()
    }

    fn jitter(&self) -> u32 {
        0
    }

    fn wait(&self, time: Duration) -> Result<Woken> {
        self.now.set(self.now.get() + i64::try_from(time.as_secs())?);
        Ok(self.wakes.borrow_mut().pop().unwrap_or(Woken::Stop))
    }

    fn interruptible(&self, work: &mut dyn FnMut()) -> Result<()> {
        work();
        Ok(())
    }

    fn notify(&self, notice: Notice<'_>) {
        self.log(match notice {
            Notice::Ready => "ready".to_owned(),
            Notice::Status(text) => text.split(' ').take(3).collect::<Vec<_>>().join(" "),
            Notice::Stopping => "stopping".to_owned(),
        });
    }

    fn reboot(&self) -> Result<()> {
        let saved = matches!(self.state().phase, Phase::Rebooting { .. });
        self.log(format!("REBOOT saved={saved}"));
        Ok(())
    }
}

/// A deployer that offers one image.
struct Offers<'a> {
    machine: &'a Scripted,
    image: Option<char>,
    staged: Cell<bool>,
    broken: Cell<bool>,
}

impl Deployer for Offers<'_> {
    fn deployments(&self) -> Result<Deployments> {
        if self.broken.take() {
            return Err(anyhow!("cannot open the sysroot"));
        }
        Ok(menu(if self.staged.get() { "+b *a" } else { "*a" }))
    }

    fn check(&self, _: &OstreeImageRef) -> Result<Offer> {
        let image = self.image.ok_or_else(|| anyhow!("no route to host"))?;
        Ok(Offer { digest: digest(image), version: None })
    }

    fn stage(&self, _: &OstreeImageRef, wanted: &str) -> Result<Deployment> {
        let saved = Phase::Staging { digest: wanted.to_owned() } == self.machine.state().phase;
        self.machine.log(format!("STAGE saved={saved}"));
        self.staged.set(true);
        Ok(deployment('b'))
    }

    fn unstage(&self) -> Result<()> {
        Ok(())
    }

    fn rollback(&self) -> Result<Deployment> {
        Err(anyhow!("not here"))
    }
}

fn run(root: &std::path::Path, image: Option<char>, wakes: &[Woken]) -> (Exit, Vec<String>) {
    let paths = Paths::under(root);
    let machine = Scripted::new(&paths, wakes);
    let deployer =
        Offers { machine: &machine, image, staged: Cell::new(false), broken: Cell::new(false) };
    let exit = run_on(&machine, &deployer, &paths).unwrap();
    (exit, machine.log.take())
}

fn configure(root: &std::path::Path, text: &str) {
    let dir = root.join("etc/nestos-updater/config.d");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("50-test.toml"), text).unwrap();
}

#[test]
fn each_step_is_saved_before_it_is_done() {
    let root = tempfile::tempdir().unwrap();
    let (exit, log) = run(root.path(), Some('b'), &[Woken::Stop]);
    assert_eq!(exit, Exit::Done);
    let image = format!("checking {}", crate::deployments::IMAGE);
    let staging = format!("staging {}", digest('b'));
    let reboot = format!("rebooting into {}", digest('b'));
    assert_eq!(
        log,
        [
            "ready",
            &image,
            &staging,
            "STAGE saved=true",
            &reboot,
            "REBOOT saved=true",
            "rebooting",
            "stopping"
        ]
    );
}

#[test]
fn a_source_that_cannot_be_reached_is_asked_again_later() {
    let root = tempfile::tempdir().unwrap();
    let (_, log) = run(root.path(), None, &[Woken::Elapsed, Woken::Elapsed, Woken::Stop]);
    assert_eq!(log.iter().filter(|l| l.starts_with("checking")).count(), 3);
    let state = StateFile::peek(&Paths::under(root.path()).state).unwrap();
    assert_eq!(state.checks.failures, 3);
}

#[test]
fn a_shorter_wait_than_asked_for_does_no_harm() {
    let root = tempfile::tempdir().unwrap();
    configure(root.path(), "agent.timing.steady_interval_secs = 604800");
    let (_, log) = run(root.path(), Some('a'), &[Woken::Elapsed, Woken::Stop]);
    assert_eq!(log.last().map(String::as_str), Some("stopping"));
}

#[test]
fn wrong_settings_end_the_service_with_the_status_of_its_unit() {
    let root = tempfile::tempdir().unwrap();
    configure(root.path(), "updates.enabled = 7");
    assert_eq!(run(root.path(), Some('b'), &[]), (Exit::Usage, vec![]));
    let unit = include_str!("../../../systemd-units/system/nestos-updater.service");
    assert!(unit.contains("RestartPreventExitStatus=2 "));
}

#[test]
fn a_sysroot_that_cannot_be_read_now_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    let machine = Scripted::new(&paths, &[Woken::Elapsed, Woken::Stop]);
    let (staged, broken) = (Cell::new(false), Cell::new(true));
    let deployer = Offers { machine: &machine, image: Some('a'), staged, broken };
    assert_eq!(run_on(&machine, &deployer, &paths).unwrap(), Exit::Done);
    assert!(machine.log.take().iter().any(|l| l.starts_with("checking")));
}

#[test]
fn new_settings_are_taken_at_once() {
    let root = tempfile::tempdir().unwrap();
    configure(root.path(), "updates.enabled = false");
    let paths = Paths::under(root.path());
    let machine = Scripted::new(&paths, &[Woken::Reload, Woken::Stop]);
    let (staged, broken) = (Cell::new(false), Cell::new(false));
    let deployer = Offers { machine: &machine, image: Some('a'), staged, broken };
    let file = root.path().join("etc/nestos-updater/config.d/50-test.toml");
    let enabling = Enabling { machine: &machine, file };
    assert_eq!(run_on(&enabling, &deployer, &paths).unwrap(), Exit::Done);
    let log = machine.log.take();
    assert_eq!(log[1], "updates are disabled");
    assert!(log[2].starts_with("checking"), "{log:?}");
}

/// A machine on which somebody takes the settings away while the service waits.
struct Enabling<'a> {
    machine: &'a Scripted,
    file: std::path::PathBuf,
}

impl Machine for Enabling<'_> {
    fn now(&self) -> Timestamp {
        self.machine.now()
    }

    fn jitter(&self) -> u32 {
        self.machine.jitter()
    }

    fn wait(&self, time: Duration) -> Result<Woken> {
        drop(fs::remove_file(&self.file));
        self.machine.wait(time)
    }

    fn interruptible(&self, work: &mut dyn FnMut()) -> Result<()> {
        self.machine.interruptible(work)
    }

    fn notify(&self, notice: Notice<'_>) {
        self.machine.notify(notice);
    }

    fn reboot(&self) -> Result<()> {
        self.machine.reboot()
    }
}
