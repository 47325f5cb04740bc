//! The working directory: `builds cache overrides src tmp`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::builds::{Builds, Meta};
use nestos_host::atomic;
use nestos_host::term::WithHint;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};

/// Link to the newest build.
const LATEST: &str = "latest";
/// How often the lock is tried: what a killed nosa had started takes a moment to end.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// A working directory.
#[derive(Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
}

/// Proof that this process alone works in the directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<fs::File>,
}

impl WorkDir {
    /// Opens the working directory `root`.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        if !root.join("src/config").is_dir() {
            return Err(anyhow!("{} is no working directory", root.display()))
                .hint("run nosa init CONFIG in an empty directory first");
        }
        let root = fs::canonicalize(root);
        Ok(Self { root: root.context("cannot open the working directory")? })
    }

    /// Takes the lock; another nosa at work is an error. The programs that nosa starts inherit it:
    /// when nosa is killed, the directory stays locked until the last of them is gone.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.path("tmp/.lock");
        let failed = || format!("cannot lock {}", path.display());
        fs::create_dir_all(self.path("tmp")).with_context(failed)?;
        let mut file = fs::File::create(&path).with_context(failed)?;
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).with_context(failed)?;
        for _ in 0..LOCK_TRIES {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Lock { _file: file }),
                Err((back, Errno::EWOULDBLOCK)) => file = back,
                Err((_, e)) => return Err(e).with_context(failed),
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Err(anyhow!("another nosa is at work in {}", self.root.display()))
            .hint("wait for it, or use another working directory")
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
            return self.scan();
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Builds::parse(&text)
            .with_context(|| path.display().to_string())
            .hint("move it away: it is made again from the meta.json of each build")
    }

    /// Returns the ids that a new build cannot have: those in the index, and folders that are not
    /// in it, such as one whose publishing was interrupted.
    pub(crate) fn taken_ids(&self) -> Result<Vec<String>> {
        let mut ids: Vec<String> = self.builds()?.builds.into_iter().map(|b| b.id).collect();
        ids.extend(names_in(&self.path("builds"))?);
        Ok(ids)
    }

    /// Makes the index from the builds that are there.
    fn scan(&self) -> Result<Builds> {
        let mut found = Vec::new();
        for id in names_in(&self.path("builds"))?.into_iter().filter(|id| id != LATEST) {
            for arch in names_in(&self.path("builds").join(&id))? {
                if self.build_dir(&id, &arch).join("meta.json").is_file() {
                    let time = self.meta(&id, &arch)?.ostree_timestamp;
                    found.push((time, id.clone(), arch));
                }
            }
        }
        found.sort();
        let mut builds = Builds::default();
        for (time, id, arch) in found {
            builds.insert(&id, &arch);
            builds.timestamp = time;
        }
        Ok(builds)
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
        self.point_to_latest(&builds)
    }

    /// Points `latest` to the newest build; an interrupted run may not have come so far.
    pub(crate) fn point_to_latest(&self, builds: &Builds) -> Result<()> {
        let Some(newest) = builds.builds.first() else { return Ok(()) };
        let (target, path) = (Path::new(&newest.id), self.path("builds").join(LATEST));
        if fs::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(());
        }
        link(target, &path)
    }
}

/// Returns the names of the directories in a directory; none when it is missing.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let failed = || format!("cannot list {}", dir.display());
    let mut names = Vec::new();
    if dir.is_dir() {
        for entry in fs::read_dir(dir).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    Ok(names)
}

/// Points the symbolic link `path` to `target`, atomically.
pub(crate) fn link(target: &Path, path: &Path) -> Result<()> {
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
