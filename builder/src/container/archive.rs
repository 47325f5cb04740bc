//! An OCI layout in a tar archive, as skopeo, podman and ostree hosts read it (`oci-archive:`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

use super::hashed::Hashed;
use super::image::Document;
use super::layers::Layer;

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What an archive holds.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    /// `index.json`.
    pub(crate) index: &'a Document,
    /// Config and manifest.
    pub(crate) documents: [&'a Document; 2],
    /// Layers.
    pub(crate) layers: &'a [Layer],
}

impl Archive<'_> {
    /// Writes it and returns its SHA-256 and size.
    pub(crate) fn write(&self, path: &Path) -> Result<(String, u64)> {
        let failed = || format!("cannot write {}", path.display());
        let file = BufWriter::with_capacity(1 << 20, File::create(path).with_context(failed)?);
        let mut tar = Builder::new(Hashed::new(file));
        self.fill(&mut tar).with_context(failed)?;
        let (mut file, sha256, size) = tar.into_inner().with_context(failed)?.finish();
        file.flush().with_context(failed)?;
        Ok((sha256, size))
    }

    fn fill(&self, tar: &mut Builder<impl Write>) -> Result<()> {
        add(tar, "oci-layout", LAYOUT.len() as u64, LAYOUT)?;
        add(tar, "index.json", self.index.bytes.len() as u64, &self.index.bytes[..])?;
        for dir in ["blobs/", "blobs/sha256/"] {
            let mut header = header(EntryType::Directory, 0o755, 0);
            tar.append_data(&mut header, dir, std::io::empty())?;
        }
        for document in self.documents {
            let name = format!("blobs/sha256/{}", document.sha256);
            add(tar, &name, document.bytes.len() as u64, &document.bytes[..])?;
        }
        let mut written = BTreeSet::new();
        for layer in self.layers.iter().filter(|layer| written.insert(&layer.facts.sha256)) {
            let file = File::open(&layer.path)
                .with_context(|| format!("cannot read {}", layer.path.display()))?;
            add(tar, &format!("blobs/sha256/{}", layer.facts.sha256), layer.facts.size, file)?;
        }
        Ok(())
    }
}

fn add(tar: &mut Builder<impl Write>, name: &str, size: u64, content: impl Read) -> Result<()> {
    let mut header = header(EntryType::Regular, 0o644, size);
    tar.append_data(&mut header, name, content).with_context(|| format!("entry {name}"))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
