//! A running machine: its console, its power, its disks.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nestos_host::clock;
use serde_json::json;

use crate::accel;
use crate::arguments::Files;
use crate::image;
use crate::launch::Process;
use crate::machine::Machine;
use crate::qmp::Qmp;
use crate::serial::Serial;
use crate::ssh::{Ssh, SshKey};
use crate::workdir::WorkDir;

/// How often a machine that is waited for is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// What the console says of a boot that is lost; the machine may start again.
const PANIC: &str = "Kernel panic - not syncing";
/// What the console says when nothing will happen by itself.
const STOPPED: [&str; 3] = [
    "You are in emergency mode",
    "NestOS: the boot stopped in the initramfs",
    "NestOS: the unattended installation stopped",
];

/// A running machine. When it goes out of scope QEMU is killed, and unless [`Vm::done`] was
/// called its logs are kept and their place is printed.
#[derive(Debug)]
pub struct Vm {
    pub(crate) machine: Machine,
    pub(crate) files: Files,
    // Before `workdir`: QEMU has to be gone when its files are removed.
    pub(crate) process: Process,
    pub(crate) serial: Serial,
    pub(crate) qmp: Qmp,
    pub(crate) ssh_port: Option<u16>,
    pub(crate) workdir: WorkDir,
}

impl Vm {
    /// Returns the serial console.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Returns the control connection.
    pub fn qmp(&self) -> &Qmp {
        &self.qmp
    }

    /// Returns the loopback port that leads to the guest's port 22.
    pub fn ssh_port(&self) -> Option<u16> {
        self.ssh_port
    }

    /// Returns whether QEMU still runs.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Waits until `user` can log in; gives up early when the machine ends or its boot stops.
    pub fn wait_ssh(&self, user: &str, key: &SshKey, timeout: Duration) -> Result<Ssh> {
        let port = self.ssh_port.context("the machine has no network")?;
        let deadline = clock::instant() + timeout;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failed = match Ssh::connect(user, key, port, attempt) {
                Ok(ssh) => return Ok(ssh),
                Err(e) => e,
            };
            let reason = if !self.is_running() {
                "the machine has ended".to_owned()
            } else if let Some(said) = self.hopeless() {
                format!("the console said `{said}`")
            } else if clock::instant() >= deadline {
                format!("not in {} s", timeout.as_secs())
            } else {
                std::thread::sleep(Duration::from_secs(1));
                continue;
            };
            let console = self.serial.tail();
            return Err(failed.context(format!(
                "{user} cannot log in by ssh: {reason}; the console ends with\n{console}"
            )));
        }
    }

    /// Presses the power button and waits until the machine is off.
    pub fn power_off(&self, timeout: Duration) -> Result<()> {
        self.qmp.execute("system_powerdown", json!({}))?;
        self.wait_off(timeout)
    }

    /// Waits until the machine has switched itself off.
    pub fn wait_off(&self, timeout: Duration) -> Result<()> {
        match accel::wait(&mut self.process.lock(), timeout)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("QEMU failed: {status}: {}", self.workdir.qemu_messages()),
            None => {
                let (waited, console) = (timeout.as_secs(), self.serial.tail());
                bail!("the machine is not off after {waited} s; the console ends with\n{console}")
            }
        }
    }

    /// Presses the reset button.
    pub fn reset(&self) -> Result<()> {
        self.qmp.execute("system_reset", json!({})).map(drop)
    }

    /// Runs `sudo systemctl reboot` and waits until the machine has left; the session is over then.
    pub fn reboot(&self, ssh: Ssh, timeout: Duration) -> Result<()> {
        self.qmp.forget_events()?;
        self.serial.skip_to_end();
        // The guest may be gone before it answers; that it resets is what counts.
        if let Ok(output) = ssh.run("sudo systemctl reboot --no-block") {
            ensure!(output.status == 0, "the guest does not reboot: {}", output.stderr.trim());
        }
        drop(ssh);
        self.wait_reset(timeout)
    }

    /// Waits until the guest resets itself; gives up early when the console says that it will not.
    pub fn wait_reset(&self, timeout: Duration) -> Result<()> {
        let deadline = clock::instant() + timeout;
        let waited = loop {
            let left = deadline.saturating_duration_since(clock::instant());
            let event = self.qmp.expect_event(&["RESET", "SHUTDOWN"], left.min(LOOK_INTERVAL));
            let stopped = || STOPPED.iter().any(|said| self.serial.has_said(said));
            if event.is_ok() || left <= LOOK_INTERVAL || !self.is_running() || stopped() {
                break event;
            }
        };
        let event = waited.with_context(|| {
            format!("waiting for a reboot; the console ends with\n{}", self.serial.tail())
        })?;
        if event.name != "RESET" {
            bail!("the machine switched itself off instead of rebooting");
        }
        Ok(())
    }

    /// Returns what the guest has written to a virtio port so far.
    pub fn port(&self, name: &str) -> Result<String> {
        let index = self.machine.ports.iter().position(|port| port == name);
        let file = index.and_then(|index| self.files.ports.get(index));
        let file = file.with_context(|| format!("the machine has no port {name}"))?;
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until the guest has written `text` to a virtio port; gives up early when the machine
    /// ends or its boot stops.
    pub fn wait_port(&self, name: &str, text: &str, timeout: Duration) -> Result<()> {
        let deadline = clock::instant() + timeout;
        loop {
            let written = self.port(name)?;
            if written.contains(text) {
                return Ok(());
            }
            if self.hopeless().is_some() || !self.is_running() || clock::instant() >= deadline {
                let console = self.serial.tail();
                bail!(
                    "no `{text}` on port {name}, only {written:?}; the console ends with\n{console}"
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Returns what the console said of a boot that will not go on.
    fn hopeless(&self) -> Option<&'static str> {
        let mut said = STOPPED.into_iter().chain([PANIC]);
        said.find(|text| self.serial.has_said(text))
    }

    /// Stops the clock of the guest.
    pub fn pause(&self) -> Result<()> {
        self.qmp.execute("stop", json!({})).map(drop)
    }

    /// Lets the guest run again.
    pub fn resume(&self) -> Result<()> {
        self.qmp.execute("cont", json!({})).map(drop)
    }

    /// Copies the image of a disk as a power cut at this instant would leave it; meant for raw
    /// disks with [`crate::Cache::Writethrough`].
    pub fn copy_disk(&self, index: usize, to: &Path) -> Result<()> {
        let image = self.files.disks.get(index);
        let image = image.with_context(|| format!("the machine has no disk {index}"))?;
        self.pause()?;
        let copied = image::copy_sparse(&image.path, to);
        self.resume()?;
        copied
    }

    /// Ends the machine at once, as a power cut would, and removes its files and logs.
    pub fn done(self) -> Result<()> {
        let Self { process, workdir, .. } = self;
        drop(process);
        workdir.discard()
    }
}
