//! Mounts that nobody else sees: a thread of its own with a private mount namespace, in which the
//! file system is the root directory. No symbolic link in it can lead outside, and a process that
//! is killed leaves no mount behind. See mount_namespaces(7).

use std::fs::File;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chroot, fchdir};

use crate::term::WithHint;

/// How often unmounting is tried while something still holds the file system, and how long apart.
const UNMOUNT_TRIES: u32 = 20;
const UNMOUNT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Mounts `device` in a private namespace, runs `edit` with the file system as `/` and unmounts
/// it. Paths inside `edit` start at the root of the file system.
pub fn inside<T: Send>(
    device: &Path,
    fstype: &str,
    edit: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let how = How { device, fstype, flags: MsFlags::empty(), options: None };
    apart(how, edit)
}

/// Does the same without changing the file system: not even its journal is replayed. `look` may
/// start threads, which see what it sees.
pub fn inside_read_only<T: Send>(
    device: &Path,
    fstype: ReadOnly,
    look: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let (fstype, options) = match fstype {
        ReadOnly::Ext4 => ("ext4", "noload"),
        // A copy of a file system may be mounted at the same time.
        ReadOnly::Xfs => ("xfs", "norecovery,nouuid"),
    };
    let how = How { device, fstype, flags: MsFlags::MS_RDONLY, options: Some(options) };
    apart(how, look)
}

/// File systems that can be mounted without changing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnly {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
}

struct How<'a> {
    device: &'a Path,
    fstype: &'a str,
    flags: MsFlags,
    options: Option<&'a str>,
}

fn apart<T: Send>(how: How<'_>, edit: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let device = how.device;
    let dir = tempfile::Builder::new().prefix("nestos-mount-").tempdir()?;
    thread::scope(|scope| {
        // unshare(CLONE_NEWNS) gives this thread alone its own root and mount table.
        let worker = scope.spawn(|| in_namespace(&how, dir.path(), edit));
        let failed = |_panic| Err(anyhow!("working in {} failed", device.display()));
        worker.join().unwrap_or_else(failed)
    })
}

/// Fails with advice when this process may not mount, before anything depends on it.
pub fn check_available() -> Result<()> {
    thread::scope(|scope| {
        let probe = scope.spawn(private_namespace);
        probe.join().unwrap_or_else(|_panic| Err(anyhow!("probing for mounts failed")))
    })
    .hint("mounting needs root, and in a container also CAP_SYS_ADMIN")
}

/// Enters a mount namespace for the rest of this process: what it mounts or remounts is seen by
/// nobody else, while what others mount and unmount still arrives. The process must not have
/// started a thread yet, because threads that exist keep the old namespace.
pub fn enter_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)
        .context("cannot make a mount namespace")
        .hint("this needs root, and in a container also CAP_SYS_ADMIN")?;
    keep_mounts_from_others()
}

fn private_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a private mount namespace")?;
    keep_mounts_from_others()
}

/// What others unmount goes away here too: it would keep their disks busy.
fn keep_mounts_from_others() -> Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .context("cannot keep mounts from others")
}

fn in_namespace<T>(how: &How<'_>, dir: &Path, edit: impl FnOnce() -> Result<T>) -> Result<T> {
    private_namespace()?;
    let outside = File::open("/").context("cannot open /")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | how.flags;
    mount(Some(how.device), dir, Some(how.fstype), flags, how.options)
        .with_context(|| format!("cannot mount {} as {}", how.device.display(), how.fstype))?;
    let edited = chroot(dir)
        .and_then(|()| nix::unistd::chdir("/"))
        .with_context(|| format!("cannot enter {}", dir.display()))
        .and_then(|()| edit());
    let left = fchdir(&outside)
        .and_then(|()| chroot("."))
        .context("cannot leave the mounted file system")
        .and_then(|()| unmount(dir));
    // The first cause stays on top: what `edit` says comes before what unmounting says.
    let value = edited?;
    left?;
    Ok(value)
}

fn unmount(dir: &Path) -> Result<()> {
    for _ in 1..UNMOUNT_TRIES {
        match umount2(dir, MntFlags::empty()) {
            Err(Errno::EBUSY) => thread::sleep(UNMOUNT_PAUSE),
            other => return other.with_context(|| format!("cannot unmount {}", dir.display())),
        }
    }
    umount2(dir, MntFlags::empty()).with_context(|| format!("cannot unmount {}", dir.display()))
}
