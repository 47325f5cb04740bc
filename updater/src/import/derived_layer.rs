//! Ordinary layers, as `podman build` makes them on top of an encapsulated commit. What belongs to
//! the system is kept as a commit of its own, with whiteouts as files; the rest is dropped and
//! counted.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::{Checksum, DirMeta, DirTree, Xattrs, is_file_name};
use tar::EntryType;

use super::entries::{self, Head};
use super::object_layer::object_name;
use super::staging::{Kind, Staging};
use super::tree::MAX_DEPTH;

const OBJECTS: &str = "sysroot/ostree/repo/objects/";
/// Folders that the running system fills itself: kept, but without what is in them.
const API_FOLDERS: [&str; 5] = ["run", "tmp", "proc", "sys", "dev"];
/// Longest path, as the kernel has it (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// What becomes of content outside of /usr and /etc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// Dropped: the root is read-only and the same on all machines.
    Dropped,
    /// Kept: the system mounts its root as an overlay, or the image has no ostree base.
    Kept,
}

/// What becomes of /var.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Var {
    /// Kept as it is: libostree 2024.3 and newer copies it on the first deployment.
    Kept,
    /// Moved to /usr/share/factory/var.
    Factory,
}

/// How paths of a layer become paths of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Content outside of /usr and /etc.
    pub(super) outside: Outside,
    /// Content of /var.
    pub(super) var: Var,
}

/// A layer in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerTree {
    /// dirtree of its root.
    pub(super) root: Checksum,
    /// dirmeta of its root.
    pub(super) meta: Checksum,
    /// How many entries were dropped, by their topmost folder.
    pub(super) dropped: BTreeMap<String, u32>,
}

/// Reads a layer to its end and stages its content.
pub(super) fn import(stream: &mut dyn Read, rules: Rules, staging: &Staging) -> Result<LayerTree> {
    let mut layer = Layer {
        rules,
        staging,
        root: Dir::default(),
        changed: HashMap::new(),
        dropped: BTreeMap::new(),
    };
    entries::read(stream, |head, content| {
        layer.entry(head, content).with_context(|| format!("entry {:?} of the layer", head.path))
    })?;
    let (root, meta) = layer.root.store(staging)?;
    Ok(LayerTree { root, meta, dropped: layer.dropped })
}

/// Where an entry goes.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// To this path; the root is the empty one.
    Path(Vec<String>),
    /// Nowhere; counted under this name.
    Dropped(String),
}

fn place(path: &str, rules: Rules) -> Result<Place> {
    if path.len() > MAX_PATH {
        bail!("the path is longer than {MAX_PATH} bytes");
    }
    let names: Vec<&str> = path.split('/').filter(|n| !matches!(*n, "" | ".")).collect();
    if names.len() > MAX_DEPTH {
        bail!("the path has more than {MAX_DEPTH} folders");
    }
    if let Some(wrong) = names.iter().find(|n| !is_file_name(n)) {
        bail!("{wrong:?} cannot be part of a path");
    }
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let below = |start: &[&str], rest: &[&str]| Place::Path([owned(start), owned(rest)].concat());
    Ok(match names.as_slice() {
        ["usr", ..] | [] => Place::Path(owned(&names)),
        ["etc", rest @ ..] => below(&["usr", "etc"], rest),
        ["var", rest @ ..] => match rules.var {
            Var::Kept => below(&["var"], rest),
            Var::Factory => below(&["usr", "share", "factory", "var"], rest),
        },
        [top] if API_FOLDERS.contains(top) => Place::Path(owned(&names)),
        [top, ..] if API_FOLDERS.contains(top) => Place::Dropped((*top).to_owned()),
        ["sysroot", "ostree", ..] => Place::Dropped("sysroot".to_owned()),
        _ if rules.outside == Outside::Kept => Place::Path(owned(&names)),
        [top, ..] => Place::Dropped((*top).to_owned()),
    })
}

#[derive(Debug, Default)]
struct Dir {
    meta: Option<DirMeta>,
    files: BTreeMap<String, Checksum>,
    dirs: BTreeMap<String, Dir>,
}

impl Dir {
    fn at(&mut self, path: &[String]) -> &mut Self {
        path.iter().fold(self, |dir, name| {
            dir.files.remove(name);
            dir.dirs.entry(name.clone()).or_default()
        })
    }

    fn file(&self, path: &[String]) -> Option<Checksum> {
        let (name, parents) = path.split_last()?;
        parents.iter().try_fold(self, |dir, name| dir.dirs.get(name))?.files.get(name).copied()
    }

    fn store(&self, staging: &Staging) -> Result<(Checksum, Checksum)> {
        let mut tree = DirTree { files: self.files.clone(), dirs: BTreeMap::new() };
        for (name, dir) in &self.dirs {
            tree.dirs.insert(name.clone(), dir.store(staging)?);
        }
        let implied = || DirMeta::new(0, 0, 0o755, Xattrs::default());
        let meta = self.meta.clone().unwrap_or_else(implied);
        Ok((
            staging.write(Kind::DirTree, &tree.to_bytes())?,
            staging.write(Kind::DirMeta, &meta.to_bytes())?,
        ))
    }
}

struct Layer<'a> {
    rules: Rules,
    staging: &'a Staging,
    root: Dir,
    /// Objects of the base that the layer brings anew, because a file linked to them was changed.
    changed: HashMap<String, Checksum>,
    dropped: BTreeMap<String, u32>,
}

impl Layer<'_> {
    fn entry(&mut self, head: &Head, content: &mut dyn Read) -> Result<()> {
        let plain = head.path.trim_start_matches("./").trim_start_matches('/');
        if plain.starts_with(OBJECTS) && head.kind.is_file() && head.mtime > 0 {
            let sum = self.write(head, content)?;
            self.changed.insert(plain.to_owned(), sum);
            return Ok(());
        }
        let path = match place(&head.path, self.rules)? {
            Place::Path(path) => path,
            Place::Dropped(top) => {
                *self.dropped.entry(top).or_default() += 1;
                return Ok(());
            }
        };
        match head.kind {
            EntryType::Directory => {
                let meta = DirMeta::new(head.uid, head.gid, head.mode, xattrs(head));
                self.root.at(&path).meta = Some(meta);
                Ok(())
            }
            EntryType::Link => {
                let sum = self.linked(head.target()?)?;
                self.insert(&path, sum)
            }
            _ => {
                let sum = self.write(head, content)?;
                self.insert(&path, sum)
            }
        }
    }

    fn write(&self, head: &Head, content: &mut dyn Read) -> Result<Checksum> {
        let header = head.file(xattrs(head))?;
        self.staging.write_file(&header, head.content_size(), content, None)
    }

    fn insert(&mut self, path: &[String], sum: Checksum) -> Result<()> {
        let (name, parents) = path.split_last().context("the root cannot be a file")?;
        let dir = self.root.at(parents);
        dir.dirs.remove(name);
        dir.files.insert(name.clone(), sum);
        Ok(())
    }

    /// Returns the object that a hard link shares.
    fn linked(&self, target: &str) -> Result<Checksum> {
        let plain = target.trim_start_matches("./").trim_start_matches('/');
        if let Some(object) = plain.strip_prefix(OBJECTS) {
            if let Some(sum) = self.changed.get(plain) {
                return Ok(*sum);
            }
            let (sum, _kind) = object_name(object)?;
            if self.staging.has(Kind::File, &sum) {
                return Ok(sum);
            }
        }
        let found = match place(plain, self.rules)? {
            Place::Path(path) => self.root.file(&path),
            Place::Dropped(_) => None,
        };
        found.with_context(|| format!("it is a hard link to {target}, which the layer has not"))
    }
}

/// Returns the attributes of an entry. Labels come from the system's own policy, and what
/// overlayfs keeps for itself has no meaning elsewhere.
fn xattrs(head: &Head) -> Xattrs {
    let own = head.xattrs.iter().filter(|(name, _)| {
        let foreign = name == "security.selinux" || name.starts_with("trusted.overlay.");
        !foreign && !name.is_empty() && !name.contains('\0')
    });
    Xattrs::new(own.map(|(name, value)| (name.as_bytes(), value.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_those_of_a_commit() {
        let rules = Rules { outside: Outside::Dropped, var: Var::Factory };
        let kept = Rules { outside: Outside::Kept, var: Var::Kept };
        let path = |p: &str| {
            Place::Path(p.split('/').filter(|n| !n.is_empty()).map(str::to_owned).collect())
        };
        let dropped = |p: &str| Place::Dropped(p.to_owned());
        for (given, rules, expected) in [
            ("./usr//bin/./x", rules, path("usr/bin/x")),
            ("/etc/app.conf", rules, path("usr/etc/app.conf")),
            ("etc", rules, path("usr/etc")),
            ("var/lib/a", rules, path("usr/share/factory/var/lib/a")),
            ("var/lib/a", kept, path("var/lib/a")),
            ("opt/x", rules, dropped("opt")),
            ("opt/x", kept, path("opt/x")),
            ("run", rules, path("run")),
            ("run/lock/x", kept, dropped("run")),
            ("boot/vmlinuz", rules, dropped("boot")),
            ("sysroot/ostree/repo/config", kept, dropped("sysroot")),
            ("./", rules, path("")),
        ] {
            assert_eq!(place(given, rules).unwrap(), expected, "{given}");
        }
        assert!(place("usr/../etc/shadow", rules).is_err());
        assert!(place(&"a/".repeat(3000), rules).is_err());
        assert!(place(&"a/".repeat(600), rules).is_err());
    }
}
