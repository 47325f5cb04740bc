//! `nosa init`: makes a directory a working directory. Everything is checked before anything is
//! made, so that a refused `init` leaves the directory as it was.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::cmd::Cmd;
use nestos_host::term::{self, WithHint};
use tempfile::TempDir;

use crate::workdir::link;

/// Where a clone is kept, below `src`.
const CLONE: &str = "config-git";

/// What `init` is told.
#[derive(Debug)]
pub(crate) struct InitRequest {
    /// A folder, or the address of a git repository.
    pub(crate) config: String,
    /// Folder inside it.
    pub(crate) subdir: Option<String>,
    /// Branch to clone.
    pub(crate) branch: Option<String>,
    /// Layout of our own tools (`make install`).
    pub(crate) tools_root: Option<PathBuf>,
    /// Whether a directory with other content is fine.
    pub(crate) occupied: Occupied,
}

/// What to do with a directory that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupied {
    /// Refuse it.
    Refuse,
    /// Use it.
    Use,
}

/// Where the config comes from.
#[derive(Debug)]
enum Origin {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A repository, cloned into a directory that removes itself.
    Clone(TempDir),
}

/// Makes a working directory of `root`, which exists.
pub(crate) fn init(root: &Path, request: &InitRequest) -> Result<()> {
    let root = fs::canonicalize(root).with_context(|| format!("cannot open {}", root.display()))?;
    refuse_occupied(&root, request)?;
    let tools = request.tools_root.as_deref().map(tools_root).transpose()?;
    let origin = Origin::fetch(&root, request)?;
    let inside = request.subdir.as_deref().unwrap_or("");
    let config = origin.dir().join(inside);
    check_config(&config)?;
    for dir in ["builds", "cache", "tmp", "src", "overrides/rootfs", "overrides/rpm"] {
        let path = root.join(dir);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    }
    let target = match origin {
        Origin::Folder(_) => config,
        Origin::Clone(_) => {
            keep_clone(&origin.dir(), &root.join("src").join(CLONE))?;
            Path::new(CLONE).join(inside)
        }
    };
    link(&target, &root.join("src/config"))?;
    match tools {
        Some(tools) => link(&tools, &root.join("src/nestos-tools")),
        None => Ok(()),
    }
}

/// Refuses what is no config folder.
pub(crate) fn check_config(dir: &Path) -> Result<()> {
    for name in ["manifest.yaml", "image.yaml"] {
        if !dir.join(name).is_file() {
            bail!("{} is no config folder: it has no {name}", dir.display());
        }
    }
    Ok(())
}

fn refuse_occupied(root: &Path, request: &InitRequest) -> Result<()> {
    if request.occupied == Occupied::Use {
        return Ok(());
    }
    if root.join("src/config").symlink_metadata().is_ok() {
        return Err(anyhow!("{} is initialised already", root.display()))
            .hint("--force points it to another config");
    }
    let mut list = fs::read_dir(root).with_context(|| format!("cannot list {}", root.display()))?;
    if list.next().is_some() && !Path::new(&request.config).is_dir() {
        return Err(anyhow!("{} is not empty", root.display()))
            .hint("use an empty directory, or --force");
    }
    Ok(())
}

fn tools_root(dir: &Path) -> Result<PathBuf> {
    let dir = fs::canonicalize(dir).with_context(|| format!("--tools-root {}", dir.display()))?;
    if !dir.join("usr").is_dir() {
        return Err(anyhow!("--tools-root {}: it has no usr", dir.display()))
            .hint("make install DESTDIR=DIR PREFIX=/usr lays the tools out in DIR");
    }
    Ok(dir)
}

impl Origin {
    fn fetch(root: &Path, request: &InitRequest) -> Result<Self> {
        let config = &request.config;
        let folder = Path::new(config);
        if folder.is_dir() {
            if request.branch.is_some() {
                bail!("--branch is for the address of a git repository; {config} is a folder");
            }
            let folder = fs::canonicalize(folder);
            return folder.map(Self::Folder).with_context(|| format!("cannot open {config}"));
        }
        // An address is URL://… or HOST:PATH.
        if !config.contains(':') {
            return Err(anyhow!("cannot find the config folder {config}"))
                .hint("name a folder, or the address of a git repository");
        }
        let dir = tempfile::Builder::new().prefix(".clone-").tempdir_in(root);
        let dir = dir.with_context(|| format!("cannot write to {}", root.display()))?;
        let origin = Self::Clone(dir);
        clone(request, &origin.dir())?;
        Ok(origin)
    }

    fn dir(&self) -> PathBuf {
        match self {
            Self::Folder(dir) => dir.clone(),
            Self::Clone(dir) => dir.path().join(CLONE),
        }
    }
}

fn clone(request: &InitRequest, target: &Path) -> Result<()> {
    let mut git = Cmd::new("git").when_missing("install the package git").args([
        "clone",
        "--depth=1",
        "--recurse-submodules",
        "--shallow-submodules",
    ]);
    if let Some(branch) = &request.branch {
        git = git.args(["--branch", branch]);
    }
    term::status(format!("cloning {}", request.config));
    git.arg("--")
        .arg(&request.config)
        .arg(target)
        .run()
        .with_context(|| format!("cannot clone {}", request.config))
}

/// Moves a clone to its place, over an older one.
fn keep_clone(clone: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    fs::rename(clone, place).with_context(|| format!("cannot move to {}", place.display()))
}
