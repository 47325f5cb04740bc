//! From installed packages to the tree that is committed. The order is that of rpm-ostree:
//! packages, layers, removals, default target, os-release, postprocess, initramfs, ostree layout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use crate::chroot::Chroot;
use crate::config::Config;
use crate::config::manifest::Manifest;

mod initramfs;
mod layers;
mod os_release;
mod ostree_layout;
mod prune;

pub(crate) use layers::{LayerDir, layer_dirs};

/// A tree ready to be committed.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// Release of its kernel.
    pub(crate) kernel: String,
    /// Size of its initramfs in bytes.
    pub(crate) initramfs_bytes: u64,
}

/// What a tree is made from.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The config.
    pub(crate) config: &'a Config,
    /// Installed packages; not changed.
    pub(crate) rootfs: &'a Path,
    /// Overlays, in order.
    pub(crate) layers: &'a [LayerDir],
    /// Files that replace anything below them.
    pub(crate) overrides: &'a Path,
    /// Version of the build.
    pub(crate) version: &'a str,
    /// Where programs log.
    pub(crate) logs: &'a Path,
}

/// Composes a tree in the new directory `dir`.
pub(crate) fn compose(parts: &Parts<'_>, dir: &Path) -> Result<Tree> {
    let manifest = &parts.config.manifest;
    Cmd::new("cp").args(["--archive", "--reflink=auto"]).arg(parts.rootfs).arg(dir).run()?;
    layers::apply_all(dir, parts.layers, parts.overrides)?;
    prune::remove(dir, manifest)?;
    set_default_target(dir, manifest)?;
    os_release::write(dir, parts.version)?;
    let chroot = Chroot::new(dir);
    create_users(&chroot, dir, &parts.logs.join("sysusers.log"))?;
    run_postprocess(&chroot, manifest, parts.logs)?;
    os_release::settle(dir)?;
    let kernel = initramfs::place_kernel(dir)?;
    let initramfs_bytes =
        initramfs::make(&chroot, dir, &kernel, manifest, &parts.logs.join("dracut.log"))?;
    ostree_layout::convert(dir)?;
    Ok(Tree { dir: dir.to_owned(), kernel, initramfs_bytes })
}

/// Creates the users and groups that sysusers.d files of packages and overlays declare, so that
/// they exist before Ignition runs.
fn create_users(chroot: &Chroot, dir: &Path, log: &Path) -> Result<()> {
    if !dir.join("usr/bin/systemd-sysusers").exists() {
        return Ok(());
    }
    chroot.cmd("systemd-sysusers").log(log).run().context("cannot create the static users")
}

fn run_postprocess(chroot: &Chroot, manifest: &Manifest, logs: &Path) -> Result<()> {
    let count = manifest.postprocess.len();
    for (i, script) in manifest.postprocess.iter().enumerate() {
        chroot
            .script(script)
            .log(logs.join(format!("postprocess-{}.log", i + 1)))
            .run()
            .with_context(|| {
                let head = script.lines().find(|l| !l.starts_with("#!")).unwrap_or_default();
                format!("postprocess script {} of {count} failed ({})", i + 1, head.trim())
            })?;
    }
    Ok(())
}

fn set_default_target(dir: &Path, manifest: &Manifest) -> Result<()> {
    let Some(target) = &manifest.default_target else { return Ok(()) };
    let unit = Path::new("usr/lib/systemd/system").join(target);
    anyhow::ensure!(
        dir.join(&unit).exists(),
        "default-target {target:?} does not exist in the tree"
    );
    let link = dir.join("usr/lib/systemd/system/default.target");
    remove_if_there(&link)?;
    remove_if_there(&dir.join("etc/systemd/system/default.target"))?;
    symlink(target, &link)
}

/// Creates a symbolic link.
fn symlink(target: impl AsRef<Path>, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target.as_ref(), link)
        .with_context(|| format!("cannot create the link {}", link.display()))
}

/// Removes a file, a link or a directory with all it holds; nothing there is fine.
fn remove_if_there(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// Follows directory links of the tree (such as /lib -> usr/lib) without ever leaving it: returns
/// the path in `root` that `inside` stands for, the last component not followed.
fn resolve(root: &Path, inside: &Path) -> Result<PathBuf> {
    let mut done = PathBuf::new();
    let mut todo: Vec<_> = inside.components().rev().map(|c| c.as_os_str().to_owned()).collect();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            done.pop();
            continue;
        }
        if name == "." || name == "/" {
            continue;
        }
        let next = done.join(&name);
        let link = fs::read_link(root.join(&next));
        match link {
            Ok(target) if !todo.is_empty() => {
                links += 1;
                anyhow::ensure!(links < 40, "too many links in {}", inside.display());
                if target.is_absolute() {
                    done = PathBuf::new();
                }
                todo.extend(target.components().rev().map(|c| c.as_os_str().to_owned()));
            }
            _ => done = next,
        }
    }
    Ok(root.join(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("usr/lib", &root.join("lib")).unwrap();
        symlink("/usr", &root.join("abs")).unwrap();
        symlink("../../../etc", &root.join("usr/out")).unwrap();
        let resolved = |p: &str| resolve(root, Path::new(p)).unwrap();
        assert_eq!(resolved("lib/x/y"), root.join("usr/lib/x/y"));
        assert_eq!(resolved("abs/lib/x"), root.join("usr/lib/x"));
        assert_eq!(resolved("usr/out/passwd"), root.join("etc/passwd"));
        assert_eq!(resolved("lib"), root.join("lib"));
    }
}
