//! `/init` of a live initramfs: settles the kernel command line before anything reads it, then
//! becomes systemd. Whatever goes wrong here is said in the kernel's log and does not keep the
//! machine from booting.

use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::panic;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use nestos_host::exit::Exit;
use nestos_host::term;
use nix::mount::{MsFlags, mount};

use super::{Image, command_line};

const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// Prepares and executes systemd with the arguments that the kernel gave; returns only when there
/// is no systemd.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let prepared = panic::catch_unwind(prepare);
    if let Err(err) = prepared.unwrap_or_else(|_panic| Err(anyhow!("an internal error"))) {
        log(&format!("the kernel command line stays as it is: {err:#}"));
    }
    let args: Vec<CString> = args.filter_map(|a| CString::new(a.into_vec()).ok()).collect();
    if let Err(err) = CString::new(SYSTEMD)
        .map_err(anyhow::Error::from)
        .and_then(|path| Ok(nix::unistd::execv(&path, &args).map(drop)?))
    {
        log(&format!("cannot execute {SYSTEMD}: {err}"));
    }
    Exit::Failed.into()
}

fn prepare() -> Result<()> {
    // systemd takes over what is mounted (src/shared/mount-setup.c), so the options are its own.
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if !Path::new("/proc/self").exists() {
        make_mount("proc", "/proc", quiet, None)?;
    }
    if Image::find(Path::new("/"))?.is_none() {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_STRICTATIME;
    make_mount("tmpfs", "/run", flags, Some("mode=0755,size=20%,nr_inodes=800k"))?;
    command_line::set_up()
}

fn make_mount(fstype: &str, to: &str, flags: MsFlags, options: Option<&str>) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {to}"))?;
    mount(Some(fstype), to, Some(fstype), flags, options)
        .with_context(|| format!("cannot mount {to}"))
}

/// Writes to the kernel's log; without one, to wherever stderr leads.
fn log(line: &str) {
    let line = format!("nestos-live: {line}");
    let kmsg = Path::new("/dev/kmsg");
    if !kmsg.exists() {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME;
        drop(make_mount("devtmpfs", "/dev", flags, Some("mode=0755,size=4m,nr_inodes=1m")));
    }
    if fs::write(kmsg, format!("<3>{line}\n")).is_err() {
        term::status(line);
    }
}
