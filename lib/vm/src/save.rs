//! A machine on disk: memory, disks, firmware variables. Tests that need a machine which has
//! already booted start from it instead of booting again, each with overlays of its own.
//!
//! The base images below the saved overlays are not copied: they must stay where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::clock;
use nestos_host::term::WithHint;
use serde_json::json;

use crate::image;
use crate::launch::{Origin, launch};
use crate::machine::{Access, Disk, Format, Machine};
use crate::qmp::Qmp;
use crate::vm::Vm;

const MEMORY: &str = "memory";
const VARS: &str = "vars.fd";
const MACHINE: &str = "machine.json";
/// How long writing the guest's memory may take.
const SAVE_TIME: Duration = Duration::from_secs(300);
/// How long QEMU may take to quit.
const QUIT_TIME: Duration = Duration::from_secs(60);

/// A machine that was saved while it ran.
#[derive(Debug, Clone)]
pub struct SavedMachine {
    machine: Machine,
    dir: PathBuf,
}

impl Vm {
    /// Saves the machine in `dir` and ends it. Its disks must be overlays.
    pub fn save(self, dir: &Path) -> Result<SavedMachine> {
        let name = self.machine.name.clone();
        self.save_in(dir).with_context(|| format!("cannot save {name} in {}", dir.display()))
    }

    fn save_in(self, dir: &Path) -> Result<SavedMachine> {
        if let Some(disk) = self.machine.disks.iter().find(|d| d.access == Access::InPlace) {
            return Err(anyhow!("{} is attached in place", disk.path.display()))
                .hint("attach it with Disk::overlay");
        }
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        self.pause()?;
        write_memory(&self.qmp, &dir.join(MEMORY))?;
        // QEMU may close the socket before it answers; that it ends is checked below.
        drop(self.qmp.execute("quit", json!({})));
        self.wait_off(QUIT_TIME)?;

        let mut machine = self.machine.clone();
        for (index, image) in self.files.disks.iter().enumerate() {
            let path = dir.join(format!("disk{index}.qcow2"));
            image::move_file(&image.path, &path)?;
            let disk = machine.disks[index].clone();
            machine.disks[index] =
                Disk { path, format: Format::Qcow2, access: Access::Overlay, size: None, ..disk };
        }
        for (index, entry) in machine.fw_cfg.iter_mut().enumerate() {
            let path = dir.join(format!("fw_cfg-{index}"));
            fs::copy(&entry.file, &path)
                .with_context(|| format!("cannot copy {}", entry.file.display()))?;
            entry.file = path;
        }
        if let Some(uefi) = &self.files.uefi {
            image::move_file(&uefi.vars, &dir.join(VARS))?;
        }
        fs::write(dir.join(MACHINE), serde_json::to_vec_pretty(&machine)?)?;
        self.done()?;
        Ok(SavedMachine { machine, dir })
    }
}

impl SavedMachine {
    /// Finds a machine that [`Vm::save`] left in `dir`, earlier or in another process.
    pub fn load(dir: &Path) -> Result<Self> {
        let file = dir.join(MACHINE);
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let machine = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} describes no machine", file.display()))?;
        Ok(Self { machine, dir: dir.canonicalize()? })
    }

    /// Starts a copy of the machine where it was saved; the saved one stays as it is. The
    /// forwarded port differs, the guest's clock stands where it stood.
    pub fn start(&self) -> Result<Vm> {
        let origin = Origin::Saved { memory: self.dir.join(MEMORY), vars: self.dir.join(VARS) };
        launch(self.machine.clone(), &origin).with_context(|| {
            format!("cannot start {} from {}", self.machine.name, self.dir.display())
        })
    }
}

fn write_memory(qmp: &Qmp, to: &Path) -> Result<()> {
    qmp.execute("migrate", json!({ "uri": format!("file:{}", to.display()) }))?;
    let deadline = clock::instant() + SAVE_TIME;
    loop {
        let state = qmp.execute("query-migrate", json!({}))?;
        match state["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => {
                bail!("QEMU could not write the memory: {}", state["error-desc"]);
            }
            _ if clock::instant() >= deadline => {
                bail!("writing the memory took more than {} s", SAVE_TIME.as_secs());
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
