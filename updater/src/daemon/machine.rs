//! What the service needs of the machine besides its deployments: time, signals, the service
//! manager, the reboot.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use nestos_host::clock;
use nestos_host::cmd::Cmd;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sd_notify::NotifyState;
use tracing::debug;

/// Longest wait in one piece: the wall clock may be set meanwhile, and poll(2) counts in an `i32`.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The time is over, or enough of it.
    Elapsed,
    /// New settings are to be read (SIGHUP).
    Reload,
    /// The service is to end (SIGTERM, SIGINT).
    Stop,
}

/// What the service tells its manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// It is up.
    Ready,
    /// What it is doing.
    Status(&'a str),
    /// It ends.
    Stopping,
}

/// A machine on which the service runs.
pub trait Machine {
    /// Returns the wall-clock time, in whole seconds.
    fn now(&self) -> Timestamp;

    /// Draws a number of percent, from 0 to 10.
    fn jitter(&self) -> u32;

    /// Waits for a time, or for a signal.
    fn wait(&self, time: Duration) -> Result<Woken>;

    /// Does work during which SIGTERM ends the process at once: for work that is whole or nothing.
    fn interruptible(&self, work: &mut dyn FnMut()) -> Result<()>;

    /// Tells the service manager.
    fn notify(&self, notice: Notice<'_>);

    /// Asks for a reboot.
    fn reboot(&self) -> Result<()>;
}

/// The machine this process runs on.
#[derive(Debug)]
pub struct ThisMachine {
    stop: SigSet,
    signals: SignalFd,
}

impl ThisMachine {
    /// Takes over the signals; must run before the first thread starts, because threads inherit the
    /// mask.
    pub fn new() -> Result<Self> {
        let stop = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
        let mut all = stop;
        all.add(Signal::SIGHUP);
        all.thread_block().context("cannot block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&all, flags).context("cannot receive signals")?;
        Ok(Self { stop, signals })
    }
}

impl Machine for ThisMachine {
    fn now(&self) -> Timestamp {
        now()
    }

    fn jitter(&self) -> u32 {
        // The keys of a hash map are the only random numbers that std gives out.
        let drawn = RandomState::new().build_hasher().finish() % 11;
        u32::try_from(drawn).unwrap_or_default()
    }

    fn wait(&self, time: Duration) -> Result<Woken> {
        let time = time.min(LONGEST_WAIT);
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e).context("cannot wait for signals"),
        }
        let Some(info) = self.signals.read_signal().context("cannot read a signal")? else {
            return Ok(Woken::Elapsed);
        };
        let hangup = i32::try_from(info.ssi_signo).is_ok_and(|n| n == Signal::SIGHUP as i32);
        Ok(if hangup { Woken::Reload } else { Woken::Stop })
    }

    fn interruptible(&self, work: &mut dyn FnMut()) -> Result<()> {
        self.stop.thread_unblock().context("cannot let signals through")?;
        work();
        self.stop.thread_block().context("cannot block signals")
    }

    fn notify(&self, notice: Notice<'_>) {
        let state = match notice {
            Notice::Ready => NotifyState::Ready,
            Notice::Status(text) => NotifyState::Status(text),
            Notice::Stopping => NotifyState::Stopping,
        };
        if let Err(error) = sd_notify::notify(&[state]) {
            debug!(%error, "the service manager was not told");
        }
    }

    fn reboot(&self) -> Result<()> {
        reboot()
    }
}

/// Returns the wall-clock time in whole seconds.
pub(crate) fn now() -> Timestamp {
    let seconds = i64::try_from(clock::unix_seconds(clock::now())).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// Asks systemd for a reboot; it returns before the machine goes down.
pub(crate) fn reboot() -> Result<()> {
    Cmd::new("systemctl").args(["--no-block", "reboot"]).run().context("cannot reboot")
}
