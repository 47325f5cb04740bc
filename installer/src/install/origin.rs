//! Where the image of an installation comes from, and what vouches for it: settled once the disk
//! is known, because an image is made for one size of sectors.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use nestos_host::blockdev::{ClaimedDisk, Kind};
use nestos_host::clock;
use nestos_host::gpt_disk::SectorSize;
use nestos_host::term::{self, Hint, WithHint};

use crate::digest::Digest;
use crate::fetch::{self, Retries};
use crate::live::{self, Wanted};
use crate::osmet::{Rebuild, Repository};
use crate::request::{ImageChoice, ImageSource, InstallRequest, Proof};
use crate::source::{Chosen, StreamSource, this_architecture};
use crate::trust::{self, Evidence, KeySources, Keyring, Policy, Settled, Trust};

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
        let arch = name_of(request.architecture);
        let sectors = match disk.kind() {
            Kind::Device(sectors) => sectors,
            Kind::File => SectorSize::S512,
        };
        let wanted = Wanted { architecture: &arch, sectors };
        let found = match &request.image {
            ImageChoice::File(path) => Found::here(ImageSource::File(path.clone())),
            ImageChoice::Url(url) => Found::here(ImageSource::Url(url.clone())),
            ImageChoice::Live(live) => {
                Found::here(live.image(wanted).ok_or_else(|| missing(&wanted)).hint(offline())?)
            }
            ImageChoice::LiveOrStream(live, stream) => match live.image(wanted) {
                Some(image) => Found::here(image),
                None => newest(stream, wanted, request.retries).map_err(|e| no_image(e, stream))?,
            },
            ImageChoice::Stream(stream) => newest(stream, wanted, request.retries)?,
        };
        let Settled { trust, warnings } = settle(&found, &request.proof, request.retries)?;
        warnings.iter().for_each(term::warning);
        if let Trust::Insecure | Trust::Stated(_) = trust {
            term::warning(format!("{} is written unverified, as --insecure asks", found.source));
        }
        Ok(Self { source: found.source, trust })
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
            ImageSource::Rebuilt { osmet, repository, .. } => {
                let rebuild = |file| Rebuild::start(file, Repository::at(repository));
                let image = open_file(osmet, disk).and_then(rebuild);
                Box::new(image.with_context(|| format!("cannot use {}", osmet.display()))?)
            }
        })
    }

    /// Returns how the image is stored, if its content does not say so.
    pub(super) fn stored_as(&self) -> Option<&'static str> {
        matches!(self.source, ImageSource::Rebuilt { .. }).then_some("osmet")
    }
}

/// An image, before it is known what vouches for it.
struct Found {
    source: ImageSource,
    /// What a stream says of it.
    listed: Option<Chosen>,
}

impl Found {
    fn here(source: ImageSource) -> Self {
        Self { source, listed: None }
    }

    /// Returns the digest that a stream states: it is checked, but comes from where the image
    /// comes from.
    fn stated(&self) -> Option<Digest> {
        self.listed.as_ref().and_then(|listed| listed.sha256)
    }
}

fn name_of(architecture: Option<Arch>) -> String {
    architecture.map_or_else(|| this_architecture().to_owned(), |a| a.to_string())
}

fn newest(stream: &StreamSource, wanted: Wanted<'_>, retries: Retries) -> Result<Found> {
    let image = stream.load(retries)?.disk_image(wanted.architecture, wanted.sectors)?;
    term::status(format!("stream {}: release {}", stream.name, image.release));
    Ok(Found { source: ImageSource::Url(image.location.clone()), listed: Some(image) })
}

fn no_image(cause: anyhow::Error, stream: &StreamSource) -> anyhow::Error {
    let tried = format!(
        "no image was given, no live medium offers one, and stream {} is out of reach",
        stream.name
    );
    let advice = format!(
        "give --image-file or --image-url; a live medium's image is looked for in {}",
        live::places()
    );
    cause.context(Hint::new(advice)).context(tried)
}

fn missing(wanted: &dyn fmt::Display) -> anyhow::Error {
    anyhow!(
        "cannot perform offline install; metadata missing: no live medium offers an image for \
         {wanted}"
    )
}

fn offline() -> String {
    format!(
        "start the live medium, or leave out --offline; the image is looked for in {}",
        live::places()
    )
}

/// Fails when it is clear before a disk is chosen that an image cannot be installed: a file that is
/// not there, or that nothing vouches for. An image on a web server is not asked for yet.
pub fn check_image(image: &ImageChoice, architecture: Option<Arch>, proof: &Proof) -> Result<()> {
    let found = match image {
        ImageChoice::File(path) => {
            File::open(path)
                .with_context(|| format!("cannot open the image {}", path.display()))?;
            Found::here(ImageSource::File(path.clone()))
        }
        ImageChoice::Live(live) => {
            let architecture = &name_of(architecture);
            let mut sizes = [SectorSize::S512, SectorSize::S4096].into_iter();
            let any = sizes.find_map(|sectors| live.image(Wanted { architecture, sectors }));
            Found::here(any.ok_or_else(|| missing(architecture)).hint(offline())?)
        }
        ImageChoice::Url(_) | ImageChoice::Stream(_) | ImageChoice::LiveOrStream(..) => {
            return Ok(());
        }
    };
    match found.source {
        // Which of a live medium's images it is depends on the disk.
        ImageSource::Rebuilt { .. } => Ok(()),
        _ => settle(&found, proof, Retries::Finite(0)).map(drop),
    }
}

/// Looks for a signature and decides what vouches for an image, before any of it is read.
fn settle(found: &Found, proof: &Proof, retries: Retries) -> Result<Settled> {
    let evidence = match (&found.source, &found.listed) {
        (ImageSource::Live(_), _) => Evidence::LiveMedium,
        (ImageSource::Rebuilt { digest, .. }, _) => Evidence::Rebuilt(*digest),
        (ImageSource::File(path), _) => Evidence::beside(path)?,
        (ImageSource::Url(_), Some(listed)) => fetched(listed, proof, retries)?,
        (ImageSource::Url(url), None) => fetched(&Chosen::of_url(url.clone()), proof, retries)?,
    };
    let keyring = Keyring::load(&KeySources::choose(proof.keyring.clone()))?;
    let policy = Policy { digest: proof.digest, stated: found.stated(), unsigned: proof.unsigned };
    let mut settled = trust::settle(&evidence, &policy, &keyring, clock::now())?;
    settled.warnings.splice(..0, keyring.warnings().iter().cloned());
    Ok(settled)
}

/// Fetches a signature. Where a digest vouches for the image, a server that does not say whether
/// there is one keeps nobody from installing.
fn fetched(image: &Chosen, proof: &Proof, retries: Retries) -> Result<Evidence> {
    if proof.digest.is_none() {
        return image.evidence(retries);
    }
    Ok(image.evidence(Retries::Finite(0)).unwrap_or_else(|e| {
        term::warning(format!("{e:#}; the digest that was given vouches for the image"));
        Evidence::Missing { places: vec![] }
    }))
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
