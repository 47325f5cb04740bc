//! Overlays: directories of `overlay.d`, our own tools, and `overrides/rootfs`.
//!
//! An overlay's files get root as owner and no more than the owner's write bit; set-id bits only by
//! its `statoverride` file (lines `=DECIMALMODE /path`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term::WithHint;

use super::{resolve, symlink};

/// Name of the file that sets modes.
const STATOVERRIDE: &str = "statoverride";
/// The layer with our own tools, laid out by `make install`.
const TOOLS_LAYER: &str = "nestos-tools";

/// Whether a layer may change what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// A different file in the way is an error.
    Refuse,
    /// It is replaced.
    Replace,
}

/// A directory to lay over the tree.
#[derive(Debug, Clone)]
pub(crate) struct LayerDir {
    /// Its name in the manifest.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// What happens to files in its way.
    pub(crate) conflict: Conflict,
}

/// Finds the directories of the layers a manifest names: `overlay/NAME` is `overlay.d/NAME`;
/// `overlay/nestos-tools` is `tools`.
pub(crate) fn layer_dirs(
    config: &crate::config::Config,
    tools: Option<&Path>,
) -> Result<Vec<LayerDir>> {
    let m = &config.manifest;
    let plain = m.layers.iter().map(|name| (name, Conflict::Refuse));
    let overriding = m.override_layers.iter().map(|name| (name, Conflict::Replace));
    let found = plain.chain(overriding).map(|(name, conflict)| {
        let short = name.strip_prefix("overlay/").unwrap_or(name);
        let dir = config.dir.join("overlay.d").join(short);
        let dir = match tools {
            _ if dir.is_dir() => dir,
            Some(tools) if short == TOOLS_LAYER => tools.to_owned(),
            None if short == TOOLS_LAYER => {
                return Err(anyhow!(
                    "the manifest wants the layer {name:?}, and its files are not here"
                ))
                .hint("make install DESTDIR=DIR PREFIX=/usr, then nosa init --tools-root DIR");
            }
            _ => {
                bail!("the manifest names the layer {name:?}, but {} does not exist", dir.display())
            }
        };
        Ok(LayerDir { name: name.clone(), dir, conflict })
    });
    found.collect()
}

/// Lays all layers over the tree, then the overrides.
pub(super) fn apply_all(root: &Path, layers: &[LayerDir], overrides: &Path) -> Result<()> {
    for layer in layers {
        apply(root, layer).with_context(|| format!("layer {:?}", layer.name))?;
    }
    if overrides.is_dir() {
        let layer = LayerDir {
            name: "overrides/rootfs".to_owned(),
            dir: overrides.to_owned(),
            conflict: Conflict::Replace,
        };
        apply(root, &layer).context("overrides/rootfs")?;
    }
    Ok(())
}

fn apply(root: &Path, layer: &LayerDir) -> Result<()> {
    let modes = read_statoverride(&layer.dir.join(STATOVERRIDE))?;
    copy_directory(root, layer, Path::new(""))?;
    for (path, mode) in modes {
        let target = resolve(root, Path::new(&path))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))
            .with_context(|| format!("{STATOVERRIDE} names {path}"))?;
    }
    Ok(())
}

fn read_statoverride(file: &Path) -> Result<BTreeMap<String, u32>> {
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().enumerate().map(|(i, l)| (i, l.trim()));
    let rules = lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#')).map(|(i, line)| {
        let rule = line.strip_prefix('=').and_then(|l| l.split_once(' '));
        let parsed = rule.and_then(|(mode, path)| {
            Some((path.trim().trim_start_matches('/').to_owned(), mode.parse::<u32>().ok()?))
        });
        parsed
            .filter(|(_, mode)| *mode <= 0o7777)
            .ok_or_else(|| anyhow!("{}:{}: expected \"=DECIMALMODE /path\"", file.display(), i + 1))
    });
    rules.collect()
}

fn copy_directory(root: &Path, layer: &LayerDir, inside: &Path) -> Result<()> {
    let source = layer.dir.join(inside);
    let list =
        fs::read_dir(&source).with_context(|| format!("cannot list {}", source.display()))?;
    let mut names: Vec<_> = list.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let inside = inside.join(&name);
        if inside == Path::new(STATOVERRIDE) {
            continue;
        }
        let from = layer.dir.join(&inside);
        let kind = read(&from, Path::symlink_metadata)?.file_type();
        // The tree has its /etc in place while it is composed.
        let place = inside.strip_prefix("usr/etc").map(|p| Path::new("etc").join(p));
        let place = place.as_deref().unwrap_or(&inside);
        if kind.is_dir() {
            // A link of the tree in a directory's place (/lib) is followed, not replaced.
            let to = resolve(root, &place.join("."))?;
            make_directory(&to)?;
            copy_directory(root, layer, &inside)?;
        } else if kind.is_symlink() || kind.is_file() {
            copy_file(root, layer, &from, place)?;
        } else {
            bail!("{} is neither file, directory nor link", from.display());
        }
    }
    Ok(())
}

fn make_directory(dir: &Path) -> Result<()> {
    if !dir.is_dir() {
        fs::create_dir_all(dir)
            .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot create {}", dir.display()))?;
    }
    Ok(())
}

fn copy_file(root: &Path, layer: &LayerDir, from: &Path, inside: &Path) -> Result<()> {
    let to = resolve(root, inside)?;
    if layer.conflict == Conflict::Refuse && to.symlink_metadata().is_ok() && !same(from, &to)? {
        return Err(anyhow!("/{} is already in the tree, with other content", inside.display()))
            .hint("list the layer under ostree-override-layers if it is meant to replace files");
    }
    super::remove_if_there(&to)?;
    let meta = read(from, Path::symlink_metadata)?;
    if meta.is_symlink() {
        return symlink(read(from, fs::read_link)?, &to);
    }
    let mode = if meta.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    fs::copy(from, &to)
        .and_then(|_| fs::set_permissions(&to, fs::Permissions::from_mode(mode)))
        .and_then(|()| std::os::unix::fs::chown(&to, Some(0), Some(0)))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let (ma, mb) = (read(a, Path::symlink_metadata)?, read(b, Path::symlink_metadata)?);
    if ma.is_symlink() && mb.is_symlink() {
        return Ok(read(a, fs::read_link)? == read(b, fs::read_link)?);
    }
    let alike = ma.is_file() && mb.is_file() && ma.len() == mb.len();
    Ok(alike && read(a, fs::read)? == read(b, fs::read)?)
}

/// Reads something of a path; the error names it.
fn read<'a, T>(path: &'a Path, how: impl Fn(&'a Path) -> std::io::Result<T>) -> Result<T> {
    how(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(dir: &Path, conflict: Conflict) -> LayerDir {
        LayerDir { name: "overlay/05core".to_owned(), dir: dir.to_owned(), conflict }
    }

    #[test]
    fn a_layer_lands_with_safe_modes_and_its_overrides() {
        if !nix_is_root() {
            return;
        }
        let (root, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        symlink("usr/lib", &root.path().join("lib")).unwrap();
        fs::create_dir_all(over.path().join("lib/d")).unwrap();
        fs::create_dir_all(over.path().join("usr/etc")).unwrap();
        fs::write(over.path().join("lib/d/run"), "x").unwrap();
        fs::set_permissions(over.path().join("lib/d/run"), fs::Permissions::from_mode(0o4777))
            .unwrap();
        fs::write(over.path().join("usr/etc/sudo"), "y").unwrap();
        fs::write(over.path().join(STATOVERRIDE), "# modes\n=288 /etc/sudo\n").unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        apply(root.path(), &layer(over.path(), Conflict::Refuse)).unwrap();
        let mode = |p: &str| root.path().join(p).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("usr/lib/d/run"), 0o755);
        assert_eq!(mode("etc/sudo"), 0o440);
        assert!(!root.path().join(STATOVERRIDE).exists());
    }

    #[test]
    fn a_layer_may_not_change_packages_unless_it_says_so() {
        if !nix_is_root() {
            return;
        }
        let (root, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(root.path().join("f"), "package").unwrap();
        fs::write(over.path().join("f"), "overlay").unwrap();
        let err = apply(root.path(), &layer(over.path(), Conflict::Refuse)).unwrap_err();
        assert!(format!("{err:#}").contains("/f is already in the tree"));
        apply(root.path(), &layer(over.path(), Conflict::Replace)).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("f")).unwrap(), "overlay");
    }

    #[test]
    fn statoverride_mistakes_name_their_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(STATOVERRIDE);
        fs::write(&file, "=288 /a\n0440 /b\n").unwrap();
        let err = read_statoverride(&file).unwrap_err().to_string();
        assert!(err.ends_with("statoverride:2: expected \"=DECIMALMODE /path\""), "{err}");
    }

    fn nix_is_root() -> bool {
        nix::unistd::Uid::effective().is_root()
    }
}
