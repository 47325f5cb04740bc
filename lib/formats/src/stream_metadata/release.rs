//! Release metadata: all that one release consists of, in the format of Fedora CoreOS.
//! <https://github.com/coreos/fedora-coreos-tracker/tree/main/metadata/release>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Format, Metadata, Others, StreamError, check_formats, check_name};

/// An image in a registry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ContainerImage {
    /// Its name with a tag, which may move on.
    pub image: String,
    /// Its name with the digest of the manifest.
    pub digest_ref: String,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// The images for one platform.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Images by format.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Format>,
    /// What else was there, such as images in clouds.
    #[serde(flatten)]
    pub other: Others,
}

/// The release for one architecture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseArch {
    /// Checksum of the ostree commit.
    #[serde(default)]
    pub commit: String,
    /// Images by platform.
    #[serde(default)]
    pub media: BTreeMap<String, Media>,
    /// The commit as a container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci_image: Option<ContainerImage>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// `release.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Version of the release.
    pub release: String,
    /// Stream that it belongs to.
    pub stream: String,
    /// About this file.
    #[serde(default)]
    pub metadata: Metadata,
    /// What it consists of, by architecture.
    #[serde(default)]
    pub architectures: BTreeMap<String, ReleaseArch>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

impl Release {
    /// Reads release metadata.
    pub fn parse(text: &[u8]) -> Result<Self, StreamError> {
        let release: Self = serde_json::from_slice(text)?;
        release.check_names()?;
        Ok(release)
    }

    /// Prints release metadata, if nothing that its readers need is missing.
    pub fn to_json(&self) -> Result<String, StreamError> {
        self.check_names()?;
        for (arch, content) in &self.architectures {
            for (platform, media) in &content.media {
                check_formats((arch, platform), &media.artifacts)?;
            }
        }
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn check_names(&self) -> Result<(), StreamError> {
        check_name(&self.release)?;
        check_name(&self.stream)?;
        for (arch, content) in &self.architectures {
            check_name(arch)?;
            for (platform, media) in &content.media {
                check_name(platform)?;
                media.artifacts.keys().try_for_each(|format| check_name(format))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_another_tool_wrote_is_read_and_survives() {
        let sample = include_str!("sample-release.json");
        let release = Release::parse(sample.as_bytes()).unwrap();
        let arch = &release.architectures["x86_64"];
        assert!(arch.media["metal"].artifacts["pxe"].contains_key("rootfs"));
        assert!(arch.media["aws"].other.contains_key("images"));
        let value: Value = serde_json::from_str(sample).unwrap();
        let again: Value = serde_json::from_str(&release.to_json().unwrap()).unwrap();
        assert_eq!(again, value);
    }
}
