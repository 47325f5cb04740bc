//! The step that adds the container image to a build.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::builds::{Artifact, Meta};
use serde_json::Value;

use super::Session;
use crate::commit::Repo;
use crate::container::{self, Source};
use crate::scratch;
use crate::steps::bytes;
use crate::tree::LayerDir;

/// Key of meta.json: the container image in an OCI archive.
pub(crate) const ARCHIVE: &str = "ostree";
/// Key of meta.json: its manifest.
pub(crate) const MANIFEST: &str = "oci-manifest";

impl Session {
    /// Adds the container image of the build's commit, made with its overlays.
    pub(super) fn add_container(
        &self,
        meta: &mut Meta,
        overlays: &[LayerDir],
        repo: &Repo,
    ) -> Result<()> {
        let arch = self.arch.to_string();
        let stem = format!("{}-{}-ostree.{arch}", meta.name, meta.buildid);
        let (archive, manifest) = (format!("{stem}.ociarchive"), format!("{stem}-manifest.json"));
        let work = self.fresh_dir("tmp/container")?;
        let source = Source {
            repo: repo.dir(),
            commit: &meta.ostree_commit,
            overlays,
            cmd: &self.config.manifest.container_cmd,
            arch: self.arch,
            tag: &container::tag(&meta.buildid, self.arch),
            cache: &self.workdir.path("cache/layers"),
        };
        let written = self.steps.run("container image", || {
            let written = container::write(&source, &work.join(&archive), &work.join(&manifest))?;
            let (layers, fresh) = (written.layers, written.fresh);
            let detail = format!("{}, {layers} layers, {fresh} of them new", bytes(written.size));
            Ok((written, detail))
        })?;
        let build = self.workdir.build_dir(&meta.buildid, &arch);
        for name in [&archive, &manifest] {
            put(&work.join(name), &build.join(name))?;
        }
        let as_it_is = [("skip-compression".to_owned(), Value::from(true))];
        let archive = Artifact {
            path: archive,
            sha256: written.sha256,
            size: Some(written.size),
            other: BTreeMap::from(as_it_is.clone()),
        };
        let manifest = Artifact {
            path: manifest,
            sha256: written.manifest_sha256,
            size: Some(written.manifest_size),
            other: BTreeMap::from(as_it_is),
        };
        meta.images.insert(ARCHIVE.to_owned(), archive);
        meta.images.insert(MANIFEST.to_owned(), manifest);
        self.workdir.write_meta(meta, &arch)?;
        scratch::remove(&work)
    }
}

fn put(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move the image to {}", to.display()))
}
