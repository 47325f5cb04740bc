//! What Ctrl-C, Ctrl-\ and SIGTERM do: they end the program at once, except while a disk is half
//! written. Then they only raise a flag, and the writer makes the disk unbootable and says so.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal, raise};

const FREE: u8 = 0;
const GUARDED: u8 = 1;
const INTERRUPTED: u8 = 2;
const ENDING: u8 = 3;
const DONE: u8 = 4;

static STATE: AtomicU8 = AtomicU8::new(FREE);

/// Takes over SIGINT, SIGQUIT, SIGTERM and SIGHUP; must run before the first thread starts, because
/// threads inherit the signal mask. `farewell` runs before the program ends, unless a [`Guard`]
/// has lived: then its owner has told what happened.
pub fn watch(farewell: impl Fn() + Send + 'static) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().context("cannot block signals")?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while let Ok(signal) = signals.wait() {
                receive(signal, &signals, &farewell);
            }
        })
        .context("cannot start the signal thread")?;
    Ok(())
}

fn receive(signal: Signal, signals: &SigSet, farewell: &impl Fn()) {
    let raised =
        STATE.compare_exchange(GUARDED, INTERRUPTED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    if raised || STATE.load(Ordering::SeqCst) == INTERRUPTED {
        return;
    }
    if STATE.swap(ENDING, Ordering::SeqCst) == FREE {
        farewell();
    }
    // With the default action in place again, the caller sees a process that died of the signal.
    if signals.thread_unblock().and_then(|()| raise(signal)).is_err() {
        std::process::abort();
    }
}

/// While this value lives, signals raise a flag instead of ending the program.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Starts guarding; fails if a signal has arrived already.
    pub fn start() -> Result<Self> {
        let guarded = STATE.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
            [FREE, DONE].contains(&state).then_some(GUARDED)
        });
        match guarded {
            Ok(_before) => Ok(Self(())),
            Err(_ending) => bail!("interrupted"),
        }
    }

    /// Fails once a signal has arrived.
    pub fn check(&self) -> Result<()> {
        if STATE.load(Ordering::SeqCst) == INTERRUPTED { bail!("interrupted") } else { Ok(()) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        STATE.store(DONE, Ordering::SeqCst);
    }
}
