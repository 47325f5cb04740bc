//! How far an unattended installation is: for programs on the virtio port `nestos.installer`, one
//! JSON object a line, and for later steps in `/run/nestos-installer`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::atomic;
use nix::libc::O_NONBLOCK;
use serde_json::{Value, json};

const PORT: &str = "dev/virtio-ports/nestos.installer";
const KERNEL_LOG: &str = "dev/kmsg";
const DIRECTORY: &str = "run/nestos-installer";

/// What an installation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The installer runs.
    Started,
    /// The disk holds the system; hooks may follow.
    Installed(PathBuf),
    /// Everything is done, and the machine goes on.
    Done(PathBuf),
    /// Nothing had to be done: the disk has the mark of an earlier installation.
    Already(PathBuf),
    /// It failed.
    Failed(Failure),
}

/// Why an installation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the installer said.
    pub(crate) reason: String,
    /// Whether a disk was written to, if that is known.
    pub(crate) written: Option<bool>,
}

impl State {
    fn to_json(&self) -> Value {
        match self {
            Self::Started => json!({"state": "started"}),
            Self::Installed(disk) => json!({"state": "installed", "disk": disk}),
            Self::Done(disk) => json!({"state": "done", "disk": disk}),
            Self::Already(disk) => json!({"state": "already-installed", "disk": disk}),
            Self::Failed(failure) => failure.to_json(),
        }
    }
}

impl Failure {
    fn to_json(&self) -> Value {
        json!({"state": "failed", "reason": self.reason, "written": self.written})
    }

    fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let reason = value.get("reason")?.as_str()?.to_owned();
        Some(Self { reason, written: value.get("written").and_then(Value::as_bool) })
    }
}

/// Returns the directory of what one step leaves for the next; makes it.
pub(crate) fn directory(root: &Path) -> Result<PathBuf> {
    let dir = root.join(DIRECTORY);
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Tells programs outside of the machine, and the kernel's log, which netconsole sends on.
pub(crate) fn tell(root: &Path, state: &State) {
    let line = state.to_json().to_string();
    for (path, line) in [
        (root.join(PORT), format!("{line}\n")),
        (root.join(KERNEL_LOG), format!("<5>nestos-installer: {line}\n")),
    ] {
        // A port that nobody listens to would block for ever; most machines have none at all.
        let open = File::options().append(true).custom_flags(O_NONBLOCK).open(path);
        drop(open.and_then(|mut file| file.write_all(line.as_bytes())));
    }
}

/// Keeps a failure for whoever explains it.
pub(crate) fn keep(root: &Path, failure: &Failure) -> Result<()> {
    let text = failure.to_json().to_string();
    atomic::write(&directory(root)?.join("failure"), text.as_bytes(), 0o600)
}

/// Returns the failure that was kept.
pub(crate) fn kept(root: &Path) -> Option<Failure> {
    let text = fs::read_to_string(root.join(DIRECTORY).join("failure")).ok()?;
    Failure::from_json(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_one_line_per_state() {
        let root = tempfile::tempdir().unwrap();
        let port = root.path().join(PORT);
        tell(root.path(), &State::Started);
        assert!(!port.exists(), "a port is never made");
        fs::create_dir_all(port.parent().unwrap()).unwrap();
        fs::write(&port, "").unwrap();
        let failure = Failure { reason: "error: \"x\"\nhint: y".to_owned(), written: Some(false) };
        tell(root.path(), &State::Started);
        tell(root.path(), &State::Done("/dev/vda".into()));
        tell(root.path(), &State::Failed(failure.clone()));
        assert_eq!(
            fs::read_to_string(&port).unwrap(),
            "{\"state\":\"started\"}\n{\"disk\":\"/dev/vda\",\"state\":\"done\"}\n\
             {\"reason\":\"error: \\\"x\\\"\\nhint: y\",\"state\":\"failed\",\"written\":false}\n"
        );
        assert_eq!(kept(root.path()), None);
        keep(root.path(), &failure).unwrap();
        assert_eq!(kept(root.path()), Some(failure));
    }
}
