//! The commit as a container image: layers of ostree objects from which a host takes the commit,
//! and which a container engine runs as they are.
//!
//! commit -> its file objects by component -> layers -> config, manifest -> `.ociarchive`. The same
//! commit gives the same bytes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use nestos_formats::disk_layout::Arch;
use nestos_host::atomic;

use crate::calendar::Moment;
use crate::tree::LayerDir;

mod archive;
mod chunks;
mod contents;
mod hashed;
mod image;
mod layers;
mod objects;
mod owners;
mod stream;

use archive::Archive;
use contents::Contents;
use image::{Described, Image};
use layers::Maker;
use objects::Objects;
use owners::Owners;

/// What an image is made from.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// The repository, in bare mode.
    pub(crate) repo: &'a Path,
    /// Checksum of the commit.
    pub(crate) commit: &'a str,
    /// Overlays that are in the commit.
    pub(crate) overlays: &'a [LayerDir],
    /// What a container runs.
    pub(crate) cmd: &'a [String],
    /// Architecture.
    pub(crate) arch: Arch,
    /// Tag in the archive.
    pub(crate) tag: &'a str,
    /// Where compressed layers are kept.
    pub(crate) cache: &'a Path,
}

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// SHA-256 of the archive.
    pub(crate) sha256: String,
    /// Size of the archive.
    pub(crate) size: u64,
    /// SHA-256 of the manifest, which names the image.
    pub(crate) manifest_sha256: String,
    /// Size of the manifest.
    pub(crate) manifest_size: u64,
    /// Number of layers.
    pub(crate) layers: usize,
    /// How many of them were not there from an earlier build.
    pub(crate) fresh: usize,
}

/// Writes the archive, and the manifest to a file of its own.
pub(crate) fn write(source: &Source<'_>, archive: &Path, manifest_path: &Path) -> Result<Written> {
    let objects = Objects::of(source.repo);
    let contents = Contents::read(&objects, source.commit.parse()?)?;
    let mut owners = Owners::of(&objects, &contents)?;
    for overlay in source.overlays {
        owners.add_overlay(&overlay.name, files_below(&overlay.dir)?);
    }
    let chunks = chunks::assign(&contents.files, &owners);
    let maker = Maker { objects: &objects, contents: &contents, cache: source.cache };
    let layers = maker.all(&chunks)?;
    let described = layers.iter().zip(&chunks).map(|(layer, chunk)| Described {
        facts: &layer.facts,
        name: &chunk.name,
        components: &chunk.components,
    });
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(contents.commit.timestamp);
    let image = Image {
        checksum: contents.checksum,
        commit: &contents.commit,
        created: Moment::from(time).rfc3339(),
        arch: source.arch,
        cmd: source.cmd,
        layers: described.collect(),
    };
    let config = image.config()?;
    let manifest = image.manifest(&config)?;
    let index = image.index(&manifest, source.tag)?;
    let packed = Archive { index: &index, documents: [&manifest, &config], layers: &layers };
    let (sha256, size) = packed.write(archive)?;
    atomic::write(manifest_path, &manifest.bytes, 0o644)?;
    Ok(Written {
        sha256,
        size,
        manifest_sha256: manifest.sha256,
        manifest_size: u64::try_from(manifest.bytes.len())?,
        layers: layers.len(),
        fresh: layers.iter().filter(|layer| !layer.reused).count(),
    })
}

/// Returns the tag of a build. A version may have characters that no tag has.
pub(crate) fn tag(build: &str, arch: Arch) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    format!("{build}-{arch}").chars().map(fine).collect()
}

/// Returns the paths of all that is below a directory and no directory, relative to it.
fn files_below(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        let dir = dir.join(&inside);
        let failed = || format!("cannot list {}", dir.display());
        for entry in std::fs::read_dir(&dir).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let path = inside.join(entry.file_name());
            if entry.file_type().with_context(failed)?.is_dir() {
                open.push(path);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}
