//! Images derived from another by one layer: what `podman build` makes of a Containerfile. Written
//! here, because the layer is the whole of it and a container engine cannot run everywhere.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use nestos_host::cmd::Cmd;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const TAG: &str = "org.opencontainers.image.ref.name";
const VERSION: &str = "org.opencontainers.image.version";

/// A directory in OCI layout.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
}

/// One layer: files and whiteouts.
#[derive(Debug, Default)]
pub struct Layer {
    entries: Vec<(String, u32, Vec<u8>)>,
}

impl Layer {
    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.entries.push((path.to_owned(), mode, content.into()));
        self
    }

    /// Removes a file of the layers below.
    #[must_use]
    pub fn without(self, path: &str) -> Self {
        let path = Path::new(path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let whiteout = path.with_file_name(format!(".wh.{name}"));
        self.file(&whiteout.display().to_string(), 0o644, "")
    }

    fn tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode, content) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_size(u64::try_from(content.len())?);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(1);
            tar.append_data(&mut header, path, content.as_slice())?;
        }
        tar.into_inner().context("cannot write a layer")
    }
}

impl Layout {
    /// Unpacks an archive in OCI layout.
    pub fn unpack(archive: &Path, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        Cmd::new("tar").arg("-xf").arg(archive).arg("-C").arg(dir).run()?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Returns an image's name as skopeo takes it.
    pub fn name(&self, tag: &str) -> String {
        format!("oci:{}:{tag}", self.dir.display())
    }

    /// Returns the tag of the only image, as in an archive of nosa.
    pub fn only_tag(&self) -> Result<String> {
        let tag = self.index()?["manifests"][0]["annotations"][TAG].as_str().map(str::to_owned);
        tag.context("the layout has no tag")
    }

    /// Adds an image that has one layer more than `base`; returns the digest of its manifest.
    pub fn derive(&self, base: &str, tag: &str, layer: &Layer) -> Result<String> {
        let mut index = self.index()?;
        let manifests = index["manifests"].as_array().context("the index lists nothing")?;
        let found = manifests.iter().find(|m| m["annotations"][TAG] == base);
        let found = found.with_context(|| format!("there is no image {base}"))?;
        let mut manifest = self.read(&found["digest"])?;
        let mut config = self.read(&manifest["config"]["digest"])?;
        let plain = layer.tar()?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&plain)?;
        let blob = self.write(&gzip.finish()?, "application/vnd.oci.image.layer.v1.tar+gzip")?;
        push(&mut manifest["layers"], blob)?;
        push(&mut config["rootfs"]["diff_ids"], json!(digest(&plain)))?;
        push(&mut config["history"], json!({"created_by": format!("a layer for {tag}")}))?;
        config["config"]["Labels"][VERSION] = json!(tag);
        manifest["annotations"][VERSION] = json!(tag);
        let kind = "application/vnd.oci.image.config.v1+json";
        manifest["config"] = self.write(&serde_json::to_vec(&config)?, kind)?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let mut descriptor = self.write(&serde_json::to_vec(&manifest)?, kind)?;
        descriptor["annotations"] = json!({TAG: tag});
        let digest = descriptor["digest"].as_str().unwrap_or_default().to_owned();
        push(&mut index["manifests"], descriptor)?;
        fs::write(self.dir.join("index.json"), serde_json::to_vec(&index)?)?;
        Ok(digest)
    }

    fn index(&self) -> Result<Value> {
        let path = self.dir.join("index.json");
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    fn read(&self, digest: &Value) -> Result<Value> {
        let path = self.blob(digest.as_str().context("a digest is missing")?);
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn write(&self, bytes: &[u8], kind: &str) -> Result<Value> {
        let digest = digest(bytes);
        fs::write(self.blob(&digest), bytes)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

fn push(list: &mut Value, item: Value) -> Result<()> {
    list.as_array_mut().context("a list of the image is missing")?.push(item);
    Ok(())
}
