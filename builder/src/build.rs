//! `fetch`, `build` and `buildextend-*`: which steps are due, and doing them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::builds::Meta;
use nestos_formats::disk_layout::Arch;
use nestos_host::term::{self, WithHint};
use nestos_host::{atomic, clock};
use serde_json::Value;

use crate::calendar::{Moment, next_version};
use crate::commit::Repo;
use crate::config::Config;
use crate::digest::{Inputs, sha256_of};
use crate::packages::{self, Lock, Mirror, Request};
use crate::scratch;
use crate::space::{self, Usage, Work};
use crate::steps::{Steps, bytes};
use crate::tree::{self, LayerDir};
use crate::workdir::WorkDir;

mod container;
mod images;
mod live;
mod wanted;

pub(crate) use container::{ARCHIVE, MANIFEST};
pub(crate) use wanted::Wanted;

/// Key of meta.json: digest of the settings that images are made with.
const IMAGE_CONFIG: &str = "coreos-assembler.image-config-checksum";
/// Key of meta.json: which installed packages hold the tools that made the images.
const ROOTFS: &str = "nosa.rootfs";
const BASEARCH: &str = "coreos-assembler.basearch";

/// When to resolve packages again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// When the request changed or was never resolved.
    IfNeeded,
    /// In any case.
    Always,
}

/// Whether a step whose inputs did not change is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redo {
    /// Not again.
    No,
    /// Again.
    Yes,
}

/// A working directory with its config, ready to work.
#[derive(Debug)]
pub(crate) struct Session {
    workdir: WorkDir,
    config: Config,
    arch: Arch,
    request: Request,
    mirror: Mirror,
    steps: Steps,
}

impl Session {
    /// Reads the config of a working directory.
    pub(crate) fn open(workdir: WorkDir, arch: Arch, mirror: &Mirror) -> Result<Self> {
        let config = Config::load(&workdir.path("src/config"), arch)?;
        let request = Request::new(&config, arch, mirror)?;
        Ok(Self { workdir, config, arch, request, mirror: mirror.clone(), steps: Steps::new() })
    }

    /// Resolves and downloads the packages.
    pub(crate) fn fetch(&self) -> Result<()> {
        let _lock = self.workdir.lock()?;
        self.resolve().map(drop)
    }

    fn resolve(&self) -> Result<Lock> {
        let lock = self.steps.run("fetch packages", || {
            let lock = packages::fetch(&self.request, &self.workdir.path("cache"))?;
            let count = format!("{} packages", lock.packages.len());
            Ok((lock, count))
        })?;
        let text = serde_json::to_vec_pretty(&lock)?;
        atomic::write(&self.lock_path(), &text, 0o644)?;
        Ok(lock)
    }

    /// Builds a commit if its inputs changed, then the images that are missing.
    pub(crate) fn build(&self, wanted: &Wanted, fetch: Fetch, redo: Redo) -> Result<()> {
        let _lock = self.workdir.lock()?;
        space::check(&self.workdir.path(""), Work::Unknown)?;
        self.workdir.point_to_latest(&self.workdir.builds()?)?;
        let lock = self.current_lock(fetch)?;
        let layers = tree::layer_dirs(&self.config, self.workdir.tools_root().as_deref())?;
        let tree_inputs = self.tree_inputs(&lock, &layers)?;
        let image_inputs = self.image_inputs()?;
        let last = self.last_meta()?;
        let repo = Repo::open(&self.workdir.path("cache/repo"))?;
        let same_tree = last.as_ref().filter(|m| {
            m.inputhash == tree_inputs && repo.has(&m.ostree_commit) && redo == Redo::No
        });
        let same_images =
            same_tree.filter(|m| m.other.get(IMAGE_CONFIG) == Some(&image_inputs.clone().into()));
        let mut meta = match (same_images, same_tree) {
            (Some(meta), _) => {
                term::status(format!("no changes since build {}", meta.buildid));
                meta.clone()
            }
            (None, Some(meta)) => self.rebuild_images_of(meta, &image_inputs)?,
            (None, None) => {
                space::check(&self.workdir.path(""), self.work(&lock, wanted)?)?;
                self.compose(&lock, &layers, &repo, (tree_inputs, image_inputs))?
            }
        };
        let due = wanted.missing_in(&meta, Redo::No);
        let has_container = meta.images.contains_key(ARCHIVE);
        if due.is_empty() && has_container {
            term::status("nothing to do: all requested images are there");
            return Ok(());
        }
        if !has_container {
            self.add_container(&mut meta, &layers, &repo)?;
        }
        self.extend_meta(meta, &due, &repo)
    }

    /// Adds images to a build, which is the latest if none is named.
    pub(crate) fn extend(&self, wanted: &Wanted, build: Option<&str>, redo: Redo) -> Result<()> {
        let _lock = self.workdir.lock()?;
        let meta = match build {
            Some(id) => Some(self.workdir.meta(id, &self.arch.to_string())?),
            None => self.last_meta()?,
        };
        let meta = meta.ok_or_else(|| anyhow!("there is no build yet"));
        let meta = meta.hint("run nosa build first")?;
        let due = wanted.missing_in(&meta, redo);
        if due.is_empty() {
            term::status(format!("build {} has {wanted} already", meta.buildid));
            return Ok(());
        }
        let repo = Repo::open(&self.workdir.path("cache/repo"))?;
        if !repo.has(&meta.ostree_commit) {
            bail!(
                "commit {} of build {} is not in the cache any more; run nosa build",
                meta.ostree_commit,
                meta.buildid
            );
        }
        self.extend_meta(meta, &due, &repo)
    }

    fn lock_path(&self) -> PathBuf {
        self.workdir.path(format!("cache/packages-lock.{}.json", self.arch))
    }

    fn current_lock(&self, fetch: Fetch) -> Result<Lock> {
        let found = Lock::load(&self.lock_path())?;
        match found {
            Some(lock) if fetch == Fetch::IfNeeded && lock.request == self.request.digest() => {
                Ok(lock)
            }
            Some(_) if fetch == Fetch::IfNeeded => {
                term::status("the packages asked for changed since the last fetch");
                self.resolve()
            }
            _ => self.resolve(),
        }
    }

    /// Returns what a whole build takes.
    fn work(&self, lock: &Lock, wanted: &Wanted) -> Result<Work> {
        let images = wanted.missing_in(&Meta::default(), Redo::No).images();
        let rootfs = self.rootfs_dir(lock);
        if rootfs.is_dir() {
            return Ok(Work::FromTree { tree: Usage::of(&rootfs)?.bytes, images });
        }
        let packages = packages::bytes(lock, &self.workdir.path("cache"));
        Ok(Work::FromPackages { packages, images })
    }

    fn rootfs_dir(&self, lock: &Lock) -> PathBuf {
        self.workdir.path("cache/rootfs").join(lock.digest(&self.request))
    }

    fn last_meta(&self) -> Result<Option<Meta>> {
        let arch = self.arch.to_string();
        let builds = self.workdir.builds()?;
        let last = builds.builds.iter().find(|b| b.arches.contains(&arch));
        last.map(|b| self.workdir.meta(&b.id, &arch)).transpose()
    }

    fn tree_inputs(&self, lock: &Lock, layers: &[LayerDir]) -> Result<String> {
        let mut inputs = Inputs::default();
        inputs.value("packages", lock.digest(&self.request));
        inputs.value("nosa", sha256_of(Path::new("/proc/self/exe"))?);
        for file in &self.config.manifest.files {
            inputs.file("manifest", file)?;
        }
        for layer in layers {
            inputs.tree(&layer.name, &layer.dir)?;
        }
        inputs.tree("overrides", &self.workdir.path("overrides/rootfs"))?;
        Ok(inputs.hex())
    }

    fn image_inputs(&self) -> Result<String> {
        let image = &self.config.image;
        let mut inputs = Inputs::default();
        inputs.value("size", image.size_gib.to_string());
        inputs.value("kargs", image.extra_kargs.to_string());
        inputs.value("rootfs", image.rootfs.to_string());
        inputs.value("ignition", image.ignition.clone().unwrap_or_default());
        inputs.value("platforms", serde_json::to_vec(&self.config.platforms)?);
        Ok(inputs.hex())
    }

    fn compose(
        &self,
        lock: &Lock,
        layers: &[LayerDir],
        repo: &Repo,
        inputs: (String, String),
    ) -> Result<Meta> {
        let now = Moment::from(clock::now());
        let taken = self.workdir.taken_ids()?;
        let manifest = &self.config.manifest;
        let prefix = now.version_prefix(&manifest.version_prefix)?;
        let version = next_version(&prefix, taken.iter().map(String::as_str));
        let work = self.fresh_dir("tmp/build")?;
        let rootfs = self.rootfs(lock)?;
        let overrides = self.workdir.path("overrides/rootfs");
        let parts = tree::Parts {
            config: &self.config,
            rootfs: &rootfs,
            layers,
            overrides: &overrides,
            version: &version,
            logs: &work,
        };
        let tree = self.steps.run("compose the tree", || {
            let tree = tree::compose(&parts, &work.join("tree"))?;
            let initramfs = bytes(tree.initramfs_bytes);
            let detail = format!("kernel {}, initramfs {initramfs}", tree.kernel);
            Ok((tree, detail))
        })?;
        let commit = self.steps.run("commit to ostree", || {
            let commit = repo.commit(&tree, &manifest.ref_name, &version)?;
            let short: String = commit.checksum.chars().take(12).collect();
            Ok((commit, format!("{} {short}", manifest.ref_name)))
        })?;
        let mut meta = Meta {
            buildid: version.clone(),
            name: manifest.rojig.name.clone(),
            summary: manifest.rojig.summary.clone(),
            ref_name: manifest.ref_name.clone(),
            ostree_commit: commit.checksum,
            ostree_content_checksum: commit.content_checksum,
            ostree_timestamp: now.rfc3339(),
            ostree_version: version,
            inputhash: inputs.0,
            ..Meta::default()
        };
        let key = lock.digest(&self.request);
        for (name, value) in
            [(IMAGE_CONFIG, inputs.1), (ROOTFS, key), (BASEARCH, self.arch.to_string())]
        {
            meta.other.insert(name.to_owned(), Value::from(value));
        }
        self.publish(&meta)?;
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        Ok(meta)
    }

    /// A new build of the same commit: only the settings of images changed.
    fn rebuild_images_of(&self, last: &Meta, image_inputs: &str) -> Result<Meta> {
        let taken = self.workdir.taken_ids()?;
        let version = &last.ostree_version;
        let id = (1_u32..).map(|n| format!("{version}-{n}")).find(|id| !taken.contains(id));
        let mut meta = Meta {
            buildid: id.ok_or_else(|| anyhow!("no free build id for {version}"))?,
            images: std::collections::BTreeMap::new(),
            ..last.clone()
        };
        meta.other.insert(IMAGE_CONFIG.to_owned(), Value::from(image_inputs));
        term::status(format!("the tree is unchanged; build {} has new images only", meta.buildid));
        self.publish(&meta)?;
        Ok(meta)
    }

    fn publish(&self, meta: &Meta) -> Result<()> {
        let dir = self.fresh_dir("tmp/publish")?;
        atomic::write(&dir.join("meta.json"), meta.to_json()?.as_bytes(), 0o644)?;
        let now = Moment::from(clock::now()).rfc3339();
        self.workdir.publish(&dir, &meta.buildid, &self.arch.to_string(), &now)
    }

    /// Returns the directory with the installed packages of a lock, made when it is missing.
    fn rootfs(&self, lock: &Lock) -> Result<PathBuf> {
        let all = self.workdir.path("cache/rootfs");
        let dir = self.rootfs_dir(lock);
        if dir.is_dir() {
            return Ok(dir);
        }
        fs::create_dir_all(&all).with_context(|| format!("cannot create {}", all.display()))?;
        let partial = self.fresh_dir("tmp/rootfs")?;
        scratch::remove(&partial)?;
        let cache = self.workdir.path("cache");
        self.steps.run("install packages", || {
            packages::install(&self.request, lock, &cache, &partial)?;
            Ok(((), format!("{} packages", lock.packages.len())))
        })?;
        // Only the packages of the current lock are of use again.
        fs::remove_dir_all(&all).with_context(|| format!("cannot remove {}", all.display()))?;
        fs::create_dir(&all).with_context(|| format!("cannot create {}", all.display()))?;
        fs::rename(&partial, &dir).with_context(|| format!("cannot move to {}", dir.display()))?;
        Ok(dir)
    }

    fn fresh_dir(&self, inside: &str) -> Result<PathBuf> {
        scratch::fresh(self.workdir.path(inside))
    }
}
