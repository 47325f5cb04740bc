//! What one build offers for one architecture: from the files in its folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::builds::{Artifact as BuiltArtifact, Meta};
use nestos_formats::image_ref::RegistryName;
use nestos_formats::stream_metadata::{Artifact, ContainerImage, DISK, Media, ReleaseArch};
use nestos_host::term::{self, WithHint};
use serde_json::Value;

use crate::build::{ARCHIVE, MANIFEST};
use crate::digest::sha256_of;
use crate::push::PUSHED;

const METAL: &str = "metal";

/// Key of meta.json that `compress` leaves: the digest of the file before.
const UNCOMPRESSED: &str = "uncompressed-sha256";

/// Endings of compressed files beside an image.
const ENDINGS: [&str; 3] = ["gz", "xz", "zst"];

/// Where the folder `builds/` is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = |b: u8| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&b);
        match rest {
            Some(rest) if rest.bytes().all(plain) && !rest.starts_with('/') && !rest.is_empty() => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(format!("{text:?} is no address such as https://HOST/builds")),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which files have a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    /// Those with a file `NAME.sig` beside them.
    IfThere,
    /// All, when they are published.
    Promised,
}

/// A build for one architecture.
#[derive(Debug)]
pub(super) struct Build<'a> {
    /// Its metadata.
    pub(super) meta: &'a Meta,
    /// The architecture.
    pub(super) arch: &'a str,
    /// Its folder.
    pub(super) dir: &'a Path,
    /// Where the folders of all builds are published.
    pub(super) base: &'a BaseUrl,
    /// Which files have a signature.
    pub(super) signatures: Signatures,
}

/// Returns what a build offers.
pub(super) fn of(build: &Build<'_>) -> Result<ReleaseArch> {
    let mut media: BTreeMap<String, Media> = BTreeMap::new();
    for (key, built) in &build.meta.images {
        let Some(slot) = Slot::of(key) else { continue };
        for (format, artifact) in build.files(&slot, key, built)? {
            let formats = &mut media.entry(slot.platform.to_owned()).or_default().artifacts;
            formats.entry(format).or_default().insert(slot.part.to_owned(), artifact);
        }
    }
    if media.is_empty() {
        let build = format!("build {} for {}", build.meta.buildid, build.arch);
        return Err(anyhow!("{build} has no image"))
            .hint("make one, for example: nosa build metal");
    }
    let commit = build.meta.ostree_commit.clone();
    let oci_image = pushed_image(build.meta)?;
    Ok(ReleaseArch { commit, media, oci_image, ..ReleaseArch::default() })
}

/// Where in the metadata an image of a build belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot<'a> {
    platform: &'a str,
    part: &'a str,
    format: FormatName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormatName {
    /// What the file name ends with, after this.
    OfFile(&'static str),
    /// Always the same.
    Fixed(&'static str),
}

impl<'a> Slot<'a> {
    fn of(key: &'a str) -> Option<Self> {
        let metal = |part, format| Some(Self { platform: METAL, part, format });
        match key {
            ARCHIVE | MANIFEST => None,
            "metal4k" => metal(DISK, FormatName::OfFile("4k.")),
            "live-iso" => metal(DISK, FormatName::Fixed("iso")),
            "live-kernel" => metal("kernel", FormatName::Fixed("pxe")),
            "live-initramfs" => metal("initramfs", FormatName::Fixed("pxe")),
            "live-rootfs" => metal("rootfs", FormatName::Fixed("pxe")),
            platform => Some(Self { platform, part: DISK, format: FormatName::OfFile("") }),
        }
    }

    fn format(&self, file: &str, arch: &str) -> String {
        match self.format {
            FormatName::Fixed(name) => name.to_owned(),
            FormatName::OfFile(prefix) => {
                let after = file.split_once(&format!(".{arch}.")).map(|(_, end)| end);
                let end = after.or_else(|| file.rsplit_once('.').map(|(_, end)| end));
                format!("{prefix}{}", end.unwrap_or(file))
            }
        }
    }
}

impl Build<'_> {
    /// Returns the file of an image and its compressed forms, by format.
    fn files(
        &self,
        slot: &Slot<'_>,
        key: &str,
        built: &BuiltArtifact,
    ) -> Result<Vec<(String, Artifact)>> {
        let name = built.path.as_str();
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            bail!("meta.json of build {} names the file {name:?}", self.meta.buildid);
        }
        let mut files = Vec::new();
        if self.dir.join(name).is_file() {
            self.check_size(name, built)?;
            let before = built.other.get(UNCOMPRESSED).and_then(Value::as_str).map(str::to_owned);
            files.push((
                slot.format(name, self.arch),
                self.artifact(name, built.sha256.clone(), before),
            ));
        }
        if matches!(slot.format, FormatName::OfFile(_)) {
            for packed in self.packed(name)? {
                let sha256 = sha256_of(&self.dir.join(&packed))?;
                files.push((
                    slot.format(&packed, self.arch),
                    self.artifact(&packed, sha256, Some(built.sha256.clone())),
                ));
            }
        }
        if files.is_empty() {
            term::warning(format!(
                "{key} is left out: {} is missing",
                self.dir.join(name).display()
            ));
        }
        Ok(files)
    }

    fn check_size(&self, name: &str, built: &BuiltArtifact) -> Result<()> {
        let path = self.dir.join(name);
        let found = path.metadata().with_context(|| format!("no {}", path.display()))?.len();
        match built.size {
            Some(size) if size != found => {
                Err(anyhow!("{} has {found} bytes, but meta.json says {size}", path.display()))
                    .hint("make the image again")
            }
            _ => Ok(()),
        }
    }

    /// Returns the names of the compressed forms of a file, without those of an earlier one.
    fn packed(&self, name: &str) -> Result<Vec<String>> {
        let time = |name: &str| -> Result<Option<std::time::SystemTime>> {
            let path = self.dir.join(name);
            if !path.is_file() {
                return Ok(None);
            }
            let modified = path.metadata().and_then(|m| m.modified());
            modified.map(Some).with_context(|| format!("cannot examine {}", path.display()))
        };
        let made = time(name)?;
        let mut names = Vec::new();
        for packed in ENDINGS.map(|ending| format!("{name}.{ending}")) {
            match (time(&packed)?, made) {
                (None, _) => {}
                (Some(packed_at), Some(made)) if packed_at < made => {
                    term::warning(format!("{packed} is left out: it is older than {name}"));
                }
                (Some(_), _) => names.push(packed),
            }
        }
        Ok(names)
    }

    fn artifact(&self, name: &str, sha256: String, uncompressed: Option<String>) -> Artifact {
        let parts = [&self.meta.buildid, self.arch, name].map(percent_encoded);
        let location = format!("{}/{}", self.base, parts.join("/"));
        let signed = match self.signatures {
            Signatures::Promised => true,
            Signatures::IfThere => self.dir.join(format!("{name}.sig")).is_file(),
        };
        Artifact {
            signature: signed.then(|| format!("{location}.sig")),
            location,
            sha256: Some(sha256),
            uncompressed_sha256: uncompressed,
            ..Artifact::default()
        }
    }
}

/// Returns the container image of a build, if it was pushed to a registry.
fn pushed_image(meta: &Meta) -> Result<Option<ContainerImage>> {
    let Some(pushed) = meta.other.get(PUSHED) else { return Ok(None) };
    let text = |key: &str| pushed.get(key).and_then(Value::as_str);
    let (Some(image), Some(digest)) = (text("image"), text("digest")) else { return Ok(None) };
    let name: RegistryName = image.parse().with_context(|| format!("{PUSHED} in meta.json"))?;
    let digest_ref = format!("{}/{}@{digest}", name.host, name.repository);
    Ok(Some(ContainerImage { image: image.to_owned(), digest_ref, ..ContainerImage::default() }))
}

fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+".contains(&b);
    let encoded = text.bytes().map(|b| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_the_names_that_fedora_coreos_gives_them() {
        for (key, file, place) in [
            ("metal", "n-1-metal.x86_64.raw", ("metal", "raw", DISK)),
            ("metal", "n-1-metal.x86_64.raw.xz", ("metal", "raw.xz", DISK)),
            ("metal4k", "n-1-metal4k.x86_64.raw.zst", ("metal", "4k.raw.zst", DISK)),
            ("qemu", "n-1-qemu.x86_64.qcow2", ("qemu", "qcow2", DISK)),
            ("openstack", "odd.qcow2", ("openstack", "qcow2", DISK)),
            ("live-iso", "n-1-live.x86_64.iso", ("metal", "iso", DISK)),
            ("live-kernel", "n-1-live-kernel-x86_64", ("metal", "pxe", "kernel")),
            ("live-rootfs", "n-1-live-rootfs.x86_64.img", ("metal", "pxe", "rootfs")),
        ] {
            let slot = Slot::of(key).unwrap();
            let found = slot.format(file, "x86_64");
            assert_eq!((slot.platform, found.as_str(), slot.part), place, "{key}");
        }
        assert_eq!(Slot::of("ostree"), None);
    }

    #[test]
    fn base_urls_are_addresses_of_folders() {
        let base = |text: &str| text.parse::<BaseUrl>().map(|b| b.to_string());
        assert_eq!(base("https://h/builds/").unwrap(), "https://h/builds");
        for wrong in
            ["", "h/builds", "ftp://h", "https://", "https:///x", "https://h/a b", "https://h?x"]
        {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_parts_of_urls() {
        assert_eq!(percent_encoded("nestos-1.0+2~x.raw"), "nestos-1.0+2~x.raw");
        assert_eq!(percent_encoded("a b/c#?é"), "a%20b%2Fc%23%3F%C3%A9");
    }
}
