//! What of images is in a repository, and under which refs: the layout of ostree-ext, so that
//! rpm-ostree and bootc find what was imported here, and the other way round.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use nestos_formats::image_ref::{ImageRef, escape_for_ref};
use nestos_formats::ostree::Checksum;
use ostree::gio::Cancellable;
use ostree::glib::prelude::ToVariant;
use ostree::glib::{self, Variant, VariantDict, VariantTy};
use ostree::{Repo, RepoCommitState, RepoListRefsExtFlags};

use super::plan::{Plan, parse_manifest, version_of};

const LAYER_PREFIX: &str = "ostree/container/blob";
const IMAGE_PREFIX: &str = "ostree/container/image";
/// Refs whose commits may be images: of images, of bases of local changes, of deployments.
const HOLDERS: [&str; 5] =
    [IMAGE_PREFIX, "ostree/container/baseimage", "ostree/0", "ostree/1", "rpmostree/base"];
const MANIFEST_DIGEST: &str = "ostree.manifest-digest";
const MANIFEST: &str = "ostree.manifest";
const CONFIG: &str = "ostree.container.image-config";
const DROPPED: &str = "ostree.tar-filtered";
const VERSION: &str = "version";
const IMPORTER: &str = "ostree.importer.version";
/// Changes only when the same image would become another commit.
const IMPORTER_VERSION: &str = "nestos-1";

/// What a commit says about the image that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Digest of the manifest.
    pub digest: String,
    /// Version by the image's label.
    pub version: Option<String>,
    /// Digests of the layers.
    pub layers: Vec<String>,
}

/// Returns the ref of a layer.
pub(super) fn layer_ref(digest: &str) -> String {
    format!("{LAYER_PREFIX}/{}", escape_for_ref(digest))
}

/// Returns the ref of an image.
pub fn image_ref(image: &ImageRef) -> String {
    format!("{IMAGE_PREFIX}/{}", escape_for_ref(&image.to_string()))
}

/// Returns the commit of a ref, if it is there and whole.
pub(super) fn resolve(repo: &Repo, name: &str) -> Result<Option<Checksum>> {
    let commit = repo.resolve_rev(name, true).with_context(|| format!("cannot read ref {name}"))?;
    let Some(commit) = commit else { return Ok(None) };
    match repo.load_commit(&commit) {
        Ok((_, state)) if state.contains(RepoCommitState::PARTIAL) => Ok(None),
        Ok(_) => Ok(Some(commit.parse()?)),
        Err(e) if e.matches(ostree::gio::IOErrorEnum::NotFound) => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read commit {commit} of ref {name}")),
    }
}

/// Reads which image a commit was made from, if it was made from one.
pub fn stored_image(repo: &Repo, commit: &str) -> Result<Option<StoredImage>> {
    let (object, _) =
        repo.load_commit(commit).with_context(|| format!("cannot read commit {commit}"))?;
    let metadata = VariantDict::new(Some(&object.child_value(0)));
    let text = |key| metadata.lookup_value(key, Some(VariantTy::STRING));
    let Some(digest) = text(MANIFEST_DIGEST) else { return Ok(None) };
    let manifest = text(MANIFEST).with_context(|| format!("commit {commit} has no {MANIFEST}"))?;
    let manifest = parse_manifest(manifest.str().unwrap_or_default().as_bytes())?;
    let config = text(CONFIG);
    Ok(Some(StoredImage {
        digest: digest.str().unwrap_or_default().to_owned(),
        version: config.and_then(|c| version_of(c.str().unwrap_or_default().as_bytes())),
        layers: manifest.layers().iter().map(|l| l.digest().to_string()).collect(),
    }))
}

/// Reads what was dropped when a layer was imported.
pub(super) fn dropped_of(repo: &Repo, commit: &str) -> Result<BTreeMap<String, u32>> {
    let (object, _) = repo.load_commit(commit)?;
    let metadata = VariantDict::new(Some(&object.child_value(0)));
    let dropped = metadata.lookup_value(DROPPED, VariantTy::new("a{su}").ok());
    Ok(dropped.and_then(|v| v.get()).unwrap_or_default())
}

/// Serializes the commit that stands for a layer.
pub(super) fn layer_commit(
    root: &Checksum,
    meta: &Checksum,
    dropped: &BTreeMap<String, u32>,
) -> Result<Vec<u8>> {
    let mut metadata = BTreeMap::new();
    if !dropped.is_empty() {
        metadata.insert(DROPPED, counts(dropped)?);
    }
    commit(metadata, 0, root, meta)
}

/// Serializes the commit that stands for an image. It depends on the image alone: two machines
/// that import one digest have one checksum.
pub(super) fn image_commit(
    plan: &Plan,
    root: &Checksum,
    meta: &Checksum,
    dropped: &BTreeMap<String, BTreeMap<String, u32>>,
) -> Result<Vec<u8>> {
    let mut layers = Vec::new();
    for (digest, entries) in dropped {
        layers.push(Variant::from_dict_entry(&digest.to_variant(), &counts(entries)?));
    }
    let mut metadata = BTreeMap::from([
        (MANIFEST_DIGEST, plan.digest.to_variant()),
        (MANIFEST, plan.manifest_text.to_variant()),
        (CONFIG, plan.config_text.to_variant()),
        (IMPORTER, IMPORTER_VERSION.to_variant()),
        (DROPPED, Variant::array_from_iter_with_type(VariantTy::new("{sa{su}}")?, layers)),
    ]);
    // libostree puts it into the title of the boot entry.
    if let Some(version) = &plan.version {
        metadata.insert(VERSION, version.to_variant());
    }
    commit(metadata, plan.created, root, meta)
}

/// Removes the refs of layers that no image and no deployment has; returns how many.
pub fn remove_unused_layers(repo: &Repo) -> Result<usize> {
    let mut used = HashSet::new();
    for prefix in HOLDERS {
        for commit in refs(repo, prefix)?.into_values() {
            if let Some(image) = stored_image(repo, &commit)? {
                used.extend(image.layers.iter().map(|digest| layer_ref(digest)));
            }
        }
    }
    let all = refs(repo, LAYER_PREFIX)?;
    let unused: Vec<&String> = all.keys().filter(|name| !used.contains(*name)).collect();
    for name in &unused {
        repo.set_ref_immediate(None, name, None, Cancellable::NONE)
            .with_context(|| format!("cannot remove ref {name}"))?;
    }
    Ok(unused.len())
}

/// Removes the refs of images other than those given; returns how many.
pub fn remove_other_images(repo: &Repo, keep: &[ImageRef]) -> Result<usize> {
    let keep: HashSet<String> = keep.iter().map(image_ref).collect();
    let others = refs(repo, IMAGE_PREFIX)?;
    let others: Vec<&String> = others.keys().filter(|name| !keep.contains(*name)).collect();
    for name in &others {
        repo.set_ref_immediate(None, name, None, Cancellable::NONE)
            .with_context(|| format!("cannot remove ref {name}"))?;
    }
    Ok(others.len())
}

fn refs(repo: &Repo, prefix: &str) -> Result<BTreeMap<String, String>> {
    let found = repo
        .list_refs_ext(Some(prefix), RepoListRefsExtFlags::NONE, Cancellable::NONE)
        .with_context(|| format!("cannot list the refs below {prefix}"))?;
    Ok(found.into_iter().collect())
}

fn counts(entries: &BTreeMap<String, u32>) -> Result<Variant, glib::BoolError> {
    let entries =
        entries.iter().map(|(k, n)| Variant::from_dict_entry(&k.to_variant(), &n.to_variant()));
    Ok(Variant::array_from_iter_with_type(VariantTy::new("{su}")?, entries))
}

/// Serializes a commit; its metadata are in the order of their keys.
fn commit(
    metadata: BTreeMap<&str, Variant>,
    timestamp: u64,
    root: &Checksum,
    meta: &Checksum,
) -> Result<Vec<u8>> {
    let entries = metadata
        .iter()
        .map(|(key, v)| Variant::from_dict_entry(&key.to_variant(), &Variant::from_variant(v)));
    let bytes = |sum: &[u8]| Variant::array_from_fixed_array(sum);
    let none: [Variant; 0] = [];
    let commit = Variant::tuple_from_iter([
        Variant::array_from_iter_with_type(VariantTy::new("{sv}")?, entries),
        bytes(&[]),
        Variant::array_from_iter_with_type(VariantTy::new("(say)")?, none),
        "".to_variant(),
        "".to_variant(),
        timestamp.to_be().to_variant(),
        bytes(&root.0),
        bytes(&meta.0),
    ]);
    Ok(commit.normal_form().data().to_vec())
}
