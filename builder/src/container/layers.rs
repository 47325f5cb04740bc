//! Layers as files: compressed with all processors, and kept by what is in them, so that a build
//! with one changed package compresses only what changed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use flate2::Compression;
use flate2::write::GzEncoder;
use nestos_host::atomic;
use serde::{Deserialize, Serialize};

use super::chunks::Chunk;
use super::contents::Contents;
use super::hashed::Hashed;
use super::objects::Objects;
use super::stream::Stream;
use crate::digest::{Inputs, sha256_of};

/// Changes when the bytes of a layer change although its objects do not.
const GENERATION: &str = "1";
/// gzip's default. For a system of 800 MB it takes 28 s of processor time; 4 takes 21 s and gives
/// 1.2 % more bytes, 7 takes 34 s and gives 0.5 % less.
const LEVEL: u32 = 6;

/// A compressed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its digests.
    pub(crate) facts: Facts,
    /// Whether it was there already.
    pub(crate) reused: bool,
}

/// What the image says about a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// SHA-256 of the tar stream, hex.
    pub(crate) diff_id: String,
    /// SHA-256 of the compressed file, hex.
    pub(crate) sha256: String,
    /// Size of the compressed file.
    pub(crate) size: u64,
}

/// Makes layers in a directory.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    /// The repository.
    pub(crate) objects: &'a Objects,
    /// The commit.
    pub(crate) contents: &'a Contents,
    /// Where layers are kept.
    pub(crate) cache: &'a Path,
}

impl Maker<'_> {
    /// Makes the layers of all chunks, the first with the commit, and returns them in that order.
    /// Then the cache holds these and no others.
    pub(crate) fn all(&self, chunks: &[Chunk<'_>]) -> Result<Vec<Layer>> {
        fs::create_dir_all(self.cache)
            .with_context(|| format!("cannot create {}", self.cache.display()))?;
        // The largest first, so that no processor is left with it at the end.
        let mut order: Vec<usize> = (0..chunks.len()).collect();
        let size =
            |i: &usize| chunks.get(*i).map(|c| c.files.values().map(|f| f.size).sum::<u64>());
        order.sort_by_key(|i| std::cmp::Reverse(size(i)));
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Layer)>> {
            let mut done = Vec::new();
            while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(chunk) = chunks.get(i) else { break };
                let layer = self.layer(chunk, i == 0);
                done.push((i, layer.with_context(|| format!("layer {:?}", chunk.name))?));
            }
            Ok(done)
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let mut layers = thread::scope(|scope| -> Result<Vec<(usize, Layer)>> {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut all = Vec::new();
            for thread in threads {
                let done = thread.join().map_err(|_panic| anyhow!("making a layer failed"))?;
                all.extend(done?);
            }
            Ok(all)
        })?;
        layers.sort_by_key(|(i, _)| *i);
        let layers: Vec<Layer> = layers.into_iter().map(|(_, layer)| layer).collect();
        self.prune(&layers)?;
        Ok(layers)
    }

    fn layer(&self, chunk: &Chunk<'_>, with_commit: bool) -> Result<Layer> {
        let key = self.key(chunk, with_commit);
        let path = self.cache.join(format!("{key}.tar.gz"));
        let about = self.cache.join(format!("{key}.json"));
        if let Some(facts) = known(&path, &about) {
            return Ok(Layer { path, facts, reused: true });
        }
        let fresh = self.cache.join(format!("{key}.partial"));
        let facts = self.write(chunk, with_commit, &fresh)?;
        fs::rename(&fresh, &path)
            .with_context(|| format!("cannot move the layer to {}", path.display()))?;
        atomic::write(&about, &serde_json::to_vec(&facts)?, 0o644)?;
        Ok(Layer { path, facts, reused: false })
    }

    /// Returns the digest of what is in a layer. Objects are named by their content.
    fn key(&self, chunk: &Chunk<'_>, with_commit: bool) -> String {
        let mut inputs = Inputs::default();
        inputs.value("generation", GENERATION);
        if with_commit {
            inputs.value("commit", self.contents.checksum.0);
            for entry in &self.contents.entries {
                if let super::contents::Entry::Metadata(_, "commitmeta", bytes) = entry {
                    inputs.value("commitmeta", bytes);
                }
            }
        }
        for (checksum, file) in &chunk.files {
            inputs.value("object", checksum.0);
            for path in &file.paths {
                inputs.value("path", path);
            }
        }
        inputs.hex()
    }

    fn write(&self, chunk: &Chunk<'_>, with_commit: bool, path: &Path) -> Result<Facts> {
        let failed = || format!("cannot write {}", path.display());
        let file = BufWriter::new(File::create(path).with_context(failed)?);
        let packer = GzEncoder::new(Hashed::new(file), Compression::new(LEVEL));
        let mut stream = Stream::new(self.objects, Hashed::new(packer));
        if with_commit {
            stream.skeleton(self.contents)?;
        } else {
            stream.repository()?;
        }
        for (checksum, file) in &chunk.files {
            stream.file(*checksum, file)?;
        }
        let (packer, diff_id, _) = stream.finish()?.finish();
        let (mut file, sha256, size) = packer.finish().with_context(failed)?.finish();
        file.flush().with_context(failed)?;
        Ok(Facts { diff_id, sha256, size })
    }

    fn prune(&self, layers: &[Layer]) -> Result<()> {
        let keep: BTreeSet<PathBuf> =
            layers.iter().flat_map(|l| [l.path.clone(), about_of(&l.path)]).collect();
        let failed = || format!("cannot list {}", self.cache.display());
        for entry in fs::read_dir(self.cache).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            if !keep.contains(&path) {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn about_of(layer: &Path) -> PathBuf {
    layer.with_extension("").with_extension("json")
}

/// Returns what is known about a layer that is there, unless it was damaged since.
fn known(path: &Path, about: &Path) -> Option<Facts> {
    let facts: Facts = serde_json::from_slice(&fs::read(about).ok()?).ok()?;
    (sha256_of(path).ok()? == facts.sha256).then_some(facts)
}
