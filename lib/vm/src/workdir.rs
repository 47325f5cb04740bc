//! The directory of a running machine: overlays, firmware variables, control socket, logs.
//!
//! It is removed when the machine's user said that all went well; otherwise only its large files
//! go, the logs stay, and their place is printed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::term;
use tempfile::TempDir;

use crate::machine::Machine;

const CONSOLE_LOG: &str = "console.log";
const QEMU_LOG: &str = "qemu.log";

/// A directory whose logs outlive it unless [`WorkDir::discard`] is called.
#[derive(Debug)]
pub(crate) struct WorkDir {
    name: String,
    dir: Option<TempDir>,
    path: PathBuf,
}

impl WorkDir {
    /// Makes a directory for `machine`.
    pub(crate) fn create(machine: &Machine) -> Result<Self> {
        let below = machine.below.clone().unwrap_or_else(std::env::temp_dir);
        // The control socket's path has to fit into 107 bytes (unix(7)): the prefix is short.
        let dir = fs::create_dir_all(&below)
            .and_then(|()| tempfile::Builder::new().prefix("nestos-vm-").tempdir_in(&below))
            .with_context(|| format!("cannot make a directory below {}", below.display()))?;
        let path = dir.path().to_owned();
        Ok(Self { name: machine.name.clone(), dir: Some(dir), path })
    }

    /// Returns the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens the log of the serial console.
    pub(crate) fn console_log(&self) -> Result<File> {
        create(&self.file(CONSOLE_LOG))
    }

    /// Opens the log of QEMU's own messages.
    pub(crate) fn qemu_log(&self) -> Result<File> {
        create(&self.file(QEMU_LOG))
    }

    /// Returns what QEMU itself complained about.
    pub(crate) fn qemu_messages(&self) -> String {
        // No log, no complaint: this only adds detail to another error.
        fs::read_to_string(self.file(QEMU_LOG)).unwrap_or_default().trim().to_owned()
    }

    /// Removes everything.
    pub(crate) fn discard(mut self) -> Result<()> {
        let Some(dir) = self.dir.take() else { return Ok(()) };
        dir.close().with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        let kept = dir.keep();
        // What cannot be removed now only costs space in the temporary directory.
        drop(remove_all_but_logs(&kept));
        term::status(format_args!("{}: logs of the machine are in {}", self.name, kept.display()));
    }
}

fn remove_all_but_logs(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "log") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_outlive_a_failure_and_nothing_a_success() {
        let below = tempfile::tempdir().unwrap();
        let machine = Machine::new("m").work_below(below.path());

        let failed = WorkDir::create(&machine).unwrap();
        let (log, disk) = (failed.file(CONSOLE_LOG), failed.file("disk0.qcow2"));
        drop(failed.console_log().unwrap());
        fs::write(&disk, "x").unwrap();
        drop(failed);
        assert!(log.exists() && !disk.exists());

        let passed = WorkDir::create(&machine).unwrap();
        let log = passed.file(CONSOLE_LOG);
        drop(passed.console_log().unwrap());
        passed.discard().unwrap();
        assert!(!log.parent().unwrap().exists());
    }
}
