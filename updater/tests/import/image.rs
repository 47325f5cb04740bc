//! Images: layers, and the manifest and config that name them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::registry::Registry;
use crate::server::sha256;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zip {
    None,
    Gzip,
    Zstd,
}

/// A layer that grows.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    tar: Vec<u8>,
    zip: Zip,
}

impl Layer {
    pub(crate) fn new() -> Self {
        Self { tar: Vec::new(), zip: Zip::Gzip }
    }

    pub(crate) fn zip(mut self, zip: Zip) -> Self {
        self.zip = zip;
        self
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(path, &header(EntryType::Regular, 0o644), content)
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.entry(path, &header(EntryType::Directory, 0o755), "")
    }

    pub(crate) fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        let mut head = header(kind, 0o777);
        let field = &mut head.as_old_mut().linkname;
        if target.len() > field.len() {
            return self.long(EntryType::GNULongLink, target).entry(path, &head, "");
        }
        field[..target.len()].copy_from_slice(target.as_bytes());
        self.entry(path, &head, "")
    }

    /// Adds a name that is too long for a header, for the entry that follows.
    fn long(self, kind: EntryType, name: &str) -> Self {
        self.entry("././@LongLink", &header(kind, 0), [name.as_bytes(), &[0]].concat())
    }

    /// Adds extended records, for the entry that follows.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let digits = |n: usize| n.to_string().len();
            let length = rest + digits(rest + digits(rest));
            bytes.extend([format!("{length} {key}=").as_bytes(), value, b"\n"].concat());
        }
        self.entry("pax", &header(EntryType::XHeader, 0o644), bytes)
    }

    pub(crate) fn entry(mut self, path: &str, head: &Header, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut head = head.clone();
        let field = &mut head.as_old_mut().name;
        if path.len() > field.len() {
            self = self.long(EntryType::GNULongName, path);
        } else {
            field[..path.len()].copy_from_slice(path.as_bytes());
        }
        head.set_size(content.len() as u64);
        head.set_cksum();
        self.tar.extend_from_slice(head.as_bytes());
        self.tar.extend_from_slice(content);
        self.tar.resize(self.tar.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn stream(&self) -> Vec<u8> {
        [&self.tar[..], &[0; 1024]].concat()
    }

    pub(crate) fn blob(&self) -> Vec<u8> {
        match self.zip {
            Zip::None => self.stream(),
            Zip::Zstd => zstd::encode_all(&self.stream()[..], 1).unwrap(),
            Zip::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&self.stream()).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn media_type(&self) -> &'static str {
        match self.zip {
            Zip::None => "application/vnd.oci.image.layer.v1.tar",
            Zip::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Zip::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

pub(crate) fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// An image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) layers: Vec<Layer>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) arch: String,
}

impl Image {
    /// An image of these layers that says that it can be booted.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let labels = BTreeMap::from([("ostree.bootable".to_owned(), "true".to_owned())]);
        Self { layers, labels, arch: arch().to_owned() }
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Returns the digest of a layer's blob.
    pub(crate) fn digest(&self, layer: usize) -> String {
        sha256(&self.layers[layer].blob())
    }

    /// Puts the image into a registry; returns the digest of its manifest.
    pub(crate) fn push(&self, registry: &Registry, tag: &str) -> String {
        let manifest = self.store(|bytes| registry.blob(bytes));
        registry.manifest(tag, manifest.to_string().as_bytes())
    }

    /// Writes the image in OCI layout.
    pub(crate) fn write_layout(&self, dir: &Path) {
        let blobs = dir.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let store = |bytes: &[u8]| {
            let digest = sha256(bytes);
            std::fs::write(blobs.join(&digest["sha256:".len()..]), bytes).unwrap();
            digest
        };
        let manifest = self.store(store).to_string();
        let entry = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": store(manifest.as_bytes()), "size": manifest.len(),
        });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
        std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }

    /// Stores the blobs; returns the manifest.
    pub(crate) fn store(&self, store: impl Fn(&[u8]) -> String) -> Value {
        let described = |media_type: &str, bytes: &[u8]| {
            let digest = store(bytes);
            json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
        };
        let diff_ids: Vec<_> = self.layers.iter().map(|l| sha256(&l.stream())).collect();
        // The peer wants the history, which is optional.
        let history = vec![json!({ "created_by": "a test" }); diff_ids.len()];
        let config = json!({
            "architecture": self.arch, "os": "linux", "created": "2024-09-03T00:00:00Z",
            "config": { "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history,
        });
        let layers: Vec<_> =
            self.layers.iter().map(|l| described(l.media_type(), &l.blob())).collect();
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described(CONFIG, config.to_string().as_bytes()), "layers": layers,
        })
    }
}

/// Returns the OCI name of this machine's architecture.
pub(crate) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
