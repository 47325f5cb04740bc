//! A live ISO image: its family, the areas in it that may be changed, and what they hold.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::live_media::{Features, Flavour, IgnitionInfo};
use nestos_host::term::WithHint;
use serde::de::DeserializeOwned;

use super::kargs_areas::KargsAreas;
use super::patch::Patch;
use super::volume::{Extent, Volume};
use super::{journal, patch};
use crate::initrd::{Members, TooLarge};

/// Most bytes of a JSON file in the image.
const LARGEST_JSON: u64 = 1024 * 1024;
/// Most bytes of an area for an initramfs.
const LARGEST_AREA: u64 = 64 * 1024 * 1024;

/// What is going to be done with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is only read.
    Read,
    /// It is changed in its place.
    Change,
}

/// A live ISO image.
#[derive(Debug)]
pub struct LiveIso {
    path: PathBuf,
    file: File,
    volume: Volume,
    flavour: Flavour,
    ignition: Option<Extent>,
    kargs: Option<KargsAreas>,
    features: Features,
}

impl LiveIso {
    /// Opens an image and finds its areas. What an interrupted change left is finished first.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let open = || {
            let mut file = match access {
                Access::Read => File::open(path)?,
                Access::Change => File::options().read(true).write(true).open(path)?,
            };
            if access == Access::Change {
                patch::lock(&file)?;
            }
            journal::recover(path, &mut file, access)?;
            Self::read(path.to_owned(), file)
        };
        open().with_context(|| format!("cannot use {} as a live ISO image", path.display()))
    }

    fn read(path: PathBuf, mut file: File) -> Result<Self> {
        let volume = Volume::read(&mut file).map_err(unrecognised)?;
        let flavour = flavour(&volume, &mut file)?;
        let ignition = ignition_area(&volume, &mut file, flavour)?;
        let kargs = KargsAreas::read(&volume, &mut file, flavour)?;
        let features = json(&volume, &mut file, &flavour.features())?.unwrap_or_default();
        Ok(Self { path, file, volume, flavour, ignition, kargs, features })
    }

    /// Returns where the image is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its file system.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Returns its bytes.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Returns its file system and its bytes.
    pub fn parts(&mut self) -> (&Volume, &mut File) {
        (&self.volume, &mut self.file)
    }

    /// Returns whose names it uses.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Returns how it can be customised.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Returns the area for an initramfs with a config.
    pub fn ignition_area(&self) -> Result<Extent> {
        self.ignition.ok_or_else(|| unrecognised(anyhow!("it has no area for an Ignition config")))
    }

    /// Returns the kernel arguments, if they can be changed.
    pub fn kargs(&self) -> Option<&KargsAreas> {
        self.kargs.as_ref()
    }

    /// Returns the kernel arguments.
    pub fn need_kargs(&self) -> Result<&KargsAreas> {
        self.kargs.as_ref().ok_or_else(|| {
            let title = self.flavour.title();
            anyhow!("No karg embed areas found; old or corrupted {title} ISO image.")
                .context(format!("cannot use {}", self.path.display()))
        })
    }

    /// Returns the files that are embedded.
    pub fn members(&mut self) -> Result<Members> {
        let area = self.ignition_area()?;
        let bytes = read_extent(&mut self.file, area)?;
        Members::read(&bytes[..], |_| true)
            .with_context(|| format!("cannot read what is embedded in {}", self.path.display()))
    }

    /// Returns the bytes of the area when it holds `members`; nothing leaves it empty.
    pub fn embed(&self, members: &Members) -> Result<Patch> {
        let area = self.ignition_area()?;
        let length = usize::try_from(area.length)?;
        if members.is_empty() {
            return Ok(Patch { at: area.offset, bytes: vec![0; length] });
        }
        let mut bytes = members.pack()?;
        if bytes.len() > length {
            let too_large = TooLarge { needed: bytes.len() as u64, area: area.length };
            return Err(too_large).hint(format!(
                "the largest files are: {}; large files can be fetched by the config instead",
                members.largest()
            ));
        }
        bytes.resize(length, 0);
        Ok(Patch { at: area.offset, bytes })
    }

    /// Returns whether anything in it is not as it was made.
    pub fn is_customised(&mut self) -> Result<bool> {
        let area = self.ignition_area()?;
        let embedded = read_extent(&mut self.file, area)?.iter().any(|byte| *byte != 0);
        Ok(embedded || self.kargs.as_ref().is_some_and(KargsAreas::is_changed))
    }
}

/// Adds to a reason that the image is none of ours, in the words of both families.
pub(crate) fn unrecognised(reason: anyhow::Error) -> anyhow::Error {
    Flavour::ALL.iter().rev().fold(reason, |error, flavour| {
        error.context(format!("Unrecognized {} ISO image.", flavour.title()))
    })
}

fn flavour(volume: &Volume, file: &mut File) -> Result<Flavour> {
    for flavour in Flavour::ALL {
        for path in [flavour.igninfo(), flavour.kargs(), flavour.features()] {
            if volume.find_file(file, &path)?.is_some() {
                return Ok(flavour);
            }
        }
    }
    // Old images have no such directory.
    let ours = volume.id().to_ascii_lowercase().starts_with(Flavour::Nestos.name());
    Ok(if ours { Flavour::Nestos } else { Flavour::Coreos })
}

fn ignition_area(volume: &Volume, file: &mut File, flavour: Flavour) -> Result<Option<Extent>> {
    let stated: Option<IgnitionInfo> = json(volume, file, &flavour.igninfo())?;
    let optional = stated.is_none();
    let info = stated.unwrap_or_default();
    let Some(extent) = volume.find_file(file, &info.file)? else {
        if optional {
            return Ok(None);
        }
        return Err(anyhow!("{} names {}, which is not there", flavour.igninfo(), info.file));
    };
    let offset = info.offset.unwrap_or(0);
    let length = info.length.unwrap_or(extent.length.saturating_sub(offset));
    let area = extent.part(offset, length).filter(|area| area.length <= LARGEST_AREA);
    let area = area.ok_or_else(|| {
        anyhow!(
            "the area of {length} bytes at byte {offset} of {} does not fit into its {} bytes",
            info.file,
            extent.length
        )
    })?;
    Ok(Some(area))
}

/// Reads a JSON file of the image.
pub(super) fn json<T: DeserializeOwned>(
    volume: &Volume,
    file: &mut File,
    path: &str,
) -> Result<Option<T>> {
    let Some(extent) = volume.find_file(file, path)? else { return Ok(None) };
    if extent.length > LARGEST_JSON {
        return Err(anyhow!("{path} in the ISO image has {} bytes", extent.length));
    }
    let bytes = read_extent(file, extent)?;
    let value = serde_json::from_slice(&bytes);
    value.map(Some).with_context(|| format!("cannot read {path} in the ISO image"))
}

/// Returns bytes of the image; the caller bounds how many.
pub(crate) fn read_extent<R: Read + Seek>(file: &mut R, extent: Extent) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(extent.length)?];
    file.seek(SeekFrom::Start(extent.offset))?;
    file.read_exact(&mut bytes)
        .with_context(|| format!("cannot read {} bytes at {}", extent.length, extent.offset))?;
    Ok(bytes)
}
