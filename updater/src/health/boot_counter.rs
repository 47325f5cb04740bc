//! Boot counting as grub.cfg does it: a deployment on trial has `boot_counter` boots, and when they
//! are used up GRUB takes the second entry and sets -1. See `builder/src/disk/grub.cfg`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::grubenv::Grubenv;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};
use tracing::{debug, warn};

use super::grubenv;
use crate::daemon::paths::Paths;

/// Boots that a deployment on trial has.
pub const TRIES: u32 = 3;

/// What GRUB's counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Nothing is on trial.
    Unset,
    /// A trial runs.
    Counting,
    /// GRUB gave up and booted the second entry.
    FellBack,
}

/// Reads the counter. A block that cannot be read counts nothing: GRUB does not read it either.
pub fn read(paths: &Paths) -> Counter {
    match grubenv::read(&paths.grubenv) {
        Ok(env) => counter(&env),
        Err(error) => {
            warn!(error = format!("{error:#}"), "boots are not counted");
            Counter::Unset
        }
    }
}

/// Puts the default entry on trial, with all its tries.
pub fn arm(paths: &Paths) -> Result<()> {
    change(paths, |env| {
        env.set("boot_counter", &TRIES.to_string());
        env.set("boot_success", "0");
    })
}

/// Ends the counting; the default entry counts as good.
pub fn clear(paths: &Paths) -> Result<()> {
    change(paths, |env| {
        env.unset("boot_counter");
        env.set("boot_success", "1");
    })
}

fn counter(env: &Grubenv) -> Counter {
    match env.get("boot_counter").as_deref() {
        None | Some("") => Counter::Unset,
        Some("-1") => Counter::FellBack,
        Some(_) => Counter::Counting,
    }
}

/// Writes the block if `edit` changes it. One that cannot be read is begun anew.
fn change(paths: &Paths, edit: impl Fn(&mut Grubenv)) -> Result<()> {
    let before = grubenv::read(&paths.grubenv).ok();
    let mut env = before.clone().unwrap_or_default();
    edit(&mut env);
    if before.as_ref() == Some(&env) {
        return Ok(());
    }
    make_writable(&paths.boot)?;
    grubenv::write(&env, &paths.grubenv)
}

/// Makes the boot partition writable for this process: it is mounted read-only, and stays so for
/// all others, because the remount is done in a mount namespace of our own.
pub fn make_writable(boot: &Path) -> Result<()> {
    let now = statvfs(boot).with_context(|| format!("cannot examine {}", boot.display()))?.flags();
    if !now.contains(FsFlags::ST_RDONLY) {
        return Ok(());
    }
    own_namespace()?;
    // A remount takes away the flags it does not repeat.
    let mut flags = MsFlags::MS_REMOUNT;
    for (is, keep) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
    ] {
        if now.contains(is) {
            flags |= keep;
        }
    }
    let none = None::<&str>;
    match mount(none, boot, none, flags, none) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL) => bail!("{} is read-only and no mount point", boot.display()),
        Err(e) => Err(e).with_context(|| format!("cannot remount {} writable", boot.display())),
    }
}

/// Leaves the mount namespace of the system, unless the service manager has seen to that.
fn own_namespace() -> Result<()> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt"));
    match (namespace("self"), namespace("1")) {
        (Ok(own), Ok(init)) if own != init => return Ok(()),
        (own, init) => debug!(?own, ?init, "making a mount namespace"),
    }
    nestos_host::mount::enter_namespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        std::fs::create_dir_all(root.path().join("boot/grub2")).unwrap();
        (root, paths)
    }

    #[test]
    fn a_trial_is_armed_and_cleared() {
        let (_root, paths) = boot();
        assert_eq!(read(&paths), Counter::Unset);
        arm(&paths).unwrap();
        assert_eq!(read(&paths), Counter::Counting);
        clear(&paths).unwrap();
        assert_eq!(read(&paths), Counter::Unset);
        let env = grubenv::read(&paths.grubenv).unwrap();
        assert_eq!(env.get("boot_success").as_deref(), Some("1"));
    }

    #[test]
    fn a_boot_that_is_already_confirmed_writes_nothing() {
        let (_root, paths) = boot();
        clear(&paths).unwrap();
        let written = |p: &Paths| std::fs::metadata(&p.grubenv).unwrap();
        let before = std::os::unix::fs::MetadataExt::ino(&written(&paths));
        clear(&paths).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&written(&paths)), before);
    }

    #[test]
    fn an_unreadable_block_is_begun_anew() {
        let (_root, paths) = boot();
        std::fs::write(&paths.grubenv, "rubbish").unwrap();
        assert_eq!(read(&paths), Counter::Unset);
        arm(&paths).unwrap();
        assert_eq!(read(&paths), Counter::Counting);
    }

    #[test]
    fn every_value_of_the_counter_means_something() {
        for (value, expected) in [
            ("3", Counter::Counting),
            ("0", Counter::Counting),
            ("-1", Counter::FellBack),
            ("", Counter::Unset),
        ] {
            let mut env = Grubenv::default();
            env.set("boot_counter", value);
            assert_eq!(counter(&env), expected, "{value:?}");
        }
    }
}
