//! Which QEMU there is and what it can run guests with.
//!
//! `/dev/kvm` proves nothing: in some nested environments guests hang on it, or crawl. So a boot
//! sector that sleeps through five timer interrupts and leaves by a debug port is run first; that
//! takes a fraction of a second where KVM works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::clock;
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;
use serde::{Deserialize, Serialize};

/// Where QEMU may be; the second and third names are those of openEuler.
const PROGRAMS: [&str; 3] = ["qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm"];
const INSTALL: &str = "install qemu-system-x86 (on Debian 12 from bookworm-backports)";

/// How long the probe may take; a working KVM needs a tenth of it.
const PROBE_TIME: Duration = Duration::from_secs(3);
/// `sti`, five times `hlt`, `out 0xf4, 0x2a`, and a loop.
const PROBE_CODE: [u8; 14] =
    [0xfb, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xba, 0xf4, 0x00, 0xb0, 0x2a, 0xee, 0xeb, 0xfe];
/// What isa-debug-exit makes of 0x2a.
const PROBE_STATUS: i32 = 0x2a << 1 | 1;

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl Accelerator {
    /// Returns the value of QEMU's `-accel`.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }

    /// Returns the best accelerator that works on this host; the answer is kept.
    pub fn best() -> Self {
        static BEST: OnceLock<Accelerator> = OnceLock::new();
        *BEST.get_or_init(|| match Qemu::find().and_then(|qemu| qemu.kvm_works()) {
            Ok(true) => Self::Kvm,
            // Whatever keeps QEMU from starting at all comes up again, with TCG.
            Ok(false) | Err(_) => Self::Tcg,
        })
    }
}

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QemuVersion {
    major: u32,
    minor: u32,
}

/// QEMU 7.2 breaks 6.12 guests under TCG every time (they panic with garbage in EFLAGS).
const OLDEST_FOR_TCG: QemuVersion = QemuVersion { major: 8, minor: 0 };

impl FromStr for QemuVersion {
    type Err = anyhow::Error;

    /// Reads the first line of `qemu --version`.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut numbers = text.split("version ").nth(1)?.split(['.', ' ', '\n']);
            let major = numbers.next()?.parse().ok()?;
            let minor = numbers.next()?.parse().ok()?;
            Some(Self { major, minor })
        };
        parse().ok_or_else(|| anyhow!("cannot find QEMU's version in {text:?}"))
    }
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The QEMU of this host.
#[derive(Debug, Clone)]
pub(crate) struct Qemu {
    pub(crate) program: PathBuf,
    pub(crate) version: QemuVersion,
}

impl Qemu {
    /// Finds QEMU in `PATH` and where distributions hide it.
    pub(crate) fn find() -> Result<Self> {
        for program in PROGRAMS {
            if let Ok(text) = Cmd::new(program).arg("--version").output() {
                return Ok(Self { program: PathBuf::from(program), version: text.parse()? });
            }
        }
        Err(anyhow!("cannot find QEMU (looked for {})", PROGRAMS.join(", "))).hint(INSTALL)
    }

    /// Refuses a QEMU that cannot run our guests with `accelerator`.
    pub(crate) fn require(&self, accelerator: Accelerator) -> Result<()> {
        if accelerator == Accelerator::Tcg && self.version < OLDEST_FOR_TCG {
            let version = self.version;
            return Err(anyhow!(
                "QEMU {version} cannot run a current kernel without KVM, {OLDEST_FOR_TCG} can"
            ))
            .hint(INSTALL);
        }
        Ok(())
    }

    fn kvm_works(&self) -> Result<bool> {
        if !Path::new("/dev/kvm").exists() {
            return Ok(false);
        }
        let dir = tempfile::tempdir().context("cannot make a directory for the KVM probe")?;
        let image = dir.path().join("probe.img");
        std::fs::write(&image, probe_sector()).context("cannot write the KVM probe")?;
        let mut child = Cmd::new(&self.program)
            .args(["-M", "pc", "-accel", "kvm", "-cpu", "max", "-m", "64", "-nodefaults"])
            .args(["-no-user-config", "-display", "none"])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive"])
            .arg(format!("file={},format=raw,if=ide,snapshot=on", image.display()))
            .spawn(Stdio::null(), Stdio::null(), Stdio::null())?;
        let ended = wait(&mut child, PROBE_TIME);
        if !matches!(ended, Ok(Some(_))) {
            // It may have ended by now; then there is nothing to kill.
            drop(child.kill());
            child.wait().context("cannot end the KVM probe")?;
        }
        Ok(ended?.and_then(|status| status.code()) == Some(PROBE_STATUS))
    }
}

/// Waits for a program for at most `timeout`; `None` when it still runs.
pub(crate) fn wait(child: &mut Child, timeout: Duration) -> Result<Option<ExitStatus>> {
    let deadline = clock::instant() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if clock::instant() >= deadline => return Ok(None),
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(e) => bail!("cannot wait for process {}: {e}", child.id()),
        }
    }
}

fn probe_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    sector[..PROBE_CODE.len()].copy_from_slice(&PROBE_CODE);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_qemu_prints() {
        let cases = [
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright", (10, 0)),
            ("QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7)", (7, 2)),
            ("QEMU emulator version 8.2.0", (8, 2)),
        ];
        for (text, (major, minor)) in cases {
            assert_eq!(text.parse::<QemuVersion>().unwrap(), QemuVersion { major, minor });
        }
        assert!("qemu: not found".parse::<QemuVersion>().is_err());
    }

    #[test]
    fn an_old_qemu_is_refused_without_kvm_and_says_what_to_install() {
        let version = QemuVersion { major: 7, minor: 2 };
        let qemu = Qemu { program: PathBuf::from("qemu"), version };
        qemu.require(Accelerator::Kvm).unwrap();
        let err = qemu.require(Accelerator::Tcg).unwrap_err();
        assert_eq!(
            nestos_host::term::error_lines(&err),
            [
                "error: QEMU 7.2 cannot run a current kernel without KVM, 8.0 can",
                "hint: install qemu-system-x86 (on Debian 12 from bookworm-backports)"
            ]
        );
    }

    #[test]
    fn the_probe_is_a_boot_sector() {
        assert_eq!(probe_sector()[510..], [0x55, 0xaa]);
    }
}
