//! Layers of an encapsulated commit: a tar stream of ostree objects ("bare-split-xattrs"). Each
//! file object follows an entry that names its attributes. Other entries, which make the image
//! runnable as a container, are skipped.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::{Checksum, FileHeader, Xattrs};
use tar::{Archive, Entry, EntryType};

use super::staging::{Kind, Staging};

const REPO: &str = "sysroot/ostree/repo/";
/// Largest attributes and largest other objects that are read: the limits of libostree.
const MAX_XATTRS: u64 = 1024 * 1024;
const MAX_METADATA: u64 = 10 * 1024 * 1024;

/// What a layer held.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Checksums of all file objects.
    pub(super) files: BTreeSet<Checksum>,
    /// The commit object: it is written last of all, so that it never is without its content.
    pub(super) commit: Option<Vec<u8>>,
    /// Detached metadata of the commit.
    pub(super) commit_meta: Option<Vec<u8>>,
}

/// Whether a layer may hold more than files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// The commit, directories and files.
    Commit,
    /// Files only.
    Files,
}

/// Reads a layer to its end; new objects are staged.
pub(super) fn import(stream: &mut dyn Read, holds: Holds, staging: &Staging) -> Result<Found> {
    let mut layer =
        Layer { staging, holds, xattrs: HashMap::new(), next: None, found: Found::default() };
    for entry in Archive::new(stream).entries()? {
        let mut entry = entry.context("cannot read the layer")?;
        let path =
            String::from_utf8(entry.path_bytes().into_owned()).context("a path is not UTF-8")?;
        let path = path.strip_prefix("./").unwrap_or(&path);
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        if let Some(path) = path.strip_prefix(REPO) {
            layer.entry(path, &mut entry).with_context(|| format!("entry {path}"))?;
        }
    }
    if holds == Holds::Commit && layer.found.commit.is_none() {
        bail!("the first layer holds no commit");
    }
    Ok(layer.found)
}

struct Layer<'a> {
    staging: &'a Staging,
    holds: Holds,
    xattrs: HashMap<Checksum, Xattrs>,
    next: Option<(Checksum, Checksum)>,
    found: Found,
}

impl Layer<'_> {
    fn entry(&mut self, path: &str, entry: &mut Entry<'_, &mut dyn Read>) -> Result<()> {
        if let Some(name) = path.strip_prefix("xattrs/") {
            // Version 0 of the format keeps attributes in a folder.
            let sum: Checksum = name.parse()?;
            return self.attributes(entry, Some(&sum)).map(drop);
        }
        let Some(object) = path.strip_prefix("objects/") else { return Ok(()) };
        let (sum, kind) = object_name(object)?;
        match kind {
            "file-xattrs" => self.attributes(entry, Some(&sum)).map(drop),
            "file-xattrs-link" | "file.xattrs" => self.attributes_link(sum, entry),
            "file" => self.file(sum, entry),
            "dirtree" | "dirmeta" | "commit" | "commitmeta" if self.holds == Holds::Files => {
                bail!("a layer of files holds a {kind} object")
            }
            "dirtree" => self.metadata(Kind::DirTree, &sum, entry),
            "dirmeta" => self.metadata(Kind::DirMeta, &sum, entry),
            "commit" if self.found.commit.is_some() => bail!("the layer holds two commits"),
            "commit" => {
                self.found.commit = Some(whole(entry, MAX_METADATA, Some(&sum))?);
                Ok(())
            }
            "commitmeta" => {
                self.found.commit_meta = Some(whole(entry, MAX_METADATA, None)?);
                Ok(())
            }
            other => bail!("{other:?} is no kind of object"),
        }
    }

    fn attributes(
        &mut self,
        entry: &mut Entry<'_, &mut dyn Read>,
        expected: Option<&Checksum>,
    ) -> Result<Checksum> {
        let bytes = whole(entry, MAX_XATTRS, expected)?;
        let sum = Checksum::of(&bytes);
        self.xattrs.insert(sum, Xattrs::parse(&bytes)?);
        Ok(sum)
    }

    /// A hard link to the attributes, or, when there are too many links already, the attributes.
    fn attributes_link(
        &mut self,
        file: Checksum,
        entry: &mut Entry<'_, &mut dyn Read>,
    ) -> Result<()> {
        let sum = match entry.header().entry_type() {
            EntryType::Link => {
                let target = link_target(entry)?;
                let mut parts = target.rsplitn(3, '/');
                let (last, before) = (parts.next().unwrap_or_default(), parts.next());
                match last.strip_suffix(".file-xattrs") {
                    Some(tail) => format!("{}{tail}", before.unwrap_or_default()).parse()?,
                    None => last.parse()?,
                }
            }
            _ => self.attributes(entry, None)?,
        };
        self.next = Some((file, sum));
        Ok(())
    }

    fn file(&mut self, sum: Checksum, entry: &mut Entry<'_, &mut dyn Read>) -> Result<()> {
        let Some((file, xattrs)) = self.next.take().filter(|(file, _)| *file == sum) else {
            bail!("object {sum} follows no attributes of its own");
        };
        if !self.found.files.insert(file) {
            bail!("object {sum} is there twice");
        }
        if self.staging.has(Kind::File, &sum) {
            return Ok(());
        }
        let xattrs = self.xattrs.get(&xattrs).cloned();
        let xattrs = xattrs.with_context(|| format!("the attributes of {sum} are missing"))?;
        let header = header(entry, xattrs)?;
        let size = if header.is_symlink() { 0 } else { entry.size() };
        self.staging.write_file(&header, size, entry, Some(&sum)).map(drop)
    }

    fn metadata(
        &mut self,
        kind: Kind,
        sum: &Checksum,
        entry: &mut Entry<'_, &mut dyn Read>,
    ) -> Result<()> {
        let bytes = whole(entry, MAX_METADATA, Some(sum))?;
        self.staging.write(kind, &bytes).map(drop)
    }
}

/// Describes the file object of an entry.
pub(super) fn header(entry: &Entry<'_, &mut dyn Read>, xattrs: Xattrs) -> Result<FileHeader> {
    let tar = entry.header();
    let uid = u32::try_from(tar.uid()?).context("an owner is too large")?;
    let gid = u32::try_from(tar.gid()?).context("a group is too large")?;
    match tar.entry_type() {
        EntryType::Regular | EntryType::Continuous => {
            Ok(FileHeader::regular(uid, gid, tar.mode()?, xattrs))
        }
        EntryType::Symlink => Ok(FileHeader::symlink(uid, gid, link_target(entry)?, xattrs)),
        other => bail!("an entry of type {other:?} cannot be in an image"),
    }
}

/// Returns what a link points to.
pub(super) fn link_target(entry: &Entry<'_, &mut dyn Read>) -> Result<String> {
    let target = entry.link_name_bytes().context("a link has no target")?;
    let target = String::from_utf8(target.into_owned()).context("a link's target is not UTF-8")?;
    if target.is_empty() || target.contains('\0') {
        bail!("a link has no target");
    }
    Ok(target)
}

/// Splits `ab/cdef….kind`.
pub(super) fn object_name(path: &str) -> Result<(Checksum, &str)> {
    let name = path.split_once('/').and_then(|(head, rest)| {
        let (tail, kind) = rest.split_once('.')?;
        Some((format!("{head}{tail}"), kind))
    });
    let (hex, kind) = name.with_context(|| format!("{path:?} is no name of an object"))?;
    Ok((hex.parse()?, kind))
}

fn whole(
    entry: &mut Entry<'_, &mut dyn Read>,
    limit: u64,
    expected: Option<&Checksum>,
) -> Result<Vec<u8>> {
    if entry.header().entry_type() != EntryType::Regular || entry.size() > limit {
        bail!("it is no file of at most {limit} bytes");
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    match expected {
        Some(expected) if *expected != Checksum::of(&bytes) => {
            bail!("its content is not that of {expected}: the image is damaged")
        }
        _ => Ok(bytes),
    }
}
