//! From a description to a running QEMU: files, process, control connection, forwarded port.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::clock;
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;
use serde_json::json;

use crate::accel::{Accelerator, Qemu};
use crate::arguments::{Files, Image, UefiFiles, arguments};
use crate::image;
use crate::machine::{Access, Firmware, Format, Machine, Network};
use crate::qmp::Qmp;
use crate::serial::{Serial, Shared};
use crate::vm::Vm;
use crate::workdir::WorkDir;

/// How long QEMU may take until its control socket is there.
const SOCKET_TIME: Duration = Duration::from_secs(30);
/// How long loading saved memory may take.
const INCOMING_TIME: Duration = Duration::from_secs(300);
/// Where distributions put OVMF: code and variables; Debian, openEuler.
const OVMF: [(&str, &str); 3] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];

/// The state that a start continues from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Power-on.
    PowerOn,
    /// A saved machine: its memory and its UEFI variables.
    Saved { memory: PathBuf, vars: PathBuf },
}

impl Machine {
    /// Starts the machine.
    pub fn start(self) -> Result<Vm> {
        let name = self.name.clone();
        launch(self, &Origin::PowerOn).with_context(|| format!("cannot start machine {name}"))
    }
}

/// Starts a machine from `origin`.
pub(crate) fn launch(mut machine: Machine, origin: &Origin) -> Result<Vm> {
    let qemu = Qemu::find()?;
    let accelerator = machine.accelerator.unwrap_or_else(Accelerator::best);
    qemu.require(accelerator)?;
    machine.accelerator = Some(accelerator);

    let workdir = WorkDir::create(&machine)?;
    let files = prepare(&machine, &workdir, origin)?;
    // The kernel ends QEMU when we end, however that happens.
    let command = Cmd::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(&qemu.program)
        .args(arguments(&machine, &files, accelerator))
        .when_missing("install util-linux");
    let (process, serial) = spawn(command, workdir.console_log()?, workdir.qemu_log()?)?;
    let qmp = connect(&files.qmp, &process, &workdir)?;
    if let Origin::Saved { .. } = origin {
        continue_saved(&qmp, &workdir)?;
    }
    let ssh_port = match machine.network {
        Network::User => Some(forwarded_port(&qmp.monitor("info usernet")?)?),
        Network::Tap(_) | Network::None => None,
    };
    Ok(Vm { machine, files, process, serial, qmp, ssh_port, workdir })
}

/// Makes overlays and the firmware's variables.
fn prepare(machine: &Machine, workdir: &WorkDir, origin: &Origin) -> Result<Files> {
    let mut disks = Vec::new();
    for (index, disk) in machine.disks.iter().enumerate() {
        let image = Image { path: disk.path.clone(), format: disk.format };
        disks.push(match disk.access {
            Access::InPlace => image,
            Access::Overlay => {
                let path = workdir.file(&format!("disk{index}.qcow2"));
                image::create_overlay(&image, &path, disk.size)?;
                Image { path, format: Format::Qcow2 }
            }
        });
    }
    let uefi = match machine.firmware {
        Firmware::Bios => None,
        Firmware::Uefi => Some(prepare_uefi(workdir, origin)?),
    };
    let incoming = match origin {
        Origin::PowerOn => None,
        Origin::Saved { memory, .. } => Some(memory.clone()),
    };
    let port = |index| workdir.file(&format!("port{index}.log"));
    let ports = (0..machine.ports.len()).map(port).collect();
    Ok(Files { disks, uefi, qmp: workdir.file("qmp"), ports, incoming })
}

fn prepare_uefi(workdir: &WorkDir, origin: &Origin) -> Result<UefiFiles> {
    let found = OVMF.iter().find(|(code, _)| Path::new(code).exists());
    let (code, template) = match found {
        Some((code, vars)) => (PathBuf::from(code), PathBuf::from(vars)),
        None => {
            return Err(anyhow!("cannot find the UEFI firmware OVMF"))
                .hint("install ovmf (on openEuler edk2-ovmf)");
        }
    };
    let from = match origin {
        Origin::PowerOn => template,
        Origin::Saved { vars, .. } => vars.clone(),
    };
    let vars = workdir.file("vars.fd");
    fs::copy(&from, &vars).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(UefiFiles { code, vars })
}

/// A QEMU process, which does not outlive this value.
#[derive(Debug)]
pub(crate) struct Process(Arc<Mutex<Child>>);

impl Process {
    /// Gives access to the child process.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Child> {
        lock(&self.0)
    }

    /// Returns whether QEMU still runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.lock().try_wait(), Ok(None))
    }

    /// Ends QEMU as a power cut would.
    pub(crate) fn kill(&self) -> Result<()> {
        let mut child = self.lock();
        child.kill().context("cannot kill QEMU")?;
        child.wait().context("cannot wait for QEMU")?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when the process is gone already, which is what is wanted.
        drop(self.kill());
    }
}

/// Starts QEMU from the thread that then reads its console. The parent-death signal comes when
/// the *thread* that started the child ends (`PR_SET_PDEATHSIG` in prctl(2)), so it has to be one
/// that lives as long as QEMU, not whichever test thread started the machine.
fn spawn(command: Cmd, console_log: File, qemu_log: File) -> Result<(Process, Serial)> {
    let shared = Arc::new(Shared::default());
    let pump = Arc::clone(&shared);
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        .name("console".to_owned())
        .spawn(move || {
            let started = command.spawn(Stdio::piped(), Stdio::piped(), qemu_log.into());
            let mut child = match started {
                Ok(child) => child,
                // The receiver waits below for exactly one message, so sending cannot fail.
                Err(e) => return drop(sender.send(Err(e))),
            };
            let (input, output) = (child.stdin.take(), child.stdout.take());
            let child = Arc::new(Mutex::new(child));
            drop(sender.send(Ok((Process(Arc::clone(&child)), input))));
            if let Some(output) = output {
                pump.pump(output, console_log);
            }
            // QEMU closes its console before it has written its disks and ended.
            while matches!(lock(&child).try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
        .context("cannot start the thread that reads the console")?;
    let (process, input) = receiver.recv().context("the thread that starts QEMU ended")??;
    let input = input.context("QEMU was started without a console")?;
    Ok((process, Serial::new(shared, input)))
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(socket: &Path, process: &Process, workdir: &WorkDir) -> Result<Qmp> {
    let deadline = clock::instant() + SOCKET_TIME;
    loop {
        match Qmp::connect(socket) {
            Ok(qmp) => return Ok(qmp),
            Err(e) if clock::instant() >= deadline => {
                return Err(e).context("QEMU does not answer");
            }
            Err(_) if !process.is_running() => {
                bail!("QEMU ended at once: {}", workdir.qemu_messages());
            }
            // The socket is not there yet.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Waits until the saved memory is in, then lets the guest run.
fn continue_saved(qmp: &Qmp, workdir: &WorkDir) -> Result<()> {
    let deadline = clock::instant() + INCOMING_TIME;
    loop {
        let status = qmp
            .execute("query-status", json!({}))
            .with_context(|| format!("cannot load saved memory: {}", workdir.qemu_messages()))?;
        if status["status"] != "inmigrate" {
            break;
        }
        if clock::instant() >= deadline {
            bail!("loading saved memory took more than {} s", INCOMING_TIME.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    qmp.execute("cont", json!({}))?;
    Ok(())
}

/// Finds the host's port in the monitor's table of connections.
fn forwarded_port(table: &str) -> Result<u16> {
    table
        .lines()
        .filter(|line| line.trim_start().starts_with("TCP[HOST_FORWARD]"))
        .find_map(|line| line.split_whitespace().nth(3)?.parse().ok())
        .ok_or_else(|| anyhow!("QEMU forwards no port to the guest:\n{table}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_found_in_the_monitors_table() {
        let table = "Hub -1 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. \
                     Address  Port RecvQ SendQ\r\n  TCP[HOST_FORWARD]   3       127.0.0.1 46131  \
                          10.0.2.15    22     0     0\r\n";
        assert_eq!(forwarded_port(table).unwrap(), 46131);
        assert!(forwarded_port("").is_err());
    }

    #[test]
    fn a_process_does_not_outlive_its_value() {
        let log = || tempfile::tempfile().unwrap();
        let (process, serial) = spawn(Cmd::new("cat"), log(), log()).unwrap();
        let proc_dir = PathBuf::from(format!("/proc/{}", process.lock().id()));
        serial.send_line("hello").unwrap();
        serial.expect("hello", Duration::from_secs(10)).unwrap();
        assert!(process.is_running() && proc_dir.exists());
        drop(process);
        assert!(!proc_dir.exists());
        let err = serial.expect("more", Duration::from_secs(10)).unwrap_err();
        assert_eq!(err.to_string(), "the machine ended before `more` appeared:\n    hello");
    }
}
