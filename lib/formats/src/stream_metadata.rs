//! Stream metadata: which images a stream offers, for which architecture and platform, in which
//! format, and where they are. It is read as leniently as the readers of Fedora CoreOS do, whose
//! format it is, and printed only when it is whole. Keys that are not known here survive a
//! rewrite. <https://github.com/coreos/fedora-coreos-tracker/tree/main/metadata/stream>

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

mod release;

pub use release::{ContainerImage, Media, Release, ReleaseArch};

/// What else is in an object.
pub type Others = BTreeMap<String, Value>;

/// The files of an image in one format by their part: `disk`, or `kernel`, `initramfs` and
/// `rootfs` for a network boot.
pub type Format = BTreeMap<String, Artifact>;

/// Name of the part that is a disk image.
pub const DISK: &str = "disk";

/// Longest name of a stream, architecture, platform, format or release.
const LONGEST_NAME: usize = 128;

/// Why a text is no metadata, or why metadata cannot be printed.
#[derive(Debug, Error)]
pub enum StreamError {
    /// Not the JSON that is expected.
    #[error("not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A name that could be mistaken for something else.
    #[error("{0:?} is not a name of printable letters without spaces")]
    Name(String),
    /// A file without what verifies it.
    #[error("the file {location:?} has no SHA-256 of 64 hexadecimal digits")]
    Sha256 {
        /// Where the file is.
        location: String,
    },
    /// A file of no place.
    #[error("{part} of {platform} {format} for {arch} has no location")]
    Location {
        /// Architecture.
        arch: String,
        /// Platform.
        platform: String,
        /// Format.
        format: String,
        /// Part of the format.
        part: String,
    },
}

/// The name of a stream: letters, digits, `.`, `_` and `-`, a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamName(String);

/// A text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "stream {0:?} is no name: it may have letters, digits, \".\", \"_\" and \"-\", and begins \
     with a letter or digit"
)]
pub struct StreamNameError(String);

impl FromStr for StreamName {
    type Err = StreamNameError;

    fn from_str(text: &str) -> Result<Self, StreamNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if begins && text.len() <= LONGEST_NAME && text.bytes().all(allowed) && !text.contains("..")
        {
            return Ok(Self(text.to_owned()));
        }
        Err(StreamNameError(text.to_owned()))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One file to download.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Artifact {
    /// Its URL; a relative one is relative to the metadata.
    pub location: String,
    /// URL of its detached signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// SHA-256 of the file, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of what it decompresses to, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompressed_sha256: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// The images for one platform.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// Release that they belong to.
    #[serde(default)]
    pub release: String,
    /// Images by format, such as `raw.xz`.
    #[serde(default)]
    pub formats: BTreeMap<String, Format>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// What there is for one architecture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamArch {
    /// Files to download, by platform.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Platform>,
    /// Images that are in clouds and registries, by platform.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: Others,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// About the metadata itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// When the content changed last, RFC 3339.
    #[serde(default)]
    pub last_modified: String,
    /// What wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// What a stream offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Name of the stream.
    #[serde(default)]
    pub stream: String,
    /// About this file.
    #[serde(default)]
    pub metadata: Metadata,
    /// What there is, by architecture.
    pub architectures: BTreeMap<String, StreamArch>,
    /// What else was there.
    #[serde(flatten)]
    pub other: Others,
}

/// Says what a stream does not have, and what it has in its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no {kind} {wanted:?}{place}")]
pub struct NotOffered {
    /// What kind of thing.
    pub kind: &'static str,
    /// Which one.
    pub wanted: String,
    /// Where it was looked for.
    pub place: String,
    /// Which ones there are.
    pub offered: Vec<String>,
}

impl Stream {
    /// Reads stream metadata.
    pub fn parse(text: &[u8]) -> Result<Self, StreamError> {
        let stream: Self = serde_json::from_slice(text)?;
        stream.check_names()?;
        Ok(stream)
    }

    /// Prints stream metadata, if nothing that its readers need is missing.
    pub fn to_json(&self) -> Result<String, StreamError> {
        check_name(&self.stream)?;
        self.check_names()?;
        for (arch, content) in &self.architectures {
            for (platform, images) in &content.artifacts {
                check_formats((arch, platform), &images.formats)?;
            }
        }
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Returns the images for a platform.
    pub fn platform(&self, arch: &str, platform: &str) -> Result<&Platform, NotOffered> {
        let content = pick("architecture", arch, &self.architectures, String::new)?;
        pick("platform", platform, &content.artifacts, || format!(" for {arch}"))
    }

    /// Returns the image in a format.
    pub fn format(&self, arch: &str, platform: &str, format: &str) -> Result<&Format, NotOffered> {
        let images = self.platform(arch, platform)?;
        pick("format", format, &images.formats, || format!(" of {platform} for {arch}"))
    }

    /// Names are shown on terminals and become parts of file names.
    fn check_names(&self) -> Result<(), StreamError> {
        for (arch, content) in &self.architectures {
            check_name(arch)?;
            for (platform, images) in &content.artifacts {
                check_name(platform)?;
                if !images.release.is_empty() {
                    check_name(&images.release)?;
                }
                for (format, parts) in &images.formats {
                    check_name(format)?;
                    parts.keys().try_for_each(|part| check_name(part))?;
                }
            }
        }
        Ok(())
    }
}

fn pick<'a, T>(
    kind: &'static str,
    wanted: &str,
    offered: &'a BTreeMap<String, T>,
    place: impl Fn() -> String,
) -> Result<&'a T, NotOffered> {
    offered.get(wanted).ok_or_else(|| NotOffered {
        kind,
        wanted: wanted.to_owned(),
        place: place(),
        offered: offered.keys().cloned().collect(),
    })
}

fn check_name(name: &str) -> Result<(), StreamError> {
    let fine = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    if fine { Ok(()) } else { Err(StreamError::Name(name.to_owned())) }
}

/// Requires what the readers of other projects require.
fn check_formats(
    (arch, platform): (&str, &str),
    formats: &BTreeMap<String, Format>,
) -> Result<(), StreamError> {
    for (format, parts) in formats {
        for (part, artifact) in parts {
            if artifact.location.is_empty() {
                return Err(StreamError::Location {
                    arch: arch.to_owned(),
                    platform: platform.to_owned(),
                    format: format.clone(),
                    part: part.clone(),
                });
            }
            let digests = [
                Some(&artifact.sha256),
                Some(&artifact.uncompressed_sha256).filter(|digest| digest.is_some()),
            ];
            if !digests.into_iter().flatten().all(|d| d.as_deref().is_some_and(is_sha256)) {
                return Err(StreamError::Sha256 { location: artifact.location.clone() });
            }
        }
    }
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand after the metadata of Fedora CoreOS.
    const SAMPLE: &str = include_str!("stream_metadata/sample-stream.json");

    #[test]
    fn what_another_tool_wrote_is_read_and_survives() {
        let stream = Stream::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(stream.stream, "stable");
        let metal = stream.platform("x86_64", "metal").unwrap();
        assert_eq!(metal.release, "44.20261101.3.0");
        let raw = &stream.format("x86_64", "metal", "raw.xz").unwrap()[DISK];
        assert!(raw.location.ends_with("-metal.x86_64.raw.xz"));
        assert_eq!(raw.signature.as_deref(), Some(format!("{}.sig", raw.location).as_str()));
        let pxe = stream.format("x86_64", "metal", "pxe").unwrap();
        assert_eq!(pxe.keys().collect::<Vec<_>>(), ["initramfs", "kernel", "rootfs"]);
        let value: Value = serde_json::from_str(SAMPLE).unwrap();
        let again: Value = serde_json::from_str(&stream.to_json().unwrap()).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn numbers_of_keys_that_nobody_knows_survive() {
        for zeros in 1..80 {
            let text = format!(
                r#"{{"stream":"s","architectures":{{"x":{{"artifacts":{{"metal":{{"y":1{}.5e7}}}}}}}}}}"#,
                "0".repeat(zeros)
            );
            let stream = Stream::parse(text.as_bytes()).unwrap();
            let again = Stream::parse(stream.to_json().unwrap().as_bytes()).unwrap();
            assert_eq!(again, stream, "{text}");
        }
    }

    #[test]
    fn what_is_not_offered_names_what_is() {
        let stream = Stream::parse(SAMPLE.as_bytes()).unwrap();
        let text = |e: NotOffered| format!("{e}; {}", e.offered.join(" "));
        let error = text(stream.platform("x86-64", "metal").unwrap_err());
        assert_eq!(error, "there is no architecture \"x86-64\"; aarch64 x86_64");
        let error = text(stream.platform("aarch64", "aws").unwrap_err());
        assert_eq!(error, "there is no platform \"aws\" for aarch64; metal");
        let error = text(stream.format("aarch64", "metal", "iso").unwrap_err());
        assert_eq!(error, "there is no format \"iso\" of metal for aarch64; raw.xz");
    }

    #[test]
    fn little_is_needed_to_read_and_more_to_print() {
        let text = |artifact: &str| {
            let formats = format!(r#"{{"raw": {{"disk": {artifact}}}}}"#);
            format!(
                r#"{{"stream": "s", "architectures": {{"x": {{"artifacts": {{"metal": {{"formats": {formats}}}}}}}}}}}"#
            )
        };
        let stream = |artifact: &str| Stream::parse(text(artifact).as_bytes()).unwrap();
        let digest = "0".repeat(64);
        for (artifact, wrong) in [
            (r#"{"location": "l"}"#.to_owned(), "has no SHA-256"),
            (r#"{"location": "l", "sha256": "00"}"#.to_owned(), "has no SHA-256"),
            (format!(r#"{{"location": "", "sha256": "{digest}"}}"#), "has no location"),
            (
                format!(r#"{{"location": "l", "sha256": "{digest}", "uncompressed-sha256": "x"}}"#),
                "has no SHA-256",
            ),
        ] {
            let error = stream(&artifact).to_json().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        stream(&format!(r#"{{"location": "l", "sha256": "{digest}"}}"#)).to_json().unwrap();
        assert!(Stream::parse(br#"{"architectures": {}}"#).is_ok());
    }

    #[test]
    fn names_that_could_move_the_cursor_or_leave_the_folder_are_refused() {
        for name in ["", "a b", "\\u001b[2J", "../x", "é"] {
            let text = format!(r#"{{"architectures": {{"{name}": {{}}}}}}"#);
            assert!(matches!(Stream::parse(text.as_bytes()), Err(StreamError::Name(_))), "{name}");
        }
    }

    #[test]
    fn streams_have_plain_names() {
        for name in ["stable", "testing-devel", "22.03-LTS"] {
            assert_eq!(name.parse::<StreamName>().unwrap().to_string(), name);
        }
        for wrong in ["", ".", "..", "a/b", "a..b", "-a", "a b", "a?b", "a%2f", "a\n"] {
            assert!(wrong.parse::<StreamName>().is_err(), "{wrong}");
        }
    }
}
