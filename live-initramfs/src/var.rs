//! The stateful /var, mounted and populated before Ignition writes files: user creation needs
//! /var/home, and files below /opt, /srv or /usr/local end up there as well.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::command_line::CommandLine;
use nestos_host::cmd::Cmd;
use nestos_host::term;

/// What of tmpfiles.d belongs to an empty /var.
const PREFIXES: [&str; 11] = [
    "/var/home",
    "/var/roothome",
    "/var/opt",
    "/var/srv",
    "/var/usrlocal",
    "/var/mnt",
    "/var/lib",
    "/var/log",
    "/var/cache",
    "/var/spool",
    "/var/tmp",
];

/// Bind-mounts the stateroot's var on `/sysroot/var`.
pub(crate) fn mount() -> Result<()> {
    let cmdline = std::fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")?;
    let stateroot = stateroot(&cmdline)?;
    let var = Path::new("/sysroot/sysroot/ostree/deploy").join(stateroot).join("var");
    Cmd::new("mount").arg("--bind").arg(&var).arg("/sysroot/var").run()
}

/// Creates the directories of what is mounted on `/sysroot/var`, which may be a file system that
/// the config made.
pub(crate) fn populate() -> Result<()> {
    let tmpfiles = Cmd::new("systemd-tmpfiles")
        .args(["--root=/sysroot", "--create", "--boot"])
        .args(PREFIXES.map(|p| format!("--prefix={p}")))
        .run();
    if let Err(err) = tmpfiles {
        // It reports lines it cannot apply yet (unknown users, for instance) and applies the rest;
        // the real root runs it again.
        term::warning(format!("{err}"));
    }
    Ok(())
}

/// Returns the stateroot named by `ostree=/ostree/boot.N/STATEROOT/CHECKSUM/N`.
fn stateroot(cmdline: &str) -> Result<String> {
    let line = CommandLine::parse(cmdline);
    let path = line.values("ostree").last().unwrap_or_default();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", "ostree", _, stateroot, _, _] if !stateroot.is_empty() => Ok(stateroot.to_owned()),
        _ => bail!("kernel argument ostree={path:?} names no deployment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stateroot_is_read_from_the_kernel_argument() {
        let line = "root=LABEL=root odd='\\ ostree=/ostree/boot.1/nestos/abc/0 rw\n";
        assert_eq!(stateroot(line).unwrap(), "nestos");
    }

    #[test]
    fn a_command_line_without_a_deployment_is_an_error() {
        for line in ["rw", "ostree=", "ostree=/ostree/boot.1//abc/0", "ostree=/x"] {
            assert!(stateroot(line).is_err(), "{line}");
        }
    }
}
