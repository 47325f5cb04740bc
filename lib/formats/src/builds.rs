//! `builds/`: the index `builds.json` and each build's `meta.json`, as coreos-assembler and
//! nestos-assembler write them. Keys that are not known here survive a rewrite.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Version of `builds.json` that is written; the first number must agree when reading.
const SCHEMA_VERSION: &str = "1.0.0";

/// Why a text is no index or metadata of builds.
#[derive(Debug, Error)]
pub enum BuildsError {
    /// Not the JSON that is expected.
    #[error("not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a newer tool.
    #[error("has schema version {0:?}; this tool knows version 1")]
    Schema(String),
}

/// One build in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEntry {
    /// Build id.
    pub id: String,
    /// Architectures it was made for.
    pub arches: Vec<String>,
    /// What else was there.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// `builds.json`: newest build first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Builds {
    #[serde(rename = "schema-version")]
    schema_version: String,
    /// The builds, newest first.
    pub builds: Vec<BuildEntry>,
    /// When it was written, RFC 3339.
    #[serde(default)]
    pub timestamp: String,
    /// What else was there, such as tags.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            builds: Vec::new(),
            timestamp: String::new(),
            other: BTreeMap::new(),
        }
    }
}

impl Builds {
    /// Reads `builds.json`.
    pub fn parse(text: &[u8]) -> Result<Self, BuildsError> {
        let builds: Self = serde_json::from_slice(text)?;
        if builds.schema_version.split('.').next() == Some("1") {
            Ok(builds)
        } else {
            Err(BuildsError::Schema(builds.schema_version))
        }
    }

    /// Prints `builds.json`.
    pub fn to_json(&self) -> Result<String, BuildsError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Puts a build first, or adds an architecture to one that is there.
    pub fn insert(&mut self, id: &str, arch: &str) {
        match self.builds.iter_mut().find(|b| b.id == id) {
            Some(build) if build.arches.iter().any(|a| a == arch) => {}
            Some(build) => build.arches.push(arch.to_owned()),
            None => self.builds.insert(
                0,
                BuildEntry {
                    id: id.to_owned(),
                    arches: vec![arch.to_owned()],
                    other: BTreeMap::new(),
                },
            ),
        }
    }
}

/// One file of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// File name in the build's folder.
    pub path: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What else was there.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// `meta.json` of one build for one architecture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Build id.
    pub buildid: String,
    /// Name of the OS.
    pub name: String,
    /// One line about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Ref of the commit.
    #[serde(rename = "ref", default, skip_serializing_if = "String::is_empty")]
    pub ref_name: String,
    /// Checksum of the commit.
    #[serde(rename = "ostree-commit")]
    pub ostree_commit: String,
    /// Checksum of the commit's content.
    #[serde(rename = "ostree-content-checksum")]
    pub ostree_content_checksum: String,
    /// When it was committed, RFC 3339.
    #[serde(rename = "ostree-timestamp")]
    pub ostree_timestamp: String,
    /// Version of the commit.
    #[serde(rename = "ostree-version")]
    pub ostree_version: String,
    /// Digest of everything the commit was made from.
    #[serde(rename = "rpm-ostree-inputhash")]
    pub inputhash: String,
    /// Artifacts by kind.
    #[serde(default)]
    pub images: BTreeMap<String, Artifact>,
    /// What else was there.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Meta {
    /// Reads `meta.json`.
    pub fn parse(text: &[u8]) -> Result<Self, BuildsError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// Prints `meta.json`.
    pub fn to_json(&self) -> Result<String, BuildsError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_tool_wrote_survives() {
        let text = r#"{"buildid":"1","name":"n","ostree-commit":"c","ostree-content-checksum":"cc",
            "ostree-timestamp":"t","ostree-version":"1","rpm-ostree-inputhash":"h","pkgdiff":[1],
            "images":{"qemu":{"path":"p","sha256":"s","skip-compression":true}}}"#;
        let meta = Meta::parse(text.as_bytes()).unwrap();
        let again = Meta::parse(meta.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again, meta);
        assert!(meta.to_json().unwrap().contains("pkgdiff"));
        assert!(meta.to_json().unwrap().contains("skip-compression"));
    }

    #[test]
    fn the_index_is_newest_first_and_knows_its_version() {
        let mut builds = Builds::default();
        builds.insert("1.0", "x86_64");
        builds.insert("1.1", "x86_64");
        builds.insert("1.0", "aarch64");
        let again = Builds::parse(builds.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again.builds[0].id, "1.1");
        assert_eq!(again.builds[1].arches, ["x86_64", "aarch64"]);
        let newer = r#"{"schema-version":"2.0.0","builds":[]}"#;
        assert!(matches!(Builds::parse(newer.as_bytes()), Err(BuildsError::Schema(_))));
    }
}
