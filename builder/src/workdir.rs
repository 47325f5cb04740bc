//! The working directory: `builds cache overrides src tmp`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::builds::{Builds, Meta};
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;
use nestos_host::{atomic, term};
use nix::fcntl::{Flock, FlockArg};

/// A working directory.
#[derive(Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
}

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

/// Proof that this process alone works in the directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<fs::File>,
}

impl WorkDir {
    /// Makes a working directory of `root`.
    pub(crate) fn init(root: &Path, request: &InitRequest) -> Result<()> {
        let local = Path::new(&request.config).is_dir();
        let empty = fs::read_dir(root)
            .with_context(|| format!("cannot list {}", root.display()))?
            .next()
            .is_none();
        if !empty && !local && request.occupied == Occupied::Refuse {
            return Err(anyhow!("{} is not empty", root.display()))
                .hint("use an empty directory, or --force");
        }
        if root.join("src/config").symlink_metadata().is_ok()
            && request.occupied == Occupied::Refuse
        {
            return Err(anyhow!("{} is initialised already", root.display()))
                .hint("--force points it to another config");
        }
        for dir in ["builds", "cache", "tmp", "src", "overrides/rootfs", "overrides/rpm"] {
            let path = root.join(dir);
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        let repository =
            if local { fs::canonicalize(&request.config)? } else { clone(root, request)? };
        let config = request.subdir.as_ref().map_or(repository.clone(), |s| repository.join(s));
        for name in ["manifest.yaml", "image.yaml"] {
            if !config.join(name).is_file() {
                bail!("{} is no config folder: it has no {name}", config.display());
            }
        }
        link(&config, &root.join("src/config"))?;
        if let Some(tools) = &request.tools_root {
            let tools = fs::canonicalize(tools)
                .with_context(|| format!("--tools-root {}", tools.display()))?;
            link(&tools, &root.join("src/nestos-tools"))?;
        }
        Ok(())
    }

    /// Opens the working directory `root`.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        if !root.join("src/config").is_dir() {
            return Err(anyhow!("{} is no working directory", root.display()))
                .hint("run nosa init CONFIG in an empty directory first");
        }
        Ok(Self { root: fs::canonicalize(root)? })
    }

    /// Takes the lock; another nosa at work is an error.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.path("tmp/.lock");
        let file =
            fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Lock { _file: file }),
            Err((_, _)) => bail!("another nosa is at work in {}", self.root.display()),
        }
    }

    /// Returns a path inside.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.root.join(inside)
    }

    /// Returns the layout of our own tools: the one given to init, else the one beside this
    /// program.
    pub(crate) fn tools_root(&self) -> Option<PathBuf> {
        let given = self.path("src/nestos-tools");
        let beside = std::env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.join("../lib/nosa/tools-root")));
        [Some(given), beside].into_iter().flatten().find(|p| p.is_dir())
    }

    /// Reads the index of builds.
    pub(crate) fn builds(&self) -> Result<Builds> {
        let path = self.path("builds/builds.json");
        if !path.exists() {
            return Ok(Builds::default());
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Builds::parse(&text).with_context(|| path.display().to_string())
    }

    /// Returns the folder of a build.
    pub(crate) fn build_dir(&self, id: &str, arch: &str) -> PathBuf {
        self.path("builds").join(id).join(arch)
    }

    /// Reads the metadata of a build.
    pub(crate) fn meta(&self, id: &str, arch: &str) -> Result<Meta> {
        let path = self.build_dir(id, arch).join("meta.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Meta::parse(&text).with_context(|| path.display().to_string())
    }

    /// Replaces the metadata of a build.
    pub(crate) fn write_meta(&self, meta: &Meta, arch: &str) -> Result<()> {
        let path = self.build_dir(&meta.buildid, arch).join("meta.json");
        atomic::write(&path, meta.to_json()?.as_bytes(), 0o644)
    }

    /// Makes a finished build folder visible: renames it into place, then the index, then `latest`.
    pub(crate) fn publish(&self, finished: &Path, id: &str, arch: &str, now: &str) -> Result<()> {
        let target = self.build_dir(id, arch);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        fs::rename(finished, &target)
            .with_context(|| format!("cannot move the build to {}", target.display()))?;
        let mut builds = self.builds()?;
        builds.insert(id, arch);
        now.clone_into(&mut builds.timestamp);
        atomic::write(&self.path("builds/builds.json"), builds.to_json()?.as_bytes(), 0o644)?;
        link(Path::new(id), &self.path("builds/latest"))
    }
}

fn clone(root: &Path, request: &InitRequest) -> Result<PathBuf> {
    let target = root.join(if request.subdir.is_some() { "src/config-git" } else { "src/config" });
    let mut git =
        Cmd::new("git").when_missing("install the package git").args(["clone", "--depth=1"]);
    if let Some(branch) = &request.branch {
        git = git.args(["--branch", branch]);
    }
    term::status(format!("cloning {}", request.config));
    git.arg("--").arg(&request.config).arg(&target).run()?;
    Ok(target)
}

/// Points the symbolic link `path` to `target`, atomically; a directory that is already the target
/// stays.
fn link(target: &Path, path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok_and(|m| m.is_dir()) && path == target {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.new"));
    let swap = || -> std::io::Result<()> {
        if fresh.symlink_metadata().is_ok() {
            fs::remove_file(&fresh)?;
        }
        std::os::unix::fs::symlink(target, &fresh)?;
        fs::rename(&fresh, path)
    };
    swap().with_context(|| format!("cannot create the link {}", path.display()))
}
