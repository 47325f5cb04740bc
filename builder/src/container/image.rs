//! The documents of an OCI image (<https://github.com/opencontainers/image-spec>): config, manifest
//! and index, with the labels that ostree hosts look for. Keys are sorted: the same image has the
//! same digest.

use std::collections::BTreeMap;

use anyhow::Result;
use nestos_formats::disk_layout::Arch;
use nestos_formats::ostree::{Checksum, Commit};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::layers::Facts;

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Annotation of a layer: what is in it.
const COMPONENTS: &str = "ostree.components";
/// Key of commit metadata: release of the kernel.
const LINUX: &str = "ostree.linux";

/// What an image is made of.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// Checksum of the commit.
    pub(crate) checksum: Checksum,
    /// The commit.
    pub(crate) commit: &'a Commit,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
    /// Architecture.
    pub(crate) arch: Arch,
    /// What a container runs.
    pub(crate) cmd: &'a [String],
    /// Layers; the first is that of the commit.
    pub(crate) layers: Vec<Described<'a>>,
}

/// A layer with what people want to know about it.
#[derive(Debug)]
pub(crate) struct Described<'a> {
    /// Its digests.
    pub(crate) facts: &'a Facts,
    /// Its name.
    pub(crate) name: &'a str,
    /// What is in it.
    pub(crate) components: &'a [String],
}

/// A document and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// The JSON.
    pub(crate) bytes: Vec<u8>,
    /// SHA-256, hex.
    pub(crate) sha256: String,
}

impl Document {
    fn new(value: &Value) -> Result<Self> {
        let bytes = serde_json::to_vec(value)?;
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        Ok(Self { bytes, sha256 })
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", self.sha256),
            "size": self.bytes.len(),
        })
    }
}

impl Image<'_> {
    /// Returns the labels, which are also annotations of the manifest.
    fn labels(&self) -> BTreeMap<&str, String> {
        let text = |key: &str| self.commit.texts.get(key).cloned();
        let last = self.layers.last().map(|layer| format!("sha256:{}", layer.facts.diff_id));
        let mut labels = BTreeMap::from([
            ("ostree.commit", Some(self.checksum.to_string())),
            ("ostree.final-diffid", last),
            ("org.opencontainers.image.version", text("version")),
            ("version", text("version")),
        ]);
        // nosa commits with --bootable, which names the kernel.
        if let Some(linux) = text(LINUX) {
            labels.insert(LINUX, Some(linux));
            labels.insert("ostree.bootable", Some("true".to_owned()));
            labels.insert("containers.bootc", Some("1".to_owned()));
        }
        labels.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// Makes the config.
    pub(crate) fn config(&self) -> Result<Document> {
        let mut config = json!({ "Labels": self.labels() });
        if !self.cmd.is_empty() {
            config["Cmd"] = json!(self.cmd);
        }
        let diff_ids = self.layers.iter().map(|layer| format!("sha256:{}", layer.facts.diff_id));
        let history = self
            .layers
            .iter()
            .map(|layer| json!({ "created": self.created, "created_by": layer.name }));
        Document::new(&json!({
            "created": self.created,
            "architecture": architecture(self.arch),
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids.collect::<Vec<_>>() },
            "history": history.collect::<Vec<_>>(),
        }))
    }

    /// Makes the manifest.
    pub(crate) fn manifest(&self, config: &Document) -> Result<Document> {
        let layers = self.layers.iter().map(|layer| {
            let mut descriptor = json!({
                "mediaType": LAYER_TYPE,
                "digest": format!("sha256:{}", layer.facts.sha256),
                "size": layer.facts.size,
            });
            if !layer.components.is_empty() {
                descriptor["annotations"] = json!({ COMPONENTS: layer.components.join(",") });
            }
            descriptor
        });
        Document::new(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(CONFIG_TYPE),
            "layers": layers.collect::<Vec<_>>(),
            "annotations": self.labels(),
        }))
    }

    /// Makes the index of a layout that holds only this image.
    pub(crate) fn index(&self, manifest: &Document, tag: &str) -> Result<Document> {
        let mut descriptor = manifest.descriptor(MANIFEST_TYPE);
        descriptor["platform"] = json!({ "architecture": architecture(self.arch), "os": "linux" });
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        Document::new(&json!({
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [descriptor],
        }))
    }
}

/// The name that Go gives an architecture.
fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}
