//! Directories: records with plain names (ECMA-119, 9.1), Rock Ridge names behind them (RRIP 1.12,
//! 4.1.4; SUSP 1.12), or names of Joliet in UCS-2.

use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, Result, bail};

use super::{Extent, SECTOR};

/// Most bytes of a directory: thousands of files.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Most places where a name goes on.
const MOST_CONTINUATIONS: usize = 16;
/// Flags of a name that stands for the directory itself or its parent.
const SPECIAL_NAME: u8 = 0x06;

const FLAG_DIRECTORY: u8 = 0x02;
const FLAG_MULTI_EXTENT: u8 = 0x80;

/// How names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// ASCII, perhaps with Rock Ridge names.
    Plain,
    /// UCS-2, big endian.
    Joliet,
}

/// One directory.
#[derive(Debug)]
pub(super) struct Directory {
    /// What is in it, except itself and its parent.
    pub(super) entries: Vec<Entry>,
}

/// One file or directory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its plain name, without version and without a dot at the end.
    pub(super) plain: String,
    /// Its Rock Ridge name.
    pub(super) rock_ridge: Option<String>,
    /// Whether it is a directory.
    pub(super) is_directory: bool,
    /// Its bytes; `None` if they are in several places.
    pub(super) extent: Option<Extent>,
    goes_on: bool,
}

impl Entry {
    /// Returns the name that its maker meant.
    pub(super) fn best_name(&self) -> &str {
        self.rock_ridge.as_deref().unwrap_or(&self.plain)
    }

    /// Joins the next part of a file that one record cannot describe.
    fn join(&mut self, next: &Self) {
        let joined = match (self.extent, next.extent) {
            (Some(first), Some(second)) if first.end() == Some(second.offset) => {
                first.length.checked_add(second.length)
            }
            _ => None,
        };
        self.extent = self.extent.zip(joined).map(|(first, length)| Extent { length, ..first });
        self.goes_on = next.goes_on;
    }
}

impl Directory {
    /// Reads a directory.
    pub(super) fn read<R: Read + Seek>(
        image: &mut R,
        extent: Extent,
        encoding: Encoding,
    ) -> Result<Self> {
        if extent.length > MOST_BYTES {
            bail!("a directory of {} bytes is too large for a live medium", extent.length);
        }
        let mut bytes = vec![0; usize::try_from(extent.length)?];
        image.seek(SeekFrom::Start(extent.offset))?;
        image.read_exact(&mut bytes).context("a directory lies outside the image")?;
        let mut entries: Vec<Entry> = Vec::new();
        // A record does not cross the end of a sector; zeros fill it up.
        for sector in bytes.chunks(2048) {
            let mut rest = sector;
            while let Some(length) = rest.first().map(|n| usize::from(*n)).filter(|n| *n > 0) {
                let Some(record) = rest.get(..length).filter(|record| record.len() > 33) else {
                    bail!("a directory of the image is damaged");
                };
                rest = &rest[length..];
                let Some(entry) = read_entry(image, record, encoding)? else { continue };
                match entries.last_mut().filter(|last| last.goes_on && last.plain == entry.plain) {
                    Some(last) => last.join(&entry),
                    None => entries.push(entry),
                }
            }
        }
        Ok(Self { entries })
    }
}

/// Returns the entry of a record; `None` for a directory itself and its parent.
fn read_entry<R: Read + Seek>(
    image: &mut R,
    record: &[u8],
    encoding: Encoding,
) -> Result<Option<Entry>> {
    let length = usize::from(record[32]);
    let Some(name) = record.get(33..33 + length).filter(|name| !name.is_empty()) else {
        bail!("a name in a directory of the image is damaged");
    };
    if matches!(name, [0] | [1]) {
        return Ok(None);
    }
    let plain = match encoding {
        Encoding::Plain => String::from_utf8_lossy(name).into_owned(),
        Encoding::Joliet => {
            let units: Vec<u16> =
                name.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
    };
    let rock_ridge = match encoding {
        // A name of even length is followed by a zero.
        Encoding::Plain => {
            let start = 33 + length + (length + 1) % 2;
            rock_ridge_name(image, record.get(start..).unwrap_or_default())?
        }
        Encoding::Joliet => None,
    };
    Ok(Some(Entry {
        plain: without_version(&plain).to_owned(),
        rock_ridge,
        is_directory: record[25] & FLAG_DIRECTORY != 0,
        extent: Some(Extent {
            offset: (u64::from(both_u32(&record[2..6])) + u64::from(record[1])) * SECTOR,
            length: u64::from(both_u32(&record[10..14])),
        }),
        goes_on: record[25] & FLAG_MULTI_EXTENT != 0,
    }))
}

/// Returns the name in the system use fields, which may go on elsewhere in the image.
fn rock_ridge_name<R: Read + Seek>(image: &mut R, fields: &[u8]) -> Result<Option<String>> {
    let mut name: Option<Vec<u8>> = None;
    let mut fields = fields.to_vec();
    for _ in 0..MOST_CONTINUATIONS {
        let mut next = None;
        let mut rest = &fields[..];
        while let Some((kind, body, after)) = system_use_field(rest) {
            rest = after;
            match &kind {
                b"NM" => {
                    let flags = body.first().copied().unwrap_or_default();
                    if flags & SPECIAL_NAME == 0 {
                        name.get_or_insert_default().extend(body.get(1..).unwrap_or_default());
                    }
                }
                b"CE" => next = continuation(body),
                b"ST" => break,
                _ => {}
            }
        }
        let Some(place) = next else { break };
        fields = vec![0; usize::try_from(place.length.min(SECTOR))?];
        image.seek(SeekFrom::Start(place.offset))?;
        image.read_exact(&mut fields).context("a Rock Ridge name lies outside the image")?;
    }
    Ok(name.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Splits off the first field: its signature, what follows its length and version, and the rest
/// (SUSP 1.12, 4). rustc 1.95 compiles this with optimisation into a loop without an end when the
/// caller matches on the field as a slice, so it returns the parts.
fn system_use_field(fields: &[u8]) -> Option<([u8; 2], &[u8], &[u8])> {
    let [first, second, length, _version, ..] = *fields else { return None };
    let (field, after) = fields.split_at_checked(usize::from(length))?;
    Some(([first, second], field.get(4..)?, after))
}

/// Returns where the fields go on: block, offset and length, each in both byte orders.
fn continuation(body: &[u8]) -> Option<Extent> {
    let number = |at: usize| body.get(at..at + 4).map(|bytes| u64::from(both_u32(bytes)));
    Some(Extent { offset: number(0)? * SECTOR + number(8)?, length: number(16)? })
}

/// Takes off the version, and the dot of a name without an extension.
fn without_version(name: &str) -> &str {
    let name = name.split_once(';').map_or(name, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

/// Reads the first half of a number that is stored in both byte orders.
pub(super) fn both_u32(field: &[u8]) -> u32 {
    field.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
