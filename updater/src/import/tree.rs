//! The tree of an image in memory: the base commit's directories are loaded only where a layer
//! changes them. Whiteouts are those of the OCI image specification ("Representing Changes").

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::{Checksum, DirMeta, DirTree, Xattrs};

use super::staging::{Kind, Staging};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Deepest folder. libostree's checkout has one open directory for each level, and recurses as we
/// do: more would end either of us at some other place.
pub(super) const MAX_DEPTH: usize = 512;

/// A directory of which at least the names are known.
#[derive(Debug)]
pub(super) struct Dir {
    meta: Checksum,
    files: BTreeMap<String, Checksum>,
    dirs: BTreeMap<String, Sub>,
}

#[derive(Debug)]
enum Sub {
    Stored { tree: Checksum, meta: Checksum },
    Loaded(Box<Dir>),
}

impl Dir {
    /// Loads a directory that is in the repository.
    pub(super) fn load(staging: &Staging, tree: &Checksum, meta: Checksum) -> Result<Self> {
        let DirTree { files, dirs } = DirTree::parse(&staging.read(Kind::DirTree, tree)?)
            .with_context(|| format!("object {tree}.dirtree"))?;
        let stored = |(name, (tree, meta))| (name, Sub::Stored { tree, meta });
        Ok(Self { meta, files, dirs: dirs.into_iter().map(stored).collect() })
    }

    /// Returns an empty root.
    pub(super) fn empty(staging: &Staging) -> Result<Self> {
        let meta = DirMeta::new(0, 0, 0o755, Xattrs::default());
        let meta = staging.write(Kind::DirMeta, &meta.to_bytes())?;
        Ok(Self { meta, files: BTreeMap::new(), dirs: BTreeMap::new() })
    }

    /// Puts a layer on top. A directory that is there already keeps its owner and mode, as with
    /// libostree's checkout of several commits into one directory.
    pub(super) fn apply(&mut self, staging: &Staging, layer: &Checksum) -> Result<()> {
        let bytes = staging.read(Kind::DirTree, layer)?;
        let layer = DirTree::parse(&bytes).with_context(|| format!("object {layer}.dirtree"))?;
        if layer.files.contains_key(OPAQUE) {
            self.files.clear();
            self.dirs.clear();
        }
        for name in layer.files.keys().filter_map(|n| n.strip_prefix(WHITEOUT)) {
            self.files.remove(name);
            self.dirs.remove(name);
        }
        for (name, sum) in layer.files.iter().filter(|(n, _)| !n.starts_with(WHITEOUT)) {
            self.dirs.remove(name);
            self.files.insert(name.clone(), *sum);
        }
        for (name, (tree, meta)) in &layer.dirs {
            self.files.remove(name);
            let mut dir = match self.dirs.remove(name) {
                Some(Sub::Loaded(dir)) => *dir,
                Some(Sub::Stored { tree, meta }) => Self::load(staging, &tree, meta)?,
                None => Self { meta: *meta, files: BTreeMap::new(), dirs: BTreeMap::new() },
            };
            dir.apply(staging, tree)?;
            self.dirs.insert(name.clone(), Sub::Loaded(Box::new(dir)));
        }
        Ok(())
    }

    /// Stages what changed; returns dirtree and dirmeta.
    pub(super) fn store(&self, staging: &Staging) -> Result<(Checksum, Checksum)> {
        let mut tree = DirTree { files: self.files.clone(), dirs: BTreeMap::new() };
        for (name, sub) in &self.dirs {
            let sums = match sub {
                Sub::Stored { tree, meta } => (*tree, *meta),
                Sub::Loaded(dir) => dir.store(staging)?,
            };
            tree.dirs.insert(name.clone(), sums);
        }
        Ok((staging.write(Kind::DirTree, &tree.to_bytes())?, self.meta))
    }
}

/// Fails unless everything that a tree names is there.
pub(super) fn check_complete(staging: &Staging, root: &Checksum, meta: &Checksum) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let mut todo = vec![(*root, *meta, 0)];
    while let Some((tree, meta, depth)) = todo.pop() {
        if depth > MAX_DEPTH {
            bail!("the image's folders are nested too deeply");
        }
        if seen.insert(meta) {
            DirMeta::parse(&staging.read(Kind::DirMeta, &meta).context(INCOMPLETE)?)
                .with_context(|| format!("object {meta}.dirmeta"))?;
        }
        if !seen.insert(tree) {
            continue;
        }
        let dir = DirTree::parse(&staging.read(Kind::DirTree, &tree).context(INCOMPLETE)?)
            .with_context(|| format!("object {tree}.dirtree"))?;
        for (name, sum) in dir.files {
            if seen.insert(sum) && !staging.has(Kind::File, &sum) {
                bail!("{INCOMPLETE}: file {name:?} (object {sum}) is in none of its layers");
            }
        }
        todo.extend(dir.dirs.into_values().map(|(tree, meta)| (tree, meta, depth + 1)));
    }
    Ok(())
}

const INCOMPLETE: &str = "the image is incomplete";

/// Finds a file or folder by its path from a root.
pub(super) fn lookup(staging: &Staging, root: &Checksum, path: &str) -> Result<Option<Found>> {
    let mut tree = *root;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        let dir = DirTree::parse(&staging.read(Kind::DirTree, &tree)?)?;
        match (dir.dirs.get(name), dir.files.get(name), names.peek()) {
            (Some((sub, _)), _, Some(_)) => tree = *sub,
            (Some((sub, _)), _, None) => return Ok(Some(Found::Dir(*sub))),
            (None, Some(sum), None) => return Ok(Some(Found::File(*sum))),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// What [`lookup`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// dirtree of a folder.
    Dir(Checksum),
    /// A file object.
    File(Checksum),
}

/// Returns the names of the kernels below /usr/lib/modules.
pub(super) fn kernels(staging: &Staging, root: &Checksum) -> Result<Vec<String>> {
    let Some(Found::Dir(modules)) = lookup(staging, root, "usr/lib/modules")? else {
        return Ok(Vec::new());
    };
    let modules = DirTree::parse(&staging.read(Kind::DirTree, &modules)?)?;
    let mut found = Vec::new();
    for (name, (tree, _)) in modules.dirs {
        if DirTree::parse(&staging.read(Kind::DirTree, &tree)?)?.files.contains_key("vmlinuz") {
            found.push(name);
        }
    }
    Ok(found)
}
