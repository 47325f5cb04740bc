//! Where the image of an installation comes from, and what vouches for it: settled once the disk
//! is known, because an image is made for one size of sectors.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::blockdev::{ClaimedDisk, Kind};
use nestos_host::gpt_disk::SectorSize;
use nestos_host::term::{self, Hint, WithHint};

use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::live;
use crate::request::{ImageChoice, ImageSource, InstallRequest, Proof, Unsigned};
use crate::source::{StreamSource, this_architecture};
use crate::trust::Trust;

/// An image that was found.
#[derive(Debug)]
pub(super) struct Origin {
    /// Where it is.
    pub(super) source: ImageSource,
    /// What vouches for it.
    pub(super) trust: Trust,
}

impl Origin {
    /// Finds the image for a disk.
    pub(super) fn find(request: &InstallRequest, disk: &ClaimedDisk) -> Result<Self> {
        let architecture = request.architecture.map(|a| a.to_string());
        let arch = architecture.as_deref().unwrap_or(this_architecture());
        let sectors = match disk.kind() {
            Kind::Device(sectors) => sectors,
            Kind::File => SectorSize::S512,
        };
        let (source, stated) = match &request.image {
            ImageChoice::File(path) => (ImageSource::File(path.clone()), None),
            ImageChoice::Url(url) => (ImageSource::Url(url.clone()), None),
            ImageChoice::Live => (live_image()?, None),
            ImageChoice::LiveOrStream(stream) => match live::image() {
                Some(path) => (ImageSource::Live(path), None),
                None => newest(stream, arch, sectors, request.retries)
                    .map_err(|e| no_image(e, stream))?,
            },
            ImageChoice::Stream(stream) => newest(stream, arch, sectors, request.retries)?,
        };
        let trust = settle(&source, &request.proof, stated)?;
        Ok(Self { source, trust })
    }

    /// Opens the image for reading.
    pub(super) fn open(
        &self,
        disk: &ClaimedDisk,
        retries: Retries,
    ) -> Result<Box<dyn Read + Send>> {
        Ok(match &self.source {
            ImageSource::File(path) | ImageSource::Live(path) => Box::new(open_file(path, disk)?),
            ImageSource::Url(url) => Box::new(fetch::open(url, retries)?),
        })
    }
}

/// What a stream states about an image is checked, but comes from where the image comes from.
type Stated = Option<Digest>;

fn newest(
    stream: &StreamSource,
    arch: &str,
    sectors: SectorSize,
    retries: Retries,
) -> Result<(ImageSource, Stated)> {
    let image = stream.load(retries)?.disk_image(arch, sectors)?;
    term::status(format!("stream {}: release {}", stream.name, image.release));
    Ok((ImageSource::Url(image.location), image.sha256))
}

fn no_image(cause: anyhow::Error, stream: &StreamSource) -> anyhow::Error {
    let tried = format!(
        "no image was given, no live medium offers one, and stream {} is out of reach",
        stream.name
    );
    let places = live::DIRECTORIES.join(", ");
    let advice = format!(
        "give --image-file or --image-url; a live medium's image is looked for in {places}"
    );
    cause.context(Hint::new(advice)).context(tried)
}

fn live_image() -> Result<ImageSource> {
    live::image()
        .map(ImageSource::Live)
        .ok_or_else(|| anyhow!("no live medium offers an image"))
        .hint(format!(
            "start the live medium, or leave out --offline; the image is looked for in {}",
            live::DIRECTORIES.join(", ")
        ))
}

fn settle(source: &ImageSource, proof: &Proof, _stated: Stated) -> Result<Trust> {
    match (proof.digest, proof.unsigned, source) {
        (Some(digest), _, _) => Ok(Trust::Digest(digest)),
        (None, _, ImageSource::Live(_)) => Ok(Trust::LiveMedium),
        (None, Unsigned::Accept, _) => Ok(Trust::Insecure),
        (None, Unsigned::Refuse, _) => Err(anyhow!("nothing vouches for the image {source}")).hint(
            "give its digest with --image-digest sha256:HEX, or accept it unverified with \
                 --insecure",
        ),
    }
}

fn open_file(path: &Path, disk: &ClaimedDisk) -> Result<File> {
    let open = || -> Result<File> {
        let file = File::open(path)?;
        let (image, target) = (file.metadata()?, disk.file().metadata()?);
        if image.is_dir() {
            bail!("it is a directory");
        }
        if (image.dev(), image.ino()) == (target.dev(), target.ino()) {
            bail!("the image and the disk are the same file");
        }
        Ok(file)
    };
    open().with_context(|| format!("cannot open the image {}", path.display()))
}
