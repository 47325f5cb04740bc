//! What a registry answers when asked for a manifest: a manifest, or an index of several
//! (<https://github.com/opencontainers/image-spec/blob/main/image-index.md>, and the manifest list
//! of Docker, which has the same fields).

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Largest manifest that is read, the limit that registries have.
pub(super) const LARGEST: u64 = 4 << 20;

/// What we take, as an `Accept` header.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// Media types of a manifest of one image.
const SINGLE: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What some bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The manifest of one image.
    Image,
    /// An index, with one manifest for each platform.
    Index(Vec<Entry>),
}

/// A manifest that an index names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    /// Its digest.
    pub(super) digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// Returns whether a `Content-Type` says that the body is the manifest of one image.
pub(super) fn is_single(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    SINGLE.contains(&media_type)
}

/// Returns `sha256:HEX` of some bytes.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// Reads what a registry sent.
pub(super) fn parse(bytes: &[u8]) -> Result<Kind> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        #[serde(default)]
        schema_version: u64,
        manifests: Option<Vec<Entry>>,
        config: Option<serde_json::Value>,
        layers: Option<serde_json::Value>,
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| anyhow!("it is no manifest: {e}"))?;
    if raw.schema_version == 1 {
        bail!(
            "it is a manifest of version 1, which names no layers by digest and is not supported"
        );
    }
    match (raw.manifests, raw.config.is_some() || raw.layers.is_some()) {
        // CVE-2021-41190: two readers of such a document could see two different images.
        (Some(_), true) => bail!("it is a manifest and an index at once"),
        (Some(entries), false) => Ok(Kind::Index(entries)),
        (None, true) => Ok(Kind::Image),
        (None, false) => bail!("it is neither a manifest nor an index"),
    }
}

/// Chooses the manifest for Linux on an architecture.
pub(super) fn choose<'a>(entries: &'a [Entry], arch: &str) -> Result<&'a Entry> {
    let fits =
        |e: &&Entry| e.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == arch);
    if let Some(entry) = entries.iter().find(fits) {
        return Ok(entry);
    }
    // Attestations are listed as unknown/unknown.
    let mut offered: Vec<String> = entries
        .iter()
        .filter_map(|e| e.platform.as_ref())
        .filter(|p| p.os != "unknown")
        .map(|p| format!("{}/{}", p.os, p.architecture).escape_debug().to_string())
        .collect();
    offered.sort();
    offered.dedup();
    match offered.as_slice() {
        [] => bail!("it has no image for linux/{arch}, and names no platform at all"),
        _ => bail!("it has no image for linux/{arch}, only for {}", offered.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(platforms: &[(&str, &str)]) -> Vec<u8> {
        let entry = |(os, arch): &(&str, &str)| {
            serde_json::json!({
                "digest": digest_of(arch.as_bytes()), "size": 1,
                "platform": { "os": os, "architecture": arch },
            })
        };
        let manifests: Vec<_> = platforms.iter().map(entry).collect();
        serde_json::json!({ "schemaVersion": 2, "manifests": manifests }).to_string().into_bytes()
    }

    fn chosen(bytes: &[u8], arch: &str) -> Result<String, String> {
        let Kind::Index(entries) = parse(bytes).unwrap() else { panic!("no index") };
        choose(&entries, arch).map(|e| e.digest.clone()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_entry_for_linux_on_this_architecture_is_chosen() {
        let bytes = index(&[("windows", "arm64"), ("linux", "amd64"), ("linux", "arm64")]);
        assert_eq!(chosen(&bytes, "arm64").unwrap(), digest_of(b"arm64"));
    }

    #[test]
    fn an_index_without_this_architecture_says_what_it_has() {
        let bytes = index(&[("linux", "s390x"), ("linux", "amd64"), ("unknown", "unknown")]);
        assert_eq!(
            chosen(&bytes, "arm64").unwrap_err(),
            "it has no image for linux/arm64, only for linux/amd64, linux/s390x"
        );
        assert_eq!(
            chosen(&index(&[]), "arm64").unwrap_err(),
            "it has no image for linux/arm64, and names no platform at all"
        );
    }

    #[test]
    fn documents_that_are_no_manifest_are_refused() {
        for (text, says) in [
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "it is a manifest of version 1, which"),
            (r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, "it is a manifest and an index"),
            (r#"{"schemaVersion":2}"#, "it is neither a manifest nor an index"),
            ("<html>", "it is no manifest: expected value at line 1"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        assert_eq!(parse(br#"{"config":{},"layers":[]}"#).unwrap(), Kind::Image);
    }

    #[test]
    fn media_types_may_have_parameters() {
        assert!(is_single("application/vnd.oci.image.manifest.v1+json; charset=utf-8"));
        assert!(!is_single("application/vnd.oci.image.index.v1+json"));
        assert!(!is_single(""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, arch: String) {
            if let Ok(Kind::Index(entries)) = parse(&bytes) {
                drop(choose(&entries, &arch));
            }
        }
    }
}
