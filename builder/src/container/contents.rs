//! What a commit holds: its directories and metadata objects in the order of a walk, and its file
//! objects with all their paths.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use nestos_formats::ostree::{Checksum, Commit, DirMeta, DirTree};

use super::objects::Objects;

/// A commit, read whole except for the content of files.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Its checksum.
    pub(crate) checksum: Checksum,
    /// What it says about itself.
    pub(crate) commit: Commit,
    /// Metadata of its root directory.
    pub(crate) root: DirMeta,
    /// Metadata objects and directories, parents first; the commit object is the first.
    pub(crate) entries: Vec<Entry>,
    /// File objects.
    pub(crate) files: BTreeMap<Checksum, File>,
}

/// One step of the walk.
#[derive(Debug)]
pub(crate) enum Entry {
    /// An object that is no file, with its suffix.
    Metadata(Checksum, &'static str, Vec<u8>),
    /// A directory of the tree.
    Directory(String, DirMeta),
}

/// A file object's place in the commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct File {
    /// Bytes of content.
    pub(crate) size: u64,
    /// Its paths, relative to the root, in the order of a walk.
    pub(crate) paths: Vec<String>,
}

impl Contents {
    /// Reads a commit.
    pub(crate) fn read(objects: &Objects, checksum: Checksum) -> Result<Self> {
        let bytes = objects.metadata(checksum, "commit")?;
        let commit = Commit::parse(&bytes).with_context(|| format!("commit {checksum}"))?;
        let mut walk =
            Walk { objects, seen: BTreeSet::new(), entries: Vec::new(), files: BTreeMap::new() };
        walk.entries.push(Entry::Metadata(checksum, "commit", bytes));
        if let Some(attached) = objects.attached(checksum)? {
            walk.entries.push(Entry::Metadata(checksum, "commitmeta", attached));
        }
        let root = walk.dirmeta(commit.root_meta)?;
        walk.directory("", commit.root)?;
        let mut files = walk.files;
        for (file, found) in &mut files {
            found.size = objects.size(*file)?;
        }
        Ok(Self { checksum, commit, root, entries: walk.entries, files })
    }
}

struct Walk<'a> {
    objects: &'a Objects,
    seen: BTreeSet<(Checksum, &'static str)>,
    entries: Vec<Entry>,
    files: BTreeMap<Checksum, File>,
}

impl Walk<'_> {
    fn metadata(&mut self, checksum: Checksum, kind: &'static str) -> Result<Vec<u8>> {
        let bytes = self.objects.metadata(checksum, kind)?;
        if self.seen.insert((checksum, kind)) {
            self.entries.push(Entry::Metadata(checksum, kind, bytes.clone()));
        }
        Ok(bytes)
    }

    fn dirmeta(&mut self, checksum: Checksum) -> Result<DirMeta> {
        let bytes = self.metadata(checksum, "dirmeta")?;
        DirMeta::parse(&bytes).with_context(|| format!("dirmeta {checksum}"))
    }

    fn directory(&mut self, path: &str, checksum: Checksum) -> Result<()> {
        let bytes = self.metadata(checksum, "dirtree")?;
        let tree = DirTree::parse(&bytes).with_context(|| format!("dirtree {checksum}"))?;
        for (name, file) in &tree.files {
            self.files.entry(*file).or_default().paths.push(join(path, name));
        }
        for (name, (contents, meta)) in &tree.dirs {
            let path = join(path, name);
            let meta = self.dirmeta(*meta)?;
            self.entries.push(Entry::Directory(path.clone(), meta));
            self.directory(&path, *contents)?;
        }
        Ok(())
    }
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
