//! From the name of a stream to the files to fetch: stream metadata is fetched, and a file is
//! chosen from what it offers.

use std::env::consts;

use anyhow::{Context, Result, anyhow};
use nestos_butane::closest;
use nestos_formats::stream_metadata::{
    Artifact, DISK, NotOffered, Platform, Stream, StreamError, StreamName,
};
use nestos_host::gpt_disk::SectorSize;
use nestos_host::term::WithHint;
use reqwest::Url;

use crate::digest::Digest;
use crate::fetch::{self, Retries, shown};
use crate::trust::{Evidence, SIGNATURE_FILE_LIMIT, SIGNATURE_SUFFIXES};

/// Where the metadata of NestOS streams is.
pub const BASE_URL: &str = "https://nestos.org.cn/NestOS-release/streams/";

/// Platform whose images go to disks.
const METAL: &str = "metal";

/// Longest stream metadata.
const METADATA_LIMIT: u64 = 16 * 1024 * 1024;

/// How images for disks may be compressed, what is fastest to decompress first.
const COMPRESSIONS: [&str; 4] = [".zst", ".xz", ".gz", ""];

/// A stream, and where its metadata is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSource {
    /// Name of the stream.
    pub name: StreamName,
    /// Folder of the metadata.
    pub base: Url,
}

/// A file that a stream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Release that it belongs to; may be empty.
    pub release: String,
    /// Its format, such as `raw.xz`.
    pub format: String,
    /// Which part of the format it is, such as `disk`.
    pub part: String,
    /// Where it is.
    pub location: Url,
    /// Where its detached signature is, if the stream says so.
    pub signature: Option<Url>,
    /// Its digest as stored.
    pub sha256: Option<Digest>,
    /// The digest of what it decompresses to.
    pub uncompressed_sha256: Option<Digest>,
}

/// What a stream offers.
#[derive(Debug)]
pub struct Offer {
    stream: Stream,
    url: Url,
}

impl StreamSource {
    /// Returns where the metadata is.
    pub fn url(&self) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&format!("{}.json", self.name));
        }
        url
    }

    /// Fetches the metadata.
    pub fn load(&self, retries: Retries) -> Result<Offer> {
        let url = self.url();
        let text = fetch::bytes_if_there(&url, retries, METADATA_LIMIT)
            .and_then(|text| text.ok_or_else(|| anyhow!("there is no {}", shown(&url))))
            .hint("check the name of the stream and the base URL")
            .with_context(|| format!("cannot look up stream {}", self.name))?;
        Offer::parse(&text, url)
    }
}

impl Offer {
    /// Reads stream metadata that was found at `url`.
    pub fn parse(text: &[u8], url: Url) -> Result<Self> {
        let stream = Stream::parse(text)
            .map_err(|e| match e {
                StreamError::Json(e) => anyhow!("it is no stream metadata: {e}"),
                other => other.into(),
            })
            .with_context(|| format!("cannot use {}", shown(&url)))?;
        Ok(Self { stream, url })
    }

    /// Returns the metadata.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Chooses the image that is installed on a disk with sectors of a size.
    pub fn disk_image(&self, arch: &str, sectors: SectorSize) -> Result<Chosen> {
        let platform = self.platform(arch, METAL)?;
        let prefix = match sectors {
            SectorSize::S512 => "",
            SectorSize::S4096 => "4k.",
        };
        let names = COMPRESSIONS.map(|end| format!("{prefix}raw{end}"));
        let disk = |format: &str| platform.formats.get(format)?.get(DISK);
        let found = names.iter().find_map(|format| Some((format, disk(format)?)));
        let (format, artifact) = found
            .ok_or_else(|| {
                let bytes = sectors.bytes();
                anyhow!("there is no image for disks with {bytes}-byte sectors for {arch}")
            })
            .hint(format!("its formats of {METAL} are {}", list(platform.formats.keys())))
            .with_context(|| self.context())?;
        self.chosen(&platform.release, format, DISK, artifact)
    }

    /// Chooses all files of a format; without one, the usual format.
    pub fn files(&self, arch: &str, platform: &str, format: Option<&str>) -> Result<Vec<Chosen>> {
        let images = self.platform(arch, platform)?;
        let format = format.unwrap_or_else(|| usual_format(images));
        let parts = self.stream.format(arch, platform, format);
        let parts = parts.or_else(|e| self.explain(e))?;
        let chosen = |(part, artifact): (&String, &Artifact)| {
            self.chosen(&images.release, format, part, artifact)
        };
        parts.iter().map(chosen).collect()
    }

    fn platform(&self, arch: &str, platform: &str) -> Result<&Platform> {
        self.stream.platform(arch, platform).or_else(|e| self.explain(e))
    }

    fn chosen(
        &self,
        release: &str,
        format: &str,
        part: &str,
        artifact: &Artifact,
    ) -> Result<Chosen> {
        let what = || format!("cannot use {part} of {format} in {}", shown(&self.url));
        let sha256 = |hex: &Option<String>| {
            let hex = hex.as_deref().filter(|hex| !hex.is_empty());
            hex.map(|hex| format!("sha256:{hex}").parse()).transpose().with_context(what)
        };
        let signature = artifact.signature.as_deref().filter(|url| !url.is_empty());
        Ok(Chosen {
            release: release.to_owned(),
            format: format.to_owned(),
            part: part.to_owned(),
            location: self.absolute(&artifact.location).with_context(what)?,
            signature: signature.map(|url| self.absolute(url)).transpose().with_context(what)?,
            sha256: sha256(&artifact.sha256)?,
            uncompressed_sha256: sha256(&artifact.uncompressed_sha256)?,
        })
    }

    /// Returns a location of the metadata as a URL to fetch from.
    fn absolute(&self, location: &str) -> Result<Url> {
        let url = self.url.join(location).with_context(|| format!("{location:?} is no URL"))?;
        Ok(fetch::parse_url(url.as_str())?)
    }

    fn context(&self) -> String {
        format!("cannot choose from what {} offers", shown(&self.url))
    }

    fn explain<T>(&self, missing: NotOffered) -> Result<T> {
        let near = closest(&missing.wanted, missing.offered.iter().map(String::as_str));
        let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
        let hint = match missing.offered.is_empty() {
            true => "there is none at all; try another stream".to_owned(),
            false => format!("{near}there are: {}", list(&missing.offered)),
        };
        Err(missing).hint(hint).with_context(|| self.context())
    }
}

impl Chosen {
    /// A file that no stream knows.
    pub fn of_url(location: Url) -> Self {
        Self {
            release: String::new(),
            format: String::new(),
            part: DISK.to_owned(),
            location,
            signature: None,
            sha256: None,
            uncompressed_sha256: None,
        }
    }

    /// Fetches the signature: from where the stream says it is, else from beside the file.
    pub fn evidence(&self, retries: Retries) -> Result<Evidence> {
        let mut places = Vec::new();
        for url in self.signature_urls() {
            let place = shown(&url);
            let found = fetch::bytes_if_there(&url, retries, SIGNATURE_FILE_LIMIT as u64);
            match found.with_context(|| format!("cannot look for the signature {place}"))? {
                Some(bytes) => return Ok(Evidence::Found { place, bytes }),
                None => places.push(place),
            }
        }
        Ok(Evidence::Missing { places })
    }

    /// Returns where the signature is: where the stream says, else beside the file.
    pub fn signature_url(&self) -> Url {
        self.signature.clone().unwrap_or_else(|| self.beside(SIGNATURE_SUFFIXES[0]))
    }

    fn signature_urls(&self) -> Vec<Url> {
        match &self.signature {
            Some(url) => vec![url.clone()],
            None => SIGNATURE_SUFFIXES.map(|suffix| self.beside(suffix)).to_vec(),
        }
    }

    fn beside(&self, suffix: &str) -> Url {
        let mut url = self.location.clone();
        url.set_path(&format!("{}{suffix}", self.location.path()));
        url
    }
}

/// Returns the architecture of this machine, as streams call it.
pub fn this_architecture() -> &'static str {
    match consts::ARCH {
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Returns the format for who names none: the one that coreos-installer has always taken, else
/// what is fastest to install.
fn usual_format(images: &Platform) -> &'static str {
    let usual = ["raw.xz", "raw.zst", "raw.gz", "raw"];
    usual.into_iter().find(|format| images.formats.contains_key(*format)).unwrap_or(usual[0])
}

fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<S> = names.into_iter().collect();
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

#[cfg(test)]
mod tests {
    use nestos_host::term::error_lines;

    use super::*;

    fn offer(formats: &[&str]) -> Offer {
        let digest = "ab".repeat(32);
        let formats: Vec<String> = formats
            .iter()
            .map(|f| {
                format!(
                    r#""{f}": {{"disk": {{"location": "../a/x.{f}", "sha256": "{digest}",
                     "signature": "/x.{f}.sig"}}}}"#
                )
            })
            .collect();
        let text = format!(
            r#"{{"architectures": {{"x86_64": {{"artifacts": {{"metal": {{"release": "1.0",
             "formats": {{{}}}}}}}}}}}}}"#,
            formats.join(",")
        );
        let url = "https://host/streams/stable.json?key=secret".parse().unwrap();
        Offer::parse(text.as_bytes(), url).unwrap()
    }

    #[test]
    fn the_fastest_image_for_the_sectors_is_chosen() {
        let all = ["4k.raw", "4k.raw.gz", "raw", "raw.gz", "raw.xz", "raw.zst"];
        let format = |offered: &[&str], sectors| {
            offer(offered).disk_image("x86_64", sectors).map(|chosen| chosen.format)
        };
        assert_eq!(format(&all, SectorSize::S512).unwrap(), "raw.zst");
        assert_eq!(format(&all[..5], SectorSize::S512).unwrap(), "raw.xz");
        assert_eq!(format(&all[..3], SectorSize::S512).unwrap(), "raw");
        assert_eq!(format(&all, SectorSize::S4096).unwrap(), "4k.raw.gz");
        let error = error_lines(&format(&["raw", "iso"], SectorSize::S4096).unwrap_err());
        assert_eq!(
            error,
            [
                "error: cannot choose from what https://host/streams/stable.json?(hidden) offers",
                "  because: there is no image for disks with 4096-byte sectors for x86_64",
                "hint: its formats of metal are iso, raw"
            ]
        );
    }

    #[test]
    fn locations_may_be_relative() {
        let chosen = offer(&["raw"]).disk_image("x86_64", SectorSize::S512).unwrap();
        assert_eq!(chosen.location.as_str(), "https://host/a/x.raw");
        assert_eq!(chosen.signature_urls(), ["https://host/x.raw.sig".parse().unwrap()]);
        let url = "https://host/x.raw?key=secret".parse().unwrap();
        let beside = Chosen::of_url(url).signature_urls();
        let wanted = ["sig", "asc"].map(|end| format!("https://host/x.raw.{end}?key=secret"));
        assert_eq!(beside.iter().map(Url::as_str).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn metadata_is_in_the_base_folder() {
        for (base, url) in [
            ("https://h/streams/", "https://h/streams/stable.json"),
            ("https://h/streams", "https://h/streams/stable.json"),
            ("https://h", "https://h/stable.json"),
            ("https://h/s?key=k", "https://h/s/stable.json?key=k"),
        ] {
            let source =
                StreamSource { name: "stable".parse().unwrap(), base: base.parse().unwrap() };
            assert_eq!(source.url().as_str(), url);
        }
    }

    #[test]
    fn what_is_not_offered_is_explained() {
        let offer = offer(&["raw.xz", "raw.zst"]);
        let hint = |arch, platform, format| {
            let error = offer.files(arch, platform, Some(format)).unwrap_err();
            error_lines(&error).pop().unwrap()
        };
        assert_eq!(
            hint("x86-64", "metal", "raw.xz"),
            "hint: did you mean \"x86_64\"? there are: x86_64"
        );
        assert_eq!(hint("x86_64", "aws", "raw.xz"), "hint: there are: metal");
        assert_eq!(
            hint("x86_64", "metal", "raw.zstd"),
            "hint: did you mean \"raw.zst\"? there are: raw.xz, raw.zst"
        );
        let default = offer.files("x86_64", "metal", None).unwrap();
        assert_eq!(default[0].format, "raw.xz");
    }

    #[test]
    fn hostile_metadata_is_refused() {
        let url = || "https://host/s.json".parse::<Url>().unwrap();
        for (artifact, wrong) in [
            (r#"{"location": "file:///etc/shadow"}"#, "scheme \"file\" is not supported"),
            (r#"{"location": "x", "signature": "data:,x"}"#, "scheme \"data\" is not supported"),
            (r#"{"location": "x", "sha256": "12"}"#, "is not sha256: followed by 64"),
        ] {
            let text = format!(
                r#"{{"architectures": {{"x": {{"artifacts": {{"metal": {{"formats":
                 {{"raw": {{"disk": {artifact}}}}}}}}}}}}}}}"#
            );
            let offer = Offer::parse(text.as_bytes(), url()).unwrap();
            let error = offer.disk_image("x", SectorSize::S512).unwrap_err();
            assert!(format!("{error:#}").contains(wrong), "{error:#}");
        }
        for text in ["", "[]", "<html>", "{}", r#"{"architectures": {"a/b": {}}}"#] {
            let error = Offer::parse(text.as_bytes(), url()).unwrap_err();
            assert!(error.to_string().contains("cannot use https://host/s.json"), "{error:#}");
        }
    }
}
