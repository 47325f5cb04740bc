//! The reboot into the new system, which a key can stop.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::term;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::read;

use super::ask::Asker;
use super::lang::say;
use super::tty::{self, Mode};
use crate::restart;

/// Seconds to think it over.
const SECONDS: u32 = 10;

/// Reboots into the system on `disk`, or does not if a key is pressed in time.
pub(super) fn reboot(asker: Option<&Asker>, disk: &Path) -> Result<()> {
    if let Some(asker) = asker.filter(|a| a.is_person())
        && key_pressed(asker)?
    {
        asker.note(say!(
            asker.lang(),
            "Stopped. Start the new system with: sudo systemctl reboot",
            "已停止。输入 sudo systemctl reboot 可进入新系统。"
        ));
        return Ok(());
    }
    restart::into(disk)
}

/// Counts down and returns whether a key was pressed; Ctrl-C is one.
fn key_pressed(asker: &Asker) -> Result<bool> {
    let lang = asker.lang();
    let _keys = tty::enter(Mode::Keys).context("cannot read keys")?;
    let stdin = io::stdin();
    // What was typed while the disk was written is no answer to this.
    tcflush(&stdin, FlushArg::TCIFLUSH).context("cannot read keys")?;
    asker.note(say!(
        lang,
        "Rebooting in {} seconds. Any key stops that.",
        "{} 秒后重启,按任意键可停止。",
        SECONDS
    ));
    for left in (1..=SECONDS).rev() {
        term::prompt(left);
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(1000_u16)) {
            Ok(0) => {}
            Ok(_) => {
                // What was pressed is for nobody else to read.
                let mut key = [0; 16];
                term::status("");
                return Ok(read(stdin.as_fd(), &mut key).is_ok_and(|n| n > 0));
            }
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e).context("cannot wait for a key"),
        }
    }
    term::status("");
    Ok(false)
}
