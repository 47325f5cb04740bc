//! What a terminal does with what is typed, and how it goes back to what it did before, whatever
//! ends the program.

use std::io;
use std::sync::Mutex;

use anyhow::Result;
use dialoguer::console::Term;
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Settings to go back to.
static SAVED: Mutex<Option<(Termios, Mode)>> = Mutex::new(None);

/// How keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As lines that are not shown.
    Hidden,
    /// As keys that are not shown; dialoguer reads them.
    Menu,
    /// As keys, Ctrl-C among them.
    Keys,
}

/// Goes back to how the terminal was when it is dropped.
#[derive(Debug)]
pub(super) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        restore();
    }
}

/// Changes how keys are read.
pub(super) fn enter(mode: Mode) -> Result<Entered> {
    let settings = tcgetattr(io::stdin())?;
    let mut changed = settings.clone();
    changed.local_flags.remove(LocalFlags::ECHO);
    match mode {
        Mode::Hidden => changed.local_flags.insert(LocalFlags::ECHONL),
        Mode::Menu => changed.local_flags.remove(LocalFlags::ICANON),
        Mode::Keys => changed.local_flags.remove(LocalFlags::ICANON | LocalFlags::ISIG),
    }
    if let Ok(mut saved) = SAVED.lock() {
        *saved = Some((settings, mode));
    }
    tcsetattr(io::stdin(), SetArg::TCSADRAIN, &changed)?;
    Ok(Entered(()))
}

/// Undoes what was entered, if anything was.
pub(super) fn restore() {
    if let Some((settings, mode)) = SAVED.lock().ok().and_then(|mut saved| saved.take()) {
        // Without a terminal there is nothing to restore and nobody to tell.
        drop(tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings).map_err(io::Error::from));
        if mode == Mode::Menu {
            // dialoguer hides the cursor while a menu is open.
            drop(Term::stderr().show_cursor());
        }
    }
}

/// Returns whether the terminal's driver takes what is typed for UTF-8.
pub(super) fn is_utf8() -> bool {
    tcgetattr(io::stdin()).is_ok_and(|t| t.input_flags.contains(InputFlags::IUTF8))
}
