//! Kernel and initramfs, both in /usr/lib/modules/RELEASE where libostree looks for them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term::WithHint;

use crate::chroot::Chroot;
use crate::config::manifest::Manifest;

/// Moves the kernel out of /boot and returns its release.
pub(super) fn place_kernel(root: &Path) -> Result<String> {
    let modules = root.join("usr/lib/modules");
    let list = fs::read_dir(&modules).map_err(|_e| anyhow!("the tree has no kernel"));
    let mut releases = Vec::new();
    for entry in list.hint("add a kernel package to \"packages\"")? {
        releases.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let release = match &releases[..] {
        [one] => one.clone(),
        [] => bail!("the tree has no kernel below /usr/lib/modules"),
        many => bail!("the tree has {} kernels, one is needed: {}", many.len(), many.join(", ")),
    };
    let dir = modules.join(&release);
    for (from, to) in [("vmlinuz", "vmlinuz"), ("config", "config"), ("System.map", "System.map")] {
        let source = root.join("boot").join(format!("{from}-{release}"));
        if source.exists() {
            fs::rename(&source, dir.join(to))
                .with_context(|| format!("cannot move {}", source.display()))?;
        }
    }
    if !dir.join("vmlinuz").is_file() {
        bail!("no kernel image for {release}, in /boot or below /usr/lib/modules");
    }
    let boot = root.join("boot");
    super::remove_if_there(&boot)?;
    fs::create_dir(&boot).context("cannot create /boot")?;
    let list = fs::read_dir(root).with_context(|| format!("cannot list {}", root.display()))?;
    for entry in list {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("vmlinuz") || text.starts_with("initrd.img") {
            super::remove_if_there(&root.join(&name))?;
        }
    }
    Ok(release)
}

/// Runs dracut and returns the size of the result in bytes.
pub(super) fn make(
    chroot: &Chroot,
    root: &Path,
    release: &str,
    manifest: &Manifest,
    log: &Path,
) -> Result<u64> {
    let inside = format!("/usr/lib/modules/{release}/initramfs.img");
    let path = root.join(inside.trim_start_matches('/'));
    chroot
        .cmd("dracut")
        .env("SOURCE_DATE_EPOCH", "0")
        .args(["--force", "--no-hostonly", "--reproducible", "--kver", release])
        .args(&manifest.initramfs_args)
        .arg(&inside)
        .log(log)
        .run()
        .context("cannot make the initramfs")?;
    let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    check_log(&String::from_utf8_lossy(&text))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
        .with_context(|| format!("dracut made no {}", path.display()))?;
    Ok(path.metadata()?.len())
}

/// dracut drops a module that it cannot install and still succeeds; such an image would not boot.
fn check_log(log: &str) -> Result<()> {
    let dropped = ["cannot be found or installed", "can't be installed", "cannot be installed"];
    match log.lines().find(|l| dropped.iter().any(|text| l.contains(text))) {
        Some(line) => bail!("dracut left out a module: {}", line.trim()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_dracut_dropped_is_an_error() {
        assert!(check_log("dracut[I]: *** Including module: bash ***\n").is_ok());
        let log = "dracut[E]: Module 'nestos' cannot be installed.\n";
        assert!(check_log(log).unwrap_err().to_string().contains("'nestos'"));
    }
}
