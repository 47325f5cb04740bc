//! Checks inside a booted guest. A boot is dear, so all of them run and what failed is reported
//! together.

use anyhow::{Result, bail};
use nestos_vm::Ssh;

/// Checks through one session.
#[derive(Debug)]
pub struct Checks<'a> {
    ssh: &'a Ssh,
    failed: Vec<String>,
}

impl<'a> Checks<'a> {
    /// Starts checking what `ssh` reaches.
    pub fn new(ssh: &'a Ssh) -> Self {
        Self { ssh, failed: Vec::new() }
    }

    /// Requires that `command` succeeds and prints `expected`, surrounding space aside.
    pub fn prints(&mut self, command: &str, expected: &str) {
        self.judge(command, |printed| {
            if printed == expected.trim() { Ok(()) } else { Err(format!("not {expected:?}")) }
        });
    }

    /// Requires that `command` succeeds and that `judge` accepts what it prints.
    pub fn judge(&mut self, command: &str, judge: impl FnOnce(&str) -> Result<(), String>) {
        match self.ssh.check(command) {
            Err(e) => self.failed.push(format!("{e:#}")),
            Ok(printed) => {
                if let Err(reason) = judge(&printed) {
                    self.failed.push(format!("`{command}` printed {printed:?}: {reason}"));
                }
            }
        }
    }

    /// Requires that the file system refuses what `command` writes.
    pub fn refuses_writing(&mut self, command: &str) {
        match self.ssh.run(command) {
            Err(e) => self.failed.push(format!("{e:#}")),
            Ok(output) => {
                let refused = ["Read-only file system", "Operation not permitted"]
                    .iter()
                    .any(|reason| output.stderr.contains(reason));
                if output.status == 0 || !refused {
                    self.failed.push(format!("`{command}` was not refused: {output:?}"));
                }
            }
        }
    }

    /// Requires that the boot has come to its end and that no unit failed.
    pub fn no_failed_units(&mut self) {
        // Waits until the boot is over, and exits with 1 when a unit failed.
        self.prints("systemctl is-system-running --wait || true", "running");
        self.prints("systemctl --failed --plain --no-legend", "");
    }

    /// Fails when any check failed.
    pub fn finish(self) -> Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("{} checks failed:\n{}", self.failed.len(), self.failed.join("\n"))
    }
}
