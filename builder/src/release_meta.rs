//! `generate-release-meta`: writes what a build offers, for installers and mirrors, in the formats
//! of [`nestos_formats::stream_metadata`]. The same build gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::builds::{BuildEntry, Meta};
use nestos_formats::stream_metadata::{
    Metadata, Platform, Release, ReleaseArch, Stream, StreamArch,
};
use nestos_host::atomic;
use nestos_host::term::{self, WithHint};
use serde_json::json;

use crate::cli::GenerateReleaseMeta;
use crate::workdir::WorkDir;

mod contents;

pub(crate) use contents::BaseUrl;
use contents::{Build, Signatures};

/// Key of the container image among the images of a stream.
const OCI_IMAGE: &str = "oci-image";

/// Writes `release.json` of a build and brings the metadata of its stream up to date.
pub(crate) fn generate(workdir: &WorkDir, args: &GenerateReleaseMeta) -> Result<()> {
    let _lock = workdir.lock()?;
    let build = build_of(workdir, args.build.as_deref(), args.arch.as_deref())?;
    let signatures = if args.signed { Signatures::Promised } else { Signatures::IfThere };
    let mut arches = BTreeMap::new();
    let mut modified = String::new();
    for arch in &build.arches {
        let meta = workdir.meta(&build.id, arch)?;
        let dir = workdir.build_dir(&build.id, arch);
        let source = Build { meta: &meta, arch, dir: &dir, base: &args.base_url, signatures };
        arches.insert(arch.clone(), contents::of(&source)?);
        modified = modified.max(last_modified(&meta));
    }
    let (release_path, stream_path) = places(workdir, &build.id, args)?;
    let release = Release {
        release: build.id.clone(),
        stream: args.stream.to_string(),
        metadata: metadata(modified),
        architectures: arches,
        ..Release::default()
    };
    let stream = updated_stream(load(&stream_path, Stream::parse)?, &release)
        .with_context(|| format!("cannot update {}", stream_path.display()))?;
    let release = completed_release(load(&release_path, Release::parse)?, release);
    let both = [(release_path, release.to_json()), (stream_path, stream.to_json())];
    // Nothing is written unless both can be.
    let both = both.map(|(path, text)| {
        text.with_context(|| format!("cannot write {}", path.display())).map(|text| (path, text))
    });
    let [release, stream] = both;
    let (release, stream) = (release?, stream?);
    write(&release)?;
    write(&stream)
}

/// Returns the build, with the architectures that are asked for.
fn build_of(workdir: &WorkDir, id: Option<&str>, arch: Option<&str>) -> Result<BuildEntry> {
    let builds = workdir.builds()?.builds;
    let asked = |b: &BuildEntry| id.is_none_or(|id| b.id == id || id == "latest");
    let made = |b: &BuildEntry| arch.is_none_or(|arch| b.arches.iter().any(|a| a == arch));
    let found = builds.into_iter().find(|b| asked(b) && made(b));
    let missing = || match (id, arch) {
        (Some(id), Some(arch)) => anyhow!("there is no build {id:?} for {arch}"),
        (Some(id), None) => anyhow!("there is no build {id:?}"),
        (None, Some(arch)) => anyhow!("there is no build for {arch}"),
        (None, None) => anyhow!("there is no build yet"),
    };
    let mut build = found.ok_or_else(missing).hint("nosa list shows the builds")?;
    build.arches.retain(|made| arch.is_none_or(|arch| made == arch));
    Ok(build)
}

/// Commits and images of a build are of the time of its commit.
fn last_modified(meta: &Meta) -> String {
    meta.ostree_timestamp.clone()
}

fn metadata(last_modified: String) -> Metadata {
    let generator = concat!("nosa ", env!("CARGO_PKG_VERSION")).to_owned();
    Metadata { last_modified, generator: Some(generator), ..Metadata::default() }
}

/// Returns where release and stream metadata are written.
fn places(workdir: &WorkDir, id: &str, args: &GenerateReleaseMeta) -> Result<(PathBuf, PathBuf)> {
    let stream = format!("{}.json", args.stream);
    let Some(dir) = &args.output else {
        let builds = workdir.path("builds");
        return Ok((builds.join(id).join("release.json"), builds.join(stream)));
    };
    if stream == "release.json" {
        return Err(anyhow!("stream {} and the release would share a file", args.stream))
            .hint("leave out --output, or give the stream another name");
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok((dir.join("release.json"), dir.join(stream)))
}

fn load<T, E>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, E>) -> Result<Option<T>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let parsed = parse(&text).with_context(|| format!("cannot update {}", path.display()));
    parsed.map(Some).hint("repair it, or move it away to begin anew")
}

/// Puts a release into a stream: its architectures have what the release has, the others stay.
fn updated_stream(found: Option<Stream>, release: &Release) -> Result<Stream> {
    let mut stream =
        found.unwrap_or_else(|| Stream { stream: release.stream.clone(), ..Stream::default() });
    if stream.stream != release.stream {
        return Err(anyhow!("it is of stream {:?}, not {:?}", stream.stream, release.stream))
            .hint("write to another folder with --output");
    }
    let before = std::mem::take(&mut stream.metadata);
    let modified = before.last_modified.max(release.metadata.last_modified.clone());
    stream.metadata = Metadata { other: before.other, ..metadata(modified) };
    for (arch, content) in &release.architectures {
        let entry = stream.architectures.entry(arch.clone()).or_default();
        put(entry, content, &release.release);
    }
    Ok(stream)
}

fn put(entry: &mut StreamArch, content: &ReleaseArch, release: &str) {
    let platforms = content.media.iter().map(|(platform, media)| {
        let formats = media.artifacts.clone();
        (platform.clone(), Platform { release: release.to_owned(), formats, ..Platform::default() })
    });
    entry.artifacts = platforms.collect();
    // Images in clouds are put there by others.
    match &content.oci_image {
        Some(image) => {
            let value = json!({
                "release": release, "image": image.image, "digest-ref": image.digest_ref,
            });
            entry.images.insert(OCI_IMAGE.to_owned(), value);
        }
        None => drop(entry.images.remove(OCI_IMAGE)),
    }
}

/// Keeps what is there of the same release for other architectures.
fn completed_release(found: Option<Release>, mut release: Release) -> Release {
    let same = |f: &Release| f.release == release.release && f.stream == release.stream;
    if let Some(found) = found.filter(same) {
        for (arch, content) in found.architectures {
            release.architectures.entry(arch).or_insert(content);
        }
        let modified = release.metadata.last_modified.max(found.metadata.last_modified);
        release.metadata.last_modified = modified;
        release.other = found.other;
    }
    release
}

fn write((path, text): &(PathBuf, String)) -> Result<()> {
    atomic::write(path, text.as_bytes(), 0o644)?;
    term::result(path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(arch: &str, modified: &str) -> Release {
        Release {
            release: "2".to_owned(),
            stream: "stable".to_owned(),
            metadata: metadata(modified.to_owned()),
            architectures: BTreeMap::from([(arch.to_owned(), ReleaseArch::default())]),
            ..Release::default()
        }
    }

    #[test]
    fn the_order_of_architectures_does_not_matter() {
        let (x86, arm) = (release("x86_64", "2026-02-01"), release("aarch64", "2026-01-01"));
        let both = |a: &Release, b: &Release| {
            updated_stream(Some(updated_stream(None, a).unwrap()), b).unwrap().to_json().unwrap()
        };
        assert_eq!(both(&x86, &arm), both(&arm, &x86));
        assert!(both(&x86, &arm).contains("2026-02-01"));
        let merged = completed_release(Some(x86.clone()), arm.clone());
        assert_eq!(merged, completed_release(Some(arm), x86));
        assert_eq!(merged.architectures.len(), 2);
    }

    #[test]
    fn another_release_or_stream_is_not_mixed_in() {
        let other = Release { release: "1".to_owned(), ..release("s390x", "2026-01-01") };
        let merged = completed_release(Some(other), release("x86_64", "2026-01-02"));
        assert_eq!(merged.architectures.keys().collect::<Vec<_>>(), ["x86_64"]);
        let testing = Stream { stream: "testing".to_owned(), ..Stream::default() };
        let error = updated_stream(Some(testing), &release("x86_64", "")).unwrap_err();
        assert!(format!("{error:#}").contains("it is of stream \"testing\", not \"stable\""));
    }

    #[test]
    fn images_in_clouds_stay() {
        let mut stream = updated_stream(None, &release("x86_64", "")).unwrap();
        let entry = stream.architectures.get_mut("x86_64").unwrap();
        entry.images.insert("aws".to_owned(), json!({"regions": {}}));
        entry.images.insert(OCI_IMAGE.to_owned(), json!({}));
        let stream = updated_stream(Some(stream), &release("x86_64", "")).unwrap();
        let images = &stream.architectures["x86_64"].images;
        assert_eq!(images.keys().collect::<Vec<_>>(), ["aws"]);
    }
}
