//! Files for an initramfs, and the one archive they become: the same files give the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;
use nestos_formats::cpio;
use thiserror::Error;

use super::walk;

/// Most bytes that are kept of an initramfs: configs and settings, never the system itself.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Most files that are kept.
const MOST_FILES: usize = 10_000;
/// Only root reads configs.
const MODE: u32 = 0o600;
/// Smallest and largest dictionary of preset 9.
const DICTIONARY: std::ops::RangeInclusive<u32> = 4096..=64 * 1024 * 1024;
/// How many members an error names.
const NAMED: usize = 5;

/// Files by their paths; never printed with their content, which may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<String, Vec<u8>>);

/// The files do not fit into the area that is kept for them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Compressed initramfs is too large: {needed} > {area}")]
pub struct TooLarge {
    /// Bytes of the compressed archive.
    pub needed: u64,
    /// Bytes of the area.
    pub area: u64,
}

impl Members {
    /// Reads the files of an initramfs whose paths are wanted.
    pub fn read<R: Read>(from: R, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut kept = 0_u64;
        walk(from, &mut |member, content| {
            if !wanted(&member.path) {
                return Ok(());
            }
            kept = kept.saturating_add(member.size);
            if kept > MOST_BYTES || files.len() >= MOST_FILES {
                bail!("{} and what is before it are too large to be settings", member.path);
            }
            let mut bytes = Vec::new();
            content
                .read_to_end(&mut bytes)
                .with_context(|| format!("cannot read {}", member.path))?;
            files.insert(member.path.clone(), bytes);
            Ok(())
        })?;
        Ok(Self(files))
    }

    /// Returns the content of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        self.0.insert(path.into(), bytes);
    }

    /// Takes a file away and returns whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some()
    }

    /// Returns whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns paths and contents, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Returns names and contents of the files in a directory.
    pub fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let name = move |path: &'a str| path.strip_prefix(directory)?.strip_prefix('/');
        self.iter().filter_map(move |(path, bytes)| Some((name(path)?, bytes)))
    }

    /// Keeps the files whose paths fit.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| keep(path));
    }

    /// Returns an initramfs with the files: an archive, compressed so that every kernel reads it.
    pub fn pack(&self) -> Result<Vec<u8>> {
        let files = self.iter().map(|(path, bytes)| (path, MODE, bytes));
        let archive = cpio::archive(files).context("cannot make an initramfs")?;
        // Decoders take as much memory as the dictionary has, whatever it is needed for.
        let wanted = archive.len().next_power_of_two();
        let size = u32::try_from(wanted).unwrap_or(*DICTIONARY.end());
        let mut options = LzmaOptions::new_preset(9)?;
        options.dict_size(size.clamp(*DICTIONARY.start(), *DICTIONARY.end()));
        let mut filters = Filters::new();
        filters.lzma2(&options);
        // The kernel's decoder knows no other check (its Documentation/staging/xz.rst).
        let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(&archive).context("cannot compress an initramfs")?;
        encoder.finish().context("cannot compress an initramfs")
    }

    /// Returns the largest members, for an error about their size.
    pub fn largest(&self) -> String {
        let mut sizes: Vec<(usize, &str)> = self.iter().map(|(p, b)| (b.len(), p)).collect();
        sizes.sort_by(|a, b| b.cmp(a));
        let named = sizes.iter().take(NAMED).map(|(size, path)| format!("{path}: {size} bytes"));
        named.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
