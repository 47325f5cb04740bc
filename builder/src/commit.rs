//! The ostree repository of a working directory, and commits in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_host::cmd::Cmd;

use crate::tree::Tree;

/// The repository below `cache/`.
#[derive(Debug)]
pub(crate) struct Repo(PathBuf);

/// A commit, with what meta.json says about it.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Its checksum.
    pub(crate) checksum: String,
    /// Checksum of its content.
    pub(crate) content_checksum: String,
}

impl Repo {
    /// Opens the repository, made when it is missing. Bare mode keeps owners and attributes.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let repo = Self(dir.to_owned());
        if !dir.join("config").exists() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            repo.ostree("init").arg("--mode=bare").run()?;
            // A build that a power cut spoils is made again; syncing each object costs minutes.
            repo.ostree("config").args(["set", "core.fsync", "false"]).run()?;
        }
        Ok(repo)
    }

    /// Returns the repository's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// Commits a tree.
    pub(crate) fn commit(&self, tree: &Tree, ref_name: &str, version: &str) -> Result<Commit> {
        let checksum = self
            .ostree("commit")
            .args(["--parent=none", "--bootable", "--branch", ref_name])
            .arg(format!("--tree=dir={}", tree.dir.display()))
            .arg(format!("--add-metadata-string=version={version}"))
            .arg(format!("--subject={version}"))
            .output()
            .context("cannot commit the tree")?;
        let checksum = checksum.trim().to_owned();
        let shown = self.ostree("show").arg(&checksum).output()?;
        let content = shown.lines().find_map(|l| l.strip_prefix("ContentChecksum:"));
        let Some(content) = content else { bail!("ostree show printed no ContentChecksum") };
        Ok(Commit { checksum, content_checksum: content.trim().to_owned() })
    }

    /// Returns whether the repository has this commit, whole.
    pub(crate) fn has(&self, checksum: &str) -> bool {
        let state = self.0.join(format!("state/{checksum}.commitpartial"));
        let (head, tail) = checksum.split_at(2.min(checksum.len()));
        self.0.join(format!("objects/{head}/{tail}.commit")).exists() && !state.exists()
    }

    fn ostree(&self, command: &str) -> Cmd {
        Cmd::new("ostree")
            .when_missing("install the package ostree")
            .arg(command)
            .arg(format!("--repo={}", self.0.display()))
    }
}
