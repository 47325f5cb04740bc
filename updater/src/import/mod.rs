//! Imports container images into an ostree repository: layers side by side, every blob and every
//! object verified, the tree merged in memory, refs set last.

mod derived_layer;
mod entries;
mod object_layer;
mod plan;
mod pulled;
mod staging;
mod store;
mod stream;
mod tree;
#[doc(hidden)]
pub mod trial;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

use anyhow::{Context, Result, bail};
use nestos_formats::image_ref::ImageRef;
use nestos_formats::ostree::{Checksum, Commit, DirMeta, DirTree, Xattrs};
use ostree::gio::Cancellable;
use ostree::gio::prelude::FileExt;
use ostree::glib::Variant;
use ostree::{Repo, RepoMode};

use crate::fetch::ImageSource;
use derived_layer::{LayerTree, Outside, Rules, Var};
use object_layer::{Found, Holds};
use plan::{Layer, Plan};
use staging::{Kind, Staging};

use plan::version_of;
pub use pulled::Pulled;
pub use staging::{DiskFull, free_bytes};
pub use store::{StoredImage, image_ref, remove_other_images, remove_unused_layers, stored_image};

/// What is staged at most before it is published, so that a power cut costs no more than this.
const PUBLISH_EVERY: u64 = 192 * 1024 * 1024;
/// Largest config that is read.
const MAX_CONFIG: u64 = 8 * 1024 * 1024;
/// libostree from which on /var of a commit initialises that of a machine.
const VAR_SINCE: (u32, u32) = (2024, 3);

/// How an import is told about; calls come from several threads.
pub trait Progress: Sync {
    /// It begins: so many layers and bytes are fetched, so many layers are there already.
    fn start(&self, _fetch: usize, _bytes: u64, _present: usize) {}
    /// So many more bytes came in.
    fn bytes(&self, _n: u64) {}
    /// A layer is complete.
    fn layer(&self, _digest: &str) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}

/// How images are imported.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Architecture by its OCI name, such as `amd64`.
    pub arch: &'a str,
    /// How many layers are fetched at once.
    pub jobs: usize,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("arch", &self.arch).field("jobs", &self.jobs).finish()
    }
}

/// Imports an image and sets its ref. Nothing is fetched when its digest is there.
pub fn pull(
    repo: &Repo,
    source: &dyn ImageSource,
    image: &ImageRef,
    options: Options<'_>,
) -> Result<Pulled> {
    if repo.mode() != RepoMode::Bare {
        bail!("the repository's mode is not bare; only those of systems are");
    }
    let manifest = source.manifest().with_context(|| format!("cannot read {image}"))?;
    let name = image_ref(image);
    if let Some(commit) = store::resolve(repo, &name)?
        && let Some(stored) = stored_image(repo, &commit.to_string())?
        && stored.digest == manifest.digest
    {
        let present = stored.layers.len();
        let (digest, version) = (stored.digest, stored.version);
        let dropped = BTreeMap::new();
        let unlabelled = false;
        return Ok(Pulled { commit, digest, version, fetched: 0, present, dropped, unlabelled });
    }
    let config = plan::parse_manifest(&manifest.bytes)?.config().clone();
    let config = read_config(source, &config).with_context(|| format!("cannot read {image}"))?;
    let plan = Plan::new(manifest.digest, &manifest.bytes, &config, options.arch)
        .with_context(|| format!("{image} cannot run here"))?;
    let context = || format!("cannot import {image}");
    let found = Import::begin(repo, &plan).with_context(context)?;
    let staging = Staging::open(&found.path, found.reserve)?;
    let import = Import {
        repo,
        source,
        plan: &plan,
        options,
        staging: &staging,
        present: found.layers.len(),
        layers: found.layers,
        pending: Vec::new(),
        fetched: 0,
        unlabelled: false,
    };
    let pulled = import.run(&name);
    if pulled.as_ref().err().is_none_or(|e| e.downcast_ref::<DiskFull>().is_some()) {
        // After success it is empty; what filled the disk must go.
        staging.discard()?;
    }
    pulled.with_context(context)
}

/// Asks a source for the version of its image.
pub fn offered_version(source: &dyn ImageSource) -> Result<Option<String>> {
    let manifest = plan::parse_manifest(&source.manifest()?.bytes)?;
    Ok(version_of(&read_config(source, manifest.config())?))
}

fn read_config(source: &dyn ImageSource, config: &oci_spec::image::Descriptor) -> Result<Vec<u8>> {
    if config.size() > MAX_CONFIG {
        bail!("the image's config has {} bytes, which is too large", config.size());
    }
    let mut bytes = Vec::new();
    source.blob(config)?.read_to_end(&mut bytes).context("cannot read the image's config")?;
    Ok(bytes)
}

struct Import<'a> {
    repo: &'a Repo,
    source: &'a dyn ImageSource,
    plan: &'a Plan,
    options: Options<'a>,
    staging: &'a Staging,
    /// Layers that are there, by their digests.
    layers: BTreeMap<String, Checksum>,
    /// Layers whose content is staged, and whose commits are not.
    pending: Vec<Pending>,
    fetched: usize,
    present: usize,
    /// The system has a policy by which files of derived layers ought to be labelled.
    unlabelled: bool,
}

struct Pending {
    digest: String,
    commit: Vec<u8>,
    meta: Option<Vec<u8>>,
    /// The base commit waits until all of its files are there.
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum When {
    Now,
    Complete,
}

/// What is known before anything is fetched.
struct Start {
    path: PathBuf,
    reserve: u64,
    layers: BTreeMap<String, Checksum>,
}

/// What came out of a layer.
enum Content {
    Objects(Found),
    Tree(LayerTree),
}

impl Import<'_> {
    /// Looks for what is there already, and whether the rest can fit at all.
    fn begin(repo: &Repo, plan: &Plan) -> Result<Start> {
        let path = repo.path().path().context("the repository has no path")?;
        let reserve = repo.min_free_space_bytes().context("cannot read min-free-space")?;
        let mut layers = BTreeMap::new();
        let mut missing = 0_u64;
        for layer in plan.layers() {
            match store::resolve(repo, &store::layer_ref(&layer.digest()))? {
                Some(commit) => drop(layers.insert(layer.digest(), commit)),
                None => missing = missing.saturating_add(layer.blob.size()),
            }
        }
        let free = free_bytes(&path)?;
        let needed = missing.saturating_add(reserve);
        if free < needed {
            return Err(DiskFull { path, free, needed }.into());
        }
        Ok(Start { path, reserve, layers })
    }

    fn run(mut self, name: &str) -> Result<Pulled> {
        // Its lock keeps others from pruning what has no ref yet.
        let transaction = self.repo.auto_transaction(Cancellable::NONE)?;
        let (commit, dropped) = self.import()?;
        self.repo.transaction_set_ref(None, name, Some(&commit.to_string()));
        transaction.commit(Cancellable::NONE).context("cannot set the image's ref")?;
        Ok(Pulled {
            commit,
            digest: self.plan.digest.clone(),
            version: self.plan.version.clone(),
            fetched: self.fetched,
            present: self.present,
            dropped,
            unlabelled: self.unlabelled,
        })
    }

    fn import(&mut self) -> Result<(Checksum, BTreeMap<String, u32>)> {
        let (base, derived) = (self.plan.base.clone(), self.plan.derived.clone());
        let objects: Vec<Layer> = base.iter().flat_map(plan::Base::layers).cloned().collect();
        let is_missing = |layer: &&Layer| !self.layers.contains_key(&layer.digest());
        let missing: Vec<&Layer> = objects.iter().chain(&derived).filter(is_missing).collect();
        let bytes = missing.iter().map(|l| l.blob.size()).sum();
        self.options.progress.start(missing.len(), bytes, self.present);
        let first = base.as_ref().map(|b| b.commit.digest());
        self.fetch((&objects, stream::Content::Objects), |layer, stream, staging| {
            let is_first = Some(layer.digest()) == first;
            let holds = if is_first { Holds::Commit } else { Holds::Files };
            object_layer::import(stream, holds, staging).map(Content::Objects)
        })?;
        let root = base.map(|b| self.base_root(&b.commit)).transpose()?;
        let tree = root.as_ref().map(|(tree, _)| tree);
        let rules = self.rules(tree)?;
        self.unlabelled = !derived.is_empty() && self.has_labels(tree)?;
        self.fetch((&derived, stream::Content::DiffId), |_layer, stream, staging| {
            derived_layer::import(stream, rules, staging).map(Content::Tree)
        })?;
        self.flush(When::Complete)?;
        self.merge(root, &derived)
    }

    /// Returns the root of the base commit, when it is complete.
    fn base_root(&self, layer: &Layer) -> Result<(Checksum, Checksum)> {
        let digest = layer.digest();
        let pending = self.pending.iter().find(|p| p.digest == digest);
        let commit = match (pending, self.layers.get(&digest)) {
            (Some(pending), _) => Commit::parse(&pending.commit)?,
            (None, Some(sum)) => Commit::parse(&self.staging.read(Kind::Commit, sum)?)?,
            (None, None) => bail!("layer {digest} was not imported"),
        };
        tree::check_complete(self.staging, &commit.root, &commit.root_meta)?;
        Ok((commit.root, commit.root_meta))
    }

    fn rules(&self, base: Option<&Checksum>) -> Result<Rules> {
        let new_enough = ostree::check_version(VAR_SINCE.0, VAR_SINCE.1);
        let var = if new_enough { Var::Kept } else { Var::Factory };
        if base.is_none() {
            return Ok(Rules { outside: Outside::Kept, var });
        }
        let config = self.config(base, "usr/lib/ostree/prepare-root.conf")?;
        let transient = config.is_some_and(|text| has_transient_root(&text));
        Ok(Rules { outside: if transient { Outside::Kept } else { Outside::Dropped }, var })
    }

    fn has_labels(&self, base: Option<&Checksum>) -> Result<bool> {
        let config = self.config(base, "usr/etc/selinux/config")?;
        Ok(config.is_some_and(|text| pulled::enables_selinux(&text)))
    }

    /// Reads a file of the base commit, if it is there.
    fn config(&self, base: Option<&Checksum>, path: &str) -> Result<Option<String>> {
        let Some(base) = base else { return Ok(None) };
        let Some(tree::Found::File(sum)) = tree::lookup(self.staging, base, path)? else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(self.staging.file_path(&sum));
        text.map(Some).with_context(|| format!("cannot read /{path} of the image"))
    }

    /// Imports those of the layers that are missing.
    fn fetch(
        &mut self,
        (layers, checked): (&[Layer], stream::Content),
        read: impl Fn(&Layer, &mut dyn Read, &Staging) -> Result<Content> + Sync,
    ) -> Result<()> {
        let queue = self.missing(layers);
        let jobs = self.options.jobs.clamp(1, queue.len().max(1));
        let (queue, stop) = (Mutex::new(queue), AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        let (source, progress, staging) = (self.source, self.options.progress, self.staging);
        thread::scope(|scope| {
            for _ in 0..jobs {
                let (sender, queue, stop, read) = (sender.clone(), &queue, &stop, &read);
                scope.spawn(move || {
                    while let Some(layer) = next(queue, stop) {
                        let from = (&layer, checked);
                        let content = stream::read(source, from, (progress, stop), |stream| {
                            read(&layer, stream, staging)
                        });
                        stop.fetch_or(content.is_err(), Ordering::Relaxed);
                        // The receiver is there until all senders are gone.
                        drop(sender.send((layer, content)));
                    }
                });
            }
            drop(sender);
            let mut first_error = None;
            for (layer, content) in receiver {
                let done = content
                    .and_then(|content| self.complete(&layer, content))
                    .with_context(|| format!("layer {}", layer.digest()));
                if let Err(e) = done {
                    stop.store(true, Ordering::Relaxed);
                    // What comes later are the layers that were stopped.
                    first_error.get_or_insert(e);
                }
            }
            match first_error {
                // What is complete stays: the next run goes on behind it.
                Some(e) if e.downcast_ref::<DiskFull>().is_none() => {
                    self.flush(When::Now)?;
                    Err(e)
                }
                Some(e) => Err(e),
                None => Ok(()),
            }
        })
    }

    /// Returns the layers to fetch, the largest first.
    fn missing(&self, layers: &[Layer]) -> VecDeque<Layer> {
        let missing = layers.iter().filter(|l| !self.layers.contains_key(&l.digest()));
        let mut missing: Vec<Layer> = missing.cloned().collect();
        missing.sort_by_key(|l| (std::cmp::Reverse(l.blob.size()), l.digest()));
        missing.dedup_by_key(|l| l.digest());
        missing.into()
    }

    /// Writes what stands for a layer that was read to its end.
    fn complete(&mut self, layer: &Layer, content: Content) -> Result<()> {
        let (commit, meta, when) = match content {
            Content::Objects(Found { commit: Some(commit), commit_meta, .. }) => {
                (commit, commit_meta, When::Complete)
            }
            Content::Objects(found) => {
                let named = found.files.into_iter().map(|sum| (sum.to_string(), sum));
                let tree = DirTree { files: named.collect(), dirs: BTreeMap::new() };
                let root = self.staging.write(Kind::DirTree, &tree.to_bytes())?;
                let meta = DirMeta::new(0, 0, 0o755, Xattrs::default());
                let meta = self.staging.write(Kind::DirMeta, &meta.to_bytes())?;
                (store::layer_commit(&root, &meta, &BTreeMap::new())?, None, When::Now)
            }
            Content::Tree(tree) => {
                (store::layer_commit(&tree.root, &tree.meta, &tree.dropped)?, None, When::Now)
            }
        };
        self.layers.insert(layer.digest(), Checksum::of(&commit));
        self.pending.push(Pending { digest: layer.digest(), commit, meta, when });
        self.fetched += 1;
        self.options.progress.layer(&layer.digest());
        if self.staging.unpublished() > PUBLISH_EVERY {
            self.flush(When::Now)?;
        }
        Ok(())
    }

    /// Publishes what is staged, then the commits that it completes, then their refs.
    fn flush(&mut self, when: When) -> Result<()> {
        self.staging.publish()?;
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|p| p.when <= when);
        self.pending = later;
        let mut refs = Vec::new();
        for Pending { digest, commit, meta, .. } in due {
            let sum = self.staging.write(Kind::Commit, &commit)?.to_string();
            if let Some(meta) = meta {
                let meta = Variant::from_data::<HashMap<String, Variant>, _>(meta);
                let meta = meta.normal_form();
                self.repo.write_commit_detached_metadata(&sum, Some(&meta), Cancellable::NONE)?;
            }
            refs.push((store::layer_ref(&digest), sum));
        }
        self.staging.publish()?;
        for (name, commit) in refs {
            self.repo
                .set_ref_immediate(None, &name, Some(&commit), Cancellable::NONE)
                .with_context(|| format!("cannot set ref {name}"))?;
        }
        Ok(())
    }

    /// Lays the derived layers over the base, and commits the result.
    fn merge(
        &self,
        base: Option<(Checksum, Checksum)>,
        derived: &[Layer],
    ) -> Result<(Checksum, BTreeMap<String, u32>)> {
        let mut dropped = BTreeMap::new();
        let mut total: BTreeMap<String, u32> = BTreeMap::new();
        let (root, meta) = match base {
            Some(base) if derived.is_empty() => base,
            base => {
                let mut merged = match &base {
                    Some((root, meta)) => tree::Dir::load(self.staging, root, *meta)?,
                    None => tree::Dir::empty(self.staging)?,
                };
                for layer in derived {
                    let digest = layer.digest();
                    let commit = self.layers.get(&digest).context("a layer was not imported")?;
                    let read = Commit::parse(&self.staging.read(Kind::Commit, commit)?)?;
                    merged
                        .apply(self.staging, &read.root)
                        .with_context(|| format!("layer {digest}"))?;
                    let counts = store::dropped_of(self.repo, &commit.to_string())?;
                    for (top, n) in &counts {
                        let sum = total.entry(top.clone()).or_default();
                        *sum = sum.saturating_add(*n);
                    }
                    if !counts.is_empty() {
                        dropped.insert(digest, counts);
                    }
                }
                merged.store(self.staging)?
            }
        };
        if tree::kernels(self.staging, &root)?.is_empty() {
            bail!(
                "the image has no kernel (/usr/lib/modules/VERSION/vmlinuz): it cannot be booted"
            );
        }
        self.staging.publish()?;
        let commit = store::image_commit(self.plan, &root, &meta, &dropped)?;
        let commit = self.staging.write(Kind::Commit, &commit)?;
        self.staging.publish()?;
        Ok((commit, total))
    }
}

fn next(queue: &Mutex<VecDeque<Layer>>, stop: &AtomicBool) -> Option<Layer> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    queue.lock().ok()?.pop_front()
}

/// Reads `[root] transient` of ostree-prepare-root(1).
fn has_transient_root(config: &str) -> bool {
    let mut section = "";
    config.lines().map(str::trim).any(|line| {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        }
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        section == "root" && matches!(pair, Some(("transient", "true" | "yes" | "1")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_root_is_recognised() {
        assert!(has_transient_root("[root]\ntransient = true\n"));
        assert!(!has_transient_root("[etc]\ntransient=true\n[root]\ntransient=false\n"));
    }
}
