//! What an image is made of, by its manifest and config: layers of an encapsulated ostree commit,
//! then ordinary layers. Pure.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use nestos_formats::image_ref::is_digest;
use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest, MediaType};

/// Label: the diff id of the last layer that holds ostree objects.
const FINAL_DIFF_ID: &str = "ostree.final-diffid";
/// Labels of which a bootable image has at least one.
const BOOTABLE: [&str; 2] = ["ostree.bootable", "containers.bootc"];
/// Label with the version of the system.
const VERSION: &str = "org.opencontainers.image.version";
const CREATED: &str = "org.opencontainers.image.created";

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// The blob.
    pub(super) blob: Descriptor,
    /// Digest of what is inflated from it.
    pub(super) diff_id: String,
}

/// The ostree part of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// The layer with the commit.
    pub(super) commit: Layer,
    /// Layers with files only.
    pub(super) chunks: Vec<Layer>,
}

impl Base {
    /// Returns all layers in order.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(&self.commit).chain(&self.chunks)
    }
}

/// An image, understood.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Digest of the manifest.
    pub(super) digest: String,
    /// The manifest as received.
    pub(super) manifest_text: String,
    /// The config as received.
    pub(super) config_text: String,
    /// Encapsulated commit, if the image has one.
    pub(super) base: Option<Base>,
    /// Ordinary layers on top of it, in order.
    pub(super) derived: Vec<Layer>,
    /// When it was made, in seconds since 1970-01-01 UTC; 0 if it does not say.
    pub(super) created: u64,
    /// Version of the system.
    pub(super) version: Option<String>,
}

impl Plan {
    /// Reads manifest and config of a bootable image for `arch` (an OCI name, such as `amd64`).
    pub(super) fn new(digest: String, manifest: &[u8], config: &[u8], arch: &str) -> Result<Self> {
        let parsed = parse_manifest(manifest)?;
        let config_text = std::str::from_utf8(config).context("the config is not UTF-8")?;
        let config: ImageConfiguration =
            serde_json::from_str(config_text).context("cannot read the image's config")?;
        let labels = config.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default();
        if config.architecture().to_string() != arch {
            bail!(
                "the image is for the architecture {}, this machine is {arch}",
                config.architecture()
            );
        }
        if !BOOTABLE.iter().any(|label| labels.contains_key(*label)) {
            bail!("the image is an ordinary container image: it has no label {}", BOOTABLE[0]);
        }
        let layers = pair(parsed.layers(), config.rootfs().diff_ids())?;
        let (base, derived) = split(layers, labels.get(FINAL_DIFF_ID))?;
        let annotations = parsed.annotations().clone().unwrap_or_default();
        let created = annotations.get(CREATED).or(config.created().as_ref());
        Ok(Self {
            digest,
            manifest_text: String::from_utf8(manifest.to_vec())?,
            config_text: config_text.to_owned(),
            base,
            derived,
            created: created.and_then(|t| seconds(t)).unwrap_or(0),
            version: version(&labels),
        })
    }

    /// Returns all layers in order.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.base.iter().flat_map(Base::layers).chain(&self.derived)
    }
}

/// Reads a manifest, and checks what is used of it.
pub(super) fn parse_manifest(bytes: &[u8]) -> Result<ImageManifest> {
    let manifest: ImageManifest =
        serde_json::from_slice(bytes).context("cannot read the image's manifest")?;
    for blob in manifest.layers().iter().chain([manifest.config()]) {
        if !is_digest(blob.digest().as_ref()) {
            bail!("the manifest names a blob by {}, which is no sha256 digest", blob.digest());
        }
    }
    Ok(manifest)
}

/// Returns the version that a config's labels give.
pub(super) fn version_of(config: &[u8]) -> Option<String> {
    let config: ImageConfiguration = serde_json::from_slice(config).ok()?;
    version(config.config().as_ref()?.labels().as_ref()?)
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Layer {
    /// Returns how the blob is compressed.
    pub(super) fn compression(&self) -> Result<Compression> {
        Ok(match self.blob.media_type() {
            MediaType::ImageLayer | MediaType::ImageLayerNonDistributable => Compression::None,
            MediaType::ImageLayerGzip | MediaType::ImageLayerNonDistributableGzip => {
                Compression::Gzip
            }
            MediaType::ImageLayerZstd | MediaType::ImageLayerNonDistributableZstd => {
                Compression::Zstd
            }
            MediaType::Other(t) if t == "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                Compression::Gzip
            }
            MediaType::Other(t) if t == "application/vnd.docker.image.rootfs.diff.tar" => {
                Compression::None
            }
            MediaType::Other(t) if t == "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
                Compression::Zstd
            }
            other => bail!("layer {} is of the unknown type {other}", self.blob.digest()),
        })
    }

    /// Returns the digest of the blob.
    pub(super) fn digest(&self) -> String {
        self.blob.digest().to_string()
    }
}

fn pair(blobs: &[Descriptor], diff_ids: &[String]) -> Result<Vec<Layer>> {
    if blobs.len() != diff_ids.len() || blobs.is_empty() {
        bail!(
            "the image has {} layers in its manifest, {} in its config",
            blobs.len(),
            diff_ids.len()
        );
    }
    let layers = blobs.iter().zip(diff_ids);
    Ok(layers.map(|(b, d)| Layer { blob: b.clone(), diff_id: d.clone() }).collect())
}

/// Splits the layers at the one that the label names.
fn split(layers: Vec<Layer>, last: Option<&String>) -> Result<(Option<Base>, Vec<Layer>)> {
    let Some(last) = last else { return Ok((None, layers)) };
    let Some(end) = layers.iter().position(|l| l.diff_id == *last) else {
        bail!("the label {FINAL_DIFF_ID} is {last}, which no layer has");
    };
    let mut layers = layers.into_iter();
    let base =
        layers.next().map(|commit| Base { commit, chunks: layers.by_ref().take(end).collect() });
    Ok((base, layers.collect()))
}

fn version(labels: &HashMap<String, String>) -> Option<String> {
    labels.get(VERSION).or_else(|| labels.get("version")).cloned()
}

fn seconds(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn digest(n: u8) -> String {
        format!("sha256:{}", format!("{n:02x}").repeat(32))
    }

    fn image(layers: u8, labels: Value) -> (Value, Value) {
        let blob = |n: u8| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                   "digest": digest(n), "size": 10})
        };
        let manifest = json!({
            "schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(99), "size": 2}, "layers": (0..layers).map(blob).collect::<Vec<_>>()
        });
        let diff_ids: Vec<_> = (0..layers).map(|n| digest(100 + n)).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2024-09-03T00:00:00Z",
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {"Labels": labels}
        });
        (manifest, config)
    }

    fn plan((manifest, config): (Value, Value)) -> Result<Plan> {
        let (manifest, config) = (manifest.to_string(), config.to_string());
        Plan::new(digest(7), manifest.as_bytes(), config.as_bytes(), "amd64")
    }

    fn shape(plan: &Plan) -> (Option<usize>, usize) {
        (plan.base.as_ref().map(|b| b.chunks.len()), plan.derived.len())
    }

    #[test]
    fn layers_are_split_at_the_label() {
        for (layers, last, expected) in
            [(1, 0, (Some(0), 0)), (4, 3, (Some(3), 0)), (4, 1, (Some(1), 2)), (3, 0, (Some(0), 2))]
        {
            let labels =
                json!({"ostree.bootable": "true", "ostree.final-diffid": digest(100 + last)});
            assert_eq!(shape(&plan(image(layers, labels)).unwrap()), expected);
        }
        let plain = plan(image(2, json!({"containers.bootc": "1", "version": "5"}))).unwrap();
        assert_eq!(shape(&plain), (None, 2));
        assert_eq!((plain.created, plain.version.as_deref()), (1_725_321_600, Some("5")));
    }

    #[test]
    fn images_that_cannot_run_here_are_refused_with_the_reason() {
        let labels = json!({"ostree.bootable": "true", "ostree.final-diffid": digest(100)});
        let mut other = image(1, labels.clone());
        other.1["architecture"] = json!("arm64");
        assert_eq!(
            plan(other).unwrap_err().to_string(),
            "the image is for the architecture arm64, this machine is amd64"
        );
        assert_eq!(
            plan(image(1, json!({}))).unwrap_err().to_string(),
            "the image is an ordinary container image: it has no label ostree.bootable"
        );
        let mut short = image(2, labels);
        short.1["rootfs"]["diff_ids"] = json!([digest(100)]);
        assert_eq!(
            plan(short).unwrap_err().to_string(),
            "the image has 2 layers in its manifest, 1 in its config"
        );
        let mut odd = image(1, json!({"ostree.bootable": "true"}));
        odd.0["layers"][0]["digest"] = json!("sha512:00");
        assert!(plan(odd).is_err());
    }
}
