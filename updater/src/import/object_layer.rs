//! Layers of an encapsulated commit: a tar stream of ostree objects ("bare-split-xattrs"). Each
//! file object follows an entry that names its attributes. Other entries, which make the image
//! runnable as a container, are skipped.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::{Checksum, Xattrs};
use tar::EntryType;

use super::entries::{self, Head};
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
    entries::read(stream, |head, content| {
        let path = head.path.strip_prefix("./").unwrap_or(&head.path);
        match path.strip_prefix(REPO) {
            Some(path) if head.kind != EntryType::Directory => {
                layer.entry(path, head, content).with_context(|| format!("entry {path}"))
            }
            _ => Ok(()),
        }
    })?;
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
    fn entry(&mut self, path: &str, head: &Head, content: &mut dyn Read) -> Result<()> {
        if let Some(name) = path.strip_prefix("xattrs/") {
            // Version 0 of the format keeps attributes in a folder.
            let sum: Checksum = name.parse()?;
            return self.attributes(head, content, Some(&sum)).map(drop);
        }
        let Some(object) = path.strip_prefix("objects/") else { return Ok(()) };
        let (sum, kind) = object_name(object)?;
        match kind {
            "file-xattrs" => self.attributes(head, content, Some(&sum)).map(drop),
            "file-xattrs-link" | "file.xattrs" => self.attributes_link(sum, head, content),
            "file" => self.file(sum, head, content),
            "dirtree" | "dirmeta" | "commit" | "commitmeta" if self.holds == Holds::Files => {
                bail!("a layer of files holds a {kind} object")
            }
            "dirtree" => self.metadata(Kind::DirTree, &sum, head, content),
            "dirmeta" => self.metadata(Kind::DirMeta, &sum, head, content),
            "commit" if self.found.commit.is_some() => bail!("the layer holds two commits"),
            "commit" => {
                self.found.commit = Some(whole(head, content, MAX_METADATA, Some(&sum))?);
                Ok(())
            }
            "commitmeta" => {
                self.found.commit_meta = Some(whole(head, content, MAX_METADATA, None)?);
                Ok(())
            }
            other => bail!("{other:?} is no kind of object"),
        }
    }

    fn attributes(
        &mut self,
        head: &Head,
        content: &mut dyn Read,
        expected: Option<&Checksum>,
    ) -> Result<Checksum> {
        let bytes = whole(head, content, MAX_XATTRS, expected)?;
        let sum = Checksum::of(&bytes);
        self.xattrs.insert(sum, Xattrs::parse(&bytes)?);
        Ok(sum)
    }

    /// A hard link to the attributes, or, when there are too many links already, the attributes.
    fn attributes_link(
        &mut self,
        file: Checksum,
        head: &Head,
        content: &mut dyn Read,
    ) -> Result<()> {
        let sum = match head.kind {
            EntryType::Link => {
                let target = head.target()?;
                let mut parts = target.rsplitn(3, '/');
                let (last, before) = (parts.next().unwrap_or_default(), parts.next());
                match last.strip_suffix(".file-xattrs") {
                    Some(tail) => format!("{}{tail}", before.unwrap_or_default()).parse()?,
                    None => last.parse()?,
                }
            }
            _ => self.attributes(head, content, None)?,
        };
        self.next = Some((file, sum));
        Ok(())
    }

    fn file(&mut self, sum: Checksum, head: &Head, content: &mut dyn Read) -> Result<()> {
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
        let header = head.file(xattrs)?;
        self.staging.write_file(&header, head.content_size(), content, Some(&sum)).map(drop)
    }

    fn metadata(
        &mut self,
        kind: Kind,
        sum: &Checksum,
        head: &Head,
        content: &mut dyn Read,
    ) -> Result<()> {
        let bytes = whole(head, content, MAX_METADATA, Some(sum))?;
        self.staging.write(kind, &bytes).map(drop)
    }
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
    head: &Head,
    content: &mut dyn Read,
    limit: u64,
    expected: Option<&Checksum>,
) -> Result<Vec<u8>> {
    if head.kind != EntryType::Regular || head.size > limit {
        bail!("it is no file of at most {limit} bytes");
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    match expected {
        Some(expected) if *expected != Checksum::of(&bytes) => {
            bail!("its content is not that of {expected}: the image is damaged")
        }
        _ => Ok(bytes),
    }
}
