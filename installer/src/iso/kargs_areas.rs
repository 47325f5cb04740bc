//! The areas for kernel arguments: where they are and what they hold. All of them hold the same.

use std::fs::File;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::live_media::{Flavour, KargsFile, KargsInfo, MAX_AREA};
use nestos_host::term::WithHint;

use super::live_iso::{json, read_extent};
use super::patch::Patch;
use super::volume::{Extent, Volume};

/// Where the table of older images is: at the end of the system area, before a header that says
/// no more than `igninfo.json`.
const LEGACY_AT: u64 = 32_672;
const LEGACY_LEN: u64 = 72;
const LEGACY_MAGIC: &[u8] = b"coreKarg";

/// One area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KargsArea {
    /// Where it is in the image.
    pub extent: Extent,
    /// What `kargs.json` says of it.
    pub file: KargsFile,
}

/// All areas of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KargsAreas {
    default: String,
    current: String,
    size: u64,
    areas: Vec<KargsArea>,
}

impl KargsAreas {
    /// Reads the areas of an image; `None` if it has none.
    pub(super) fn read(volume: &Volume, file: &mut File, flavour: Flavour) -> Result<Option<Self>> {
        let info: Option<KargsInfo> = json(volume, file, &flavour.kargs())?;
        let found = match info {
            Some(info) => Some(listed(volume, file, info)?),
            None => legacy(volume, file)?,
        };
        let Some((default, size, areas)) = found else { return Ok(None) };
        let mut texts = areas.iter().map(|area| -> Result<String> {
            Ok(area.file.read(&read_extent(file, area.extent)?)?)
        });
        let Some(current) = texts.next().transpose()? else { return Ok(None) };
        for (text, area) in texts.zip(&areas[1..]) {
            if text? != current {
                return Err(anyhow!(
                    "kargs don't match at all offsets! {} differs from {}",
                    area.file.path,
                    areas[0].file.path
                ))
                .hint("a change was cut off, or the image was changed by hand: make it anew");
            }
        }
        Ok(Some(Self { default, current, size, areas }))
    }

    /// Returns the arguments of an image that nobody changed.
    pub fn default_kargs(&self) -> &str {
        &self.default
    }

    /// Returns the arguments.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Returns whether the arguments are not those that the image was made with.
    pub fn is_changed(&self) -> bool {
        self.current != self.default
    }

    /// Returns the bytes of each area.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the areas.
    pub fn areas(&self) -> &[KargsArea] {
        &self.areas
    }

    /// Returns the bytes of all areas when they hold `kargs`.
    pub fn fill(&self, kargs: &str) -> Result<Vec<Patch>> {
        let size = usize::try_from(self.size)?;
        let patch = |area: &KargsArea| {
            Ok(Patch { at: area.extent.offset, bytes: area.file.fill(kargs, size)? })
        };
        self.areas.iter().map(patch).collect()
    }
}

type Areas = (String, u64, Vec<KargsArea>);

fn checked_size(size: u64) -> Result<u64> {
    if !(1..=MAX_AREA).contains(&size) {
        bail!("areas for kernel arguments have {size} bytes; 1 to {MAX_AREA} are possible");
    }
    Ok(size)
}

fn listed(volume: &Volume, file: &mut File, info: KargsInfo) -> Result<Areas> {
    let size = checked_size(info.size)?;
    let mut areas = Vec::new();
    for listed in info.files {
        let extent = volume
            .find_file(file, &listed.path)?
            .with_context(|| format!("kargs.json names {}, which is not there", listed.path))?;
        let extent = extent.part(listed.offset, size).with_context(|| {
            format!(
                "{size} bytes at byte {} of {} do not fit into its {} bytes",
                listed.offset, listed.path, extent.length
            )
        })?;
        areas.push(KargsArea { extent, file: listed });
    }
    Ok((info.default.trim().to_owned(), size, areas))
}

/// Reads the table of images made before 2022.
fn legacy(volume: &Volume, file: &mut File) -> Result<Option<Areas>> {
    let table = read_extent(file, Extent { offset: LEGACY_AT, length: LEGACY_LEN })?;
    let Some(numbers) = table.strip_prefix(LEGACY_MAGIC) else { return Ok(None) };
    let mut numbers = numbers
        .chunks_exact(8)
        .map(|bytes| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b)));
    let size = checked_size(numbers.next().unwrap_or(0))?;
    let plain = |path: String| KargsFile { path, offset: 0, pad: None, end: None };
    let default_at = numbers.next().unwrap_or(0);
    let default = read_extent(file, Extent { offset: default_at, length: size })
        .context("the default kernel arguments are outside the image")?;
    let default = plain("the defaults".to_owned()).read(&default)?;
    let length = volume.length();
    let mut areas = Vec::new();
    for offset in numbers.take_while(|offset| *offset != 0) {
        let extent = Extent { offset, length: size };
        if extent.end().is_none_or(|end| end > length) {
            bail!("the area for kernel arguments at byte {offset} is outside the image");
        }
        areas.push(KargsArea { extent, file: plain(format!("byte {offset}")) });
    }
    Ok(Some((default, size, areas)))
}
