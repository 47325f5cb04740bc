//! From the running system into the one that was installed. In a live system the medium may come
//! first in the order of the firmware: `nestos-live` prepares the way past it.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use nestos_host::term;

/// What only a live system has.
const LIVE: &str = "/run/ostree-live";
const CANNOT: &str = "NestOS is installed, but cannot reboot";
const HELPER: &str = "/usr/lib/nestos/nestos-live";

/// Starts the system on a disk.
pub fn into(disk: &Path) -> Result<()> {
    into_installed(disk).context(CANNOT)
}

/// Reboots into whatever the firmware starts.
pub fn reboot() -> Result<()> {
    systemctl_reboot().context(CANNOT)
}

fn into_installed(disk: &Path) -> Result<()> {
    if Path::new(LIVE).exists() && Path::new(HELPER).exists() {
        let prepared = Cmd::new(HELPER).args(["inst", "enter"]).arg(disk).interactive()?;
        if prepared.success() {
            return Cmd::new(HELPER).args(["inst", "leave"]).run();
        }
        term::warning("remove the installation medium: the firmware may start it again");
    }
    systemctl_reboot()
}

fn systemctl_reboot() -> Result<()> {
    Cmd::new("systemctl").arg("reboot").run()
}

/// Asks a person in a live system whether to start what was installed, and does it.
pub fn offer(disk: &Path) -> Result<()> {
    let person = io::stdin().is_terminal() && term::is_interactive();
    if !(person && Path::new(LIVE).exists()) {
        return Ok(());
    }
    term::prompt("Reboot into the new system now? [Y/n]");
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line).context("cannot read the answer")?;
    if read > 0 && is_yes(&line) {
        return into(disk);
    }
    term::status("Remove the medium, then start the new system with: sudo systemctl reboot");
    Ok(())
}

/// Return alone means yes.
fn is_yes(line: &str) -> bool {
    ["", "y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_means_yes_and_anything_unclear_no() {
        for (line, yes) in
            [("\n", true), ("Y\n", true), (" yes \n", true), ("n\n", false), ("reboot\n", false)]
        {
            assert_eq!(is_yes(line), yes, "{line:?}");
        }
    }
}
