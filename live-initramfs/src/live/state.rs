//! What of a live system can be written: /etc and /var, both in RAM. The root file system itself
//! stays read-only, as that of a disk does.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::command_line::CommandLine;
use nestos_host::term::{self, WithHint};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::source::{Appended, Source};
use super::{command_line, osmet};
use crate::console;

const EPHEMERAL: &str = "/run/ephemeral";
/// Their existence tells libostree and services what this is.
const MARKS: [&str; 2] = ["/run/ostree-live", "/run/ostree/initramfs-mount-var"];

/// Adds `ostree=` for ostree-prepare-root: the one deployment of the live root.
pub(crate) fn add_ostree() -> Result<()> {
    let path = deployment(Path::new("/sysroot")).map_err(console::report)?;
    command_line::add_ostree(&path)
}

/// Makes /etc and /var writable and leaves what the real root looks for.
pub(crate) fn set_up() -> Result<()> {
    set_up_all().map_err(console::report)
}

fn set_up_all() -> Result<()> {
    check_kernel(Path::new("/sysroot"))?;
    fs::create_dir_all(EPHEMERAL).with_context(|| format!("cannot create {EPHEMERAL}"))?;
    let none = None::<&str>;
    mount(Some("nestos-ephemeral"), EPHEMERAL, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
        .with_context(|| format!("cannot mount a tmpfs on {EPHEMERAL}"))?;
    for dir in ["etc", "work", "var"] {
        let dir = Path::new(EPHEMERAL).join(dir);
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let layers = format!("lowerdir=/sysroot/etc,upperdir={EPHEMERAL}/etc,workdir={EPHEMERAL}/work");
    mount(
        Some("nestos-etc"),
        "/sysroot/etc",
        Some("overlay"),
        MsFlags::empty(),
        Some(layers.as_str()),
    )
    .context("cannot make /etc writable")?;
    let var = Path::new(EPHEMERAL).join("var");
    mount(Some(&var), "/sysroot/var", none, MsFlags::MS_BIND, none)
        .context("cannot mount a writable /var")?;
    // It names the file systems of a disk.
    match fs::remove_file("/sysroot/etc/fstab") {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).context("cannot remove /etc/fstab");
        }
        _ => {}
    }
    for mark in MARKS.map(Path::new) {
        if let Some(dir) = mark.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        fs::write(mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
    }
    let line = CommandLine::parse(&command_line::read()?);
    if let Err(err) = osmet::keep(&Source::of(&line, Appended::look())) {
        // The system itself is complete; only installing needs the network then.
        term::warning(format!("an installation without network will not be possible: {err:#}"));
    }
    Ok(())
}

/// Unmounts the /var in RAM, if the config brings one of its own: the real root mounts that.
pub(crate) fn release_var() -> Result<()> {
    if !has_own_var(Path::new("/sysroot"))? {
        return Ok(());
    }
    term::status("the config has a /var of its own");
    umount2("/sysroot/var", MntFlags::MNT_DETACH).context("cannot unmount the /var in RAM")
}

fn has_own_var(sysroot: &Path) -> Result<bool> {
    if sysroot.join("etc/systemd/system/var.mount").symlink_metadata().is_ok() {
        return Ok(true);
    }
    match fs::read_to_string(sysroot.join("etc/fstab")) {
        Ok(text) => Ok(text.lines().any(mounts_var)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).context("cannot read /sysroot/etc/fstab"),
    }
}

fn mounts_var(line: &str) -> bool {
    let mut fields = line.split_whitespace();
    let source = fields.next().unwrap_or("#");
    !source.starts_with('#') && matches!(fields.next(), Some("/var" | "/var/"))
}

/// Fails when the root file system has no modules for the kernel that runs.
fn check_kernel(sysroot: &Path) -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("no kernel release")?;
    let release = release.trim();
    let modules = sysroot.join("usr/lib/modules");
    if modules.join(release).is_dir() {
        return Ok(());
    }
    let have: Vec<String> = fs::read_dir(&modules)
        .map(|list| list.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    Err(anyhow!(
        "the kernel is {release}, but the root file system has modules for {}",
        if have.is_empty() { "none".to_owned() } else { have.join(", ") }
    ))
    .hint("take kernel, initramfs and rootfs of one and the same build")
}

/// Returns the value of `ostree=` for the first deployment.
fn deployment(sysroot: &Path) -> Result<String> {
    let boot = sysroot.join("ostree/boot.1");
    let mut at = boot.clone();
    for _ in ["stateroot", "checksum"] {
        at = first_in(&at)
            .with_context(|| format!("no deployment below {}", boot.display()))
            .hint("the rootfs is not one that nosa made")?;
    }
    let path = at.join("0");
    let inside = path.strip_prefix(sysroot).context("a path outside of /sysroot")?;
    Ok(Path::new("/").join(inside).display().to_string())
}

fn first_in(dir: &Path) -> Result<std::path::PathBuf> {
    let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut paths: Vec<_> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().next().with_context(|| format!("{} is empty", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deployment_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let err = deployment(dir.path()).unwrap_err();
        assert!(format!("{err:#}").contains("boot.1"));
        fs::create_dir_all(dir.path().join("ostree/boot.1/nestos/abc/0")).unwrap();
        assert_eq!(deployment(dir.path()).unwrap(), "/ostree/boot.1/nestos/abc/0");
    }

    #[test]
    fn a_var_of_the_config_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        fs::create_dir_all(etc.join("systemd/system")).unwrap();
        assert!(!has_own_var(dir.path()).unwrap());
        fs::write(etc.join("fstab"), "# LABEL=x /var ext4\n/dev/vdb /var/lib xfs\n").unwrap();
        assert!(!has_own_var(dir.path()).unwrap());
        fs::write(etc.join("fstab"), "LABEL=x  /var ext4 defaults 0 2\n").unwrap();
        assert!(has_own_var(dir.path()).unwrap());
        fs::remove_file(etc.join("fstab")).unwrap();
        fs::write(etc.join("systemd/system/var.mount"), "").unwrap();
        assert!(has_own_var(dir.path()).unwrap());
    }
}
