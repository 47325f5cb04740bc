//! The file system of an ISO image (ECMA-119), as far as it takes to find files: names by Rock
//! Ridge, by Joliet, or plain ones, which may be cut to eight and three characters. Whatever the
//! bytes say, no more is read than an image of a live system could hold.

mod descriptor;
mod directory;
mod names;

use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail};

pub use descriptor::{Descriptor, Primary};
use directory::{Directory, Encoding, Entry};
use names::Rank;

/// Bytes of a sector.
pub const SECTOR: u64 = 2048;

/// Most directories that a walk visits.
const MOST_DIRECTORIES: usize = 4096;
/// Most entries that a walk returns.
const MOST_ENTRIES: usize = 100_000;

/// Consecutive bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where they begin.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

impl Extent {
    /// Returns the offset after the last byte; `None` if there is no such number.
    pub fn end(self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }

    /// Returns a part of it; `None` if it is not all inside.
    pub fn part(self, offset: u64, length: u64) -> Option<Self> {
        let inside = offset.checked_add(length).is_some_and(|end| end <= self.length);
        inside.then(|| Self { offset: self.offset + offset, length })
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A regular file.
    File(Extent),
    /// A directory.
    Directory(Extent),
}

/// A file or directory with its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The path in the names that were asked for.
    pub path: String,
    /// What is there.
    pub found: Found,
}

/// The file system of an image.
#[derive(Debug)]
pub struct Volume {
    descriptors: Vec<Descriptor>,
    primary: Primary,
    joliet: Option<Tree>,
    length: u64,
}

/// One of the trees of names that lead to the same files.
#[derive(Debug, Clone, Copy)]
struct Tree {
    root: Extent,
    encoding: Encoding,
}

impl Volume {
    /// Reads the descriptors, and makes sure that the image is whole.
    pub fn read<R: Read + Seek>(image: &mut R) -> Result<Self> {
        let length = image.seek(SeekFrom::End(0))?;
        let descriptors = descriptor::read_all(image)?;
        let primary = descriptors.iter().find_map(|d| match d {
            Descriptor::Primary(primary) => Some(primary.clone()),
            _ => None,
        });
        let primary = primary.context("it has no primary volume descriptor: it is no ISO image")?;
        let stated = u64::from(primary.volume_space_size) * SECTOR;
        if stated > length {
            bail!("ISO image is incomplete: it states {stated} bytes and has {length}");
        }
        let joliet = descriptors.iter().find_map(|d| match d {
            Descriptor::Supplementary { joliet } => *joliet,
            _ => None,
        });
        let joliet = joliet.map(|root| Tree { root, encoding: Encoding::Joliet });
        Ok(Self { descriptors, primary, joliet, length })
    }

    /// Returns the descriptors in order.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Returns the name of the volume.
    pub fn id(&self) -> &str {
        &self.primary.volume_id
    }

    /// Returns the bytes of the image, as far as they belong to the file system or follow it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns what is at a path.
    pub fn find<R: Read + Seek>(&self, image: &mut R, path: &str) -> Result<Option<Found>> {
        let mut find = || -> Result<Option<Found>> {
            for (tree, rank) in [
                (Some(self.plain()), Rank::Whole),
                (self.joliet, Rank::Whole),
                (Some(self.plain()), Rank::Cut),
            ] {
                let Some(tree) = tree else { continue };
                if let Some(found) = self.find_in(image, tree, (path, rank))? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        find().with_context(|| format!("cannot look for {path} in the ISO image"))
    }

    /// Returns the bytes of a file.
    pub fn find_file<R: Read + Seek>(&self, image: &mut R, path: &str) -> Result<Option<Extent>> {
        match self.find(image, path)? {
            Some(Found::File(extent)) => Ok(Some(extent)),
            Some(Found::Directory(_)) => bail!("{path} in the ISO image is a directory"),
            None => Ok(None),
        }
    }

    /// Returns the files of a directory by their best names, in their order.
    pub fn files<R: Read + Seek>(&self, image: &mut R, path: &str) -> Result<Vec<Listed>> {
        let within = format!("{}/", path.trim_end_matches('/'));
        let Some(Found::Directory(extent)) = self.find(image, path)? else {
            bail!("the ISO image has no directory {path}");
        };
        // The tree that led here is known by what can be read in it.
        let joliet = self.joliet.map(|tree| self.find_in(image, tree, (path, Rank::Whole)));
        let encoding = match joliet.transpose()? {
            Some(Some(Found::Directory(found))) if found == extent => Encoding::Joliet,
            _ => Encoding::Plain,
        };
        let directory = Directory::read(image, extent, encoding)
            .with_context(|| format!("cannot read {within} in the ISO image"))?;
        let files = directory.entries.iter().filter(|entry| !entry.is_directory);
        files
            .map(|entry| {
                let found = self.found(entry)?;
                Ok(Listed { path: entry.best_name().to_owned(), found })
            })
            .collect()
    }

    /// Returns all files and directories by their plain names, each directory before its entries.
    pub fn walk<R: Read + Seek>(&self, image: &mut R) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut seen = vec![self.primary.root.offset];
        let mut open = vec![(String::new(), self.primary.root)];
        while let Some((prefix, extent)) = open.pop() {
            let mut below = Vec::new();
            for entry in Directory::read(image, extent, Encoding::Plain)?.entries {
                let path = format!("{prefix}{}", entry.plain);
                let found = self.found(&entry)?;
                if let Found::Directory(extent) = found {
                    if seen.contains(&extent.offset) {
                        bail!("directory {path} of the ISO image is inside itself");
                    }
                    seen.push(extent.offset);
                    below.push((format!("{path}/"), extent));
                }
                listed.push(Listed { path, found });
            }
            if seen.len() > MOST_DIRECTORIES || listed.len() > MOST_ENTRIES {
                bail!("the ISO image has too many files for a live medium");
            }
            open.extend(below.into_iter().rev());
        }
        Ok(listed)
    }

    fn find_in<R: Read + Seek>(
        &self,
        image: &mut R,
        tree: Tree,
        (path, rank): (&str, Rank),
    ) -> Result<Option<Found>> {
        let mut at = Found::Directory(tree.root);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Found::Directory(extent) = at else { return Ok(None) };
            let directory = Directory::read(image, extent, tree.encoding)?;
            let Some(entry) = names::choose(&directory.entries, name, rank) else {
                return Ok(None);
            };
            at = self.found(entry)?;
        }
        Ok(Some(at))
    }

    fn plain(&self) -> Tree {
        Tree { root: self.primary.root, encoding: Encoding::Plain }
    }

    fn found(&self, entry: &Entry) -> Result<Found> {
        let extent = entry.extent.ok_or_else(|| {
            anyhow!("{} in the ISO image is stored in several places", entry.best_name())
        })?;
        if extent.end().is_none_or(|end| end > self.length) {
            bail!(
                "{} in the ISO image ends at byte {} of {}",
                entry.best_name(),
                extent.offset.saturating_add(extent.length),
                self.length
            );
        }
        Ok(if entry.is_directory { Found::Directory(extent) } else { Found::File(extent) })
    }
}

#[cfg(test)]
mod tests;
