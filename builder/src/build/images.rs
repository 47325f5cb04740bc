//! The steps that add disk images and live media to a build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::builds::{Artifact, Meta};
use nestos_host::term::{self, WithHint};
use serde_json::Value;

use super::{ROOTFS, Session, Wanted};
use crate::commit::Repo;
use crate::config::image::RootFs;
use crate::digest::sha256_of;
use crate::disk::{self, Kind};
use crate::packages::{self, Lock, Request};
use crate::scratch;
use crate::space::{self, Usage, Work};
use crate::steps::bytes;

impl Session {
    /// Adds what is due to a build.
    pub(super) fn extend_meta(&self, mut meta: Meta, due: &Wanted, repo: &Repo) -> Result<()> {
        if !due.is_empty() {
            self.add_due(&mut meta, due, repo)?;
        }
        let dir = self.workdir.build_dir(&meta.buildid, &self.arch.to_string());
        term::status(format!(
            "build {} is in {} ({})",
            meta.buildid,
            dir.display(),
            self.steps.total()
        ));
        Ok(())
    }

    fn add_due(&self, meta: &mut Meta, due: &Wanted, repo: &Repo) -> Result<()> {
        let tools = self.tools_of(meta)?;
        let work = Work::Images { tree: Usage::of(&tools)?.bytes, images: due.images() };
        space::check(&self.workdir.path(""), work)?;
        let xfs_tools = self.xfs_tools(&tools)?;
        let work = self.fresh_dir("tmp/images")?;
        let (commit, build) = (meta.ostree_commit.clone(), meta.buildid.clone());
        let source = disk::Source {
            config: &self.config,
            arch: self.arch,
            repo,
            commit: &commit,
            build: &build,
            tools: &tools,
            xfs_tools: &xfs_tools,
            work: &work,
        };
        let system = self
            .steps
            .run("deploy the commit", || Ok((disk::System::deploy(&source)?, String::new())))?;
        if !due.kinds.is_empty() {
            let parts = self.steps.run("make the root file system", || {
                Ok((disk::Parts::make(&source, &system)?, String::new()))
            })?;
            for kind in &due.kinds {
                self.add_image(meta, &parts, &source, *kind)?;
            }
        }
        if let Some(effort) = due.live {
            self.add_live(meta, &source, system, effort)?;
        }
        scratch::remove(&work)
    }

    fn add_image(
        &self,
        meta: &mut Meta,
        parts: &disk::Parts<'_>,
        source: &disk::Source<'_>,
        kind: Kind,
    ) -> Result<()> {
        let name = kind.file_name(&meta.name, &meta.buildid, self.arch);
        let fresh = source.work.join(&name);
        let artifact = self.steps.run(&format!("{} image", kind.name()), || {
            parts.image(source, kind, &fresh)?;
            let artifact = artifact(&fresh, &name)?;
            let detail = bytes(artifact.size.unwrap_or_default());
            Ok((artifact, detail))
        })?;
        self.add_artifact(meta, kind.name(), &fresh, artifact)
    }

    /// Moves a file to its build, whose metadata names it from then on.
    pub(super) fn add_artifact(
        &self,
        meta: &mut Meta,
        key: &str,
        fresh: &Path,
        artifact: Artifact,
    ) -> Result<()> {
        let arch = self.arch.to_string();
        let path = self.workdir.build_dir(&meta.buildid, &arch).join(&artifact.path);
        fs::rename(fresh, &path)
            .with_context(|| format!("cannot move the image to {}", path.display()))?;
        meta.images.insert(key.to_owned(), artifact);
        self.workdir.write_meta(meta, &arch)
    }

    /// Returns a tree whose mkfs.xfs can make an xfs root: the target's own if it can, else one
    /// installed from the config's `tools/` folder. For other root file systems any will do.
    fn xfs_tools(&self, tools: &Path) -> Result<PathBuf> {
        if self.config.image.rootfs != RootFs::Xfs || disk::makes_xfs_from_directory(tools)? {
            return Ok(tools.to_owned());
        }
        let tree = self.workdir.path("cache/tools/xfsprogs");
        if !tree.is_dir() {
            let partial = self.fresh_dir("tmp/tools")?;
            scratch::remove(&partial)?;
            let repositories = self.config.dir.join("tools");
            let cache = self.workdir.path("cache/tools");
            self.steps.run("install mkfs.xfs 6.17 or newer", || {
                let names = ["xfsprogs"];
                let request = Request::tools(&repositories, &names, self.arch, &self.mirror)
                    .hint("an xfs root needs it; or set \"rootfs: ext4\" in image.yaml")?;
                let lock = packages::fetch(&request, &cache)?;
                packages::install(&request, &lock, &cache, &partial)?;
                fs::rename(&partial, &tree)
                    .with_context(|| format!("cannot move to {}", tree.display()))?;
                Ok(((), format!("{} packages", lock.packages.len())))
            })?;
        }
        if !disk::makes_xfs_from_directory(&tree)? {
            bail!("mkfs.xfs from {}/tools is older than 6.17", self.config.dir.display());
        }
        Ok(tree)
    }

    /// Returns the installed packages that a build was made of.
    fn tools_of(&self, meta: &Meta) -> Result<PathBuf> {
        let key = meta.other.get(ROOTFS).and_then(Value::as_str).unwrap_or_default();
        let dir = self.workdir.path("cache/rootfs").join(key);
        if !key.is_empty() && dir.is_dir() {
            return Ok(dir);
        }
        let lock = Lock::load(&self.lock_path())?.filter(|l| l.digest(&self.request) == key);
        let gone =
            || anyhow!("the packages of build {} are not in the cache any more", meta.buildid);
        self.rootfs(&lock.ok_or_else(gone).hint("run nosa build")?)
    }
}

/// Describes a file that will have the name `name`.
pub(super) fn artifact(file: &Path, name: &str) -> Result<Artifact> {
    let size = file.metadata().with_context(|| format!("no {}", file.display()))?.len();
    let (path, sha256) = (name.to_owned(), sha256_of(file)?);
    Ok(Artifact { path, sha256, size: Some(size), other: BTreeMap::new() })
}
