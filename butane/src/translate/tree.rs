//! `trees`: a local directory whose files and links are written to the machine.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path as FsPath, PathBuf};

use super::contents::{self, Sources};
use super::nodes::{EXISTS, Nodes};
use crate::data_url::Body;
use crate::files_dir::{self, reason};
use crate::path::Path;
use crate::report::Report;
use crate::schema::{CONTENTS, DIRECTORY, FILE, LINK, Shape};
use crate::value::{Kind, Object, Value};

/// The mode of the directories of a tree that says who owns them and no mode.
const DIRECTORY_MODE: i64 = 0o755;

/// Adds the nodes of all trees to the storage section.
pub(crate) fn expand(storage: &mut Object, sources: &Sources<'_>, report: &mut Report) {
    let Some(trees) = storage.take("trees") else { return };
    let Kind::List(trees) = trees.kind else { return };
    let files_dir = sources.files_dir;
    let mut nodes = Nodes::of(storage);
    for tree in &trees {
        let Some(object) = tree.as_object() else { continue };
        let root = match files_dir.resolve(object.text("local").unwrap_or_default()) {
            Ok(root) => root,
            Err(message) => {
                report.error(&tree.origin, message);
                if files_dir.is_missing() {
                    return;
                }
                continue;
            }
        };
        match fs::metadata(&root) {
            Err(e) => {
                report.error(&tree.origin, format!("stat {}: {}", root.display(), reason(&e)));
            }
            Ok(meta) if !meta.is_dir() => {
                report.error(&tree.origin, "root of tree must be a directory");
            }
            Ok(_) => {
                let (nodes, origin) = (&mut nodes, &tree.origin);
                let mut walk = Walk { storage, nodes, tree: object, sources, origin, report };
                walk.directory(&root, object.filled("path").unwrap_or("/"));
            }
        }
    }
}

struct Walk<'w> {
    storage: &'w mut Object,
    nodes: &'w mut Nodes,
    tree: &'w Object,
    sources: &'w Sources<'w>,
    origin: &'w Path,
    report: &'w mut Report,
}

impl Walk<'_> {
    /// Walks a directory depth first, names in byte order. The stack is ours: a tree may be
    /// deeper than a thread's.
    fn directory(&mut self, root: &FsPath, to: &str) {
        let mut pending = vec![(root.to_owned(), clean_target(to))];
        let mut first = true;
        while let Some((from, to)) = pending.pop() {
            let meta = if first { fs::metadata(&from) } else { fs::symlink_metadata(&from) };
            first = false;
            let meta = match meta {
                Ok(meta) => meta,
                Err(e) => {
                    self.error(format!("lstat {}: {}", from.display(), reason(&e)));
                    continue;
                }
            };
            if meta.is_dir() {
                self.own_directory(&to);
                pending.extend(self.entries(&from, &to));
            } else if let Err(message) = self.node(&from, &to, &meta) {
                self.error(message);
            }
        }
    }

    /// Returns what is in a directory, last name first.
    fn entries(&mut self, from: &FsPath, to: &str) -> Vec<(PathBuf, String)> {
        let read = fs::read_dir(from).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut names: Vec<_> = match read {
            Ok(entries) => entries.into_iter().map(|entry| entry.file_name()).collect(),
            Err(e) => {
                self.error(format!("open {}: {}", from.display(), reason(&e)));
                return vec![];
            }
        };
        names.sort();
        names.reverse();
        let mut paths = vec![];
        for name in names {
            match name.to_str() {
                Some(text) => {
                    let target = format!("{}/{text}", to.trim_end_matches('/'));
                    let target = target.strip_prefix("./").unwrap_or(&target).to_owned();
                    paths.push((from.join(&name), target));
                }
                None => self.error(format!("{}: name is not UTF-8", from.join(&name).display())),
            }
        }
        paths
    }

    fn node(&mut self, from: &FsPath, to: &str, meta: &Metadata) -> Result<(), String> {
        if meta.is_file() {
            let bytes = files_dir::read(from)?;
            self.file(to, bytes, meta.permissions().mode() & 0o111 != 0)
        } else if meta.is_symlink() {
            let target = fs::read_link(from);
            let target =
                target.map_err(|e| format!("readlink {}: {}", from.display(), reason(&e)))?;
            let shown = target.display().to_string();
            let target = target.to_str().ok_or(format!("{shown}: link target is not UTF-8"))?;
            self.link(to, target)
        } else {
            Err("trees may only contain files, directories, and symlinks".to_owned())
        }
    }

    /// Configures a directory, if the tree says anything about its directories.
    fn own_directory(&mut self, path: &str) {
        let owned = ["user", "group"]
            .iter()
            .any(|key| self.tree.object(key).is_some_and(|owner| owner.fields().next().is_some()));
        if !owned && self.tree.get("dir_mode").is_none() {
            return;
        }
        let mode = self.tree.int("dir_mode").unwrap_or(DIRECTORY_MODE);
        let directory = self.owned(&DIRECTORY, path).with("mode", self.origin, mode);
        let directory = Value::new(self.origin, directory);
        if self.nodes.add(self.storage, "directories", path, directory).is_none() {
            self.error(EXISTS.to_owned());
        }
    }

    fn file(&mut self, path: &str, bytes: Vec<u8>, executable: bool) -> Result<(), String> {
        let (origin, sources) = (self.origin, self.sources);
        let given = self.tree.int("file_mode");
        let file = self.find_or_add(path, "files")?;
        let Some(resource) = file.object_mut("contents", &CONTENTS, origin) else { return Ok(()) };
        if resource.is_filled("source") {
            return Err(EXISTS.to_owned());
        }
        let compress = sources.compress(resource);
        contents::set(resource, Body::Bytes(bytes), compress, origin);
        if file.get("mode").is_none() {
            let mode = given.unwrap_or(if executable { 0o755 } else { 0o644 });
            file.set("mode", Value::new(origin, mode));
        }
        Ok(())
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), String> {
        let origin = self.origin;
        let link = self.find_or_add(path, "links")?;
        if link.filled("target").is_some() {
            return Err(EXISTS.to_owned());
        }
        link.set("target", Value::new(origin, target));
        Ok(())
    }

    /// Returns the node of `path` in `list`; `Err` if the path is another kind of node.
    fn find_or_add(&mut self, path: &str, list: &'static str) -> Result<&mut Object, String> {
        let shape = if list == "files" { &FILE } else { &LINK };
        let place = match self.nodes.find(path) {
            Some(place) => Some(place).filter(|place| place.list == list),
            None => {
                let node = Value::new(self.origin, self.owned(shape, path));
                self.nodes.add(self.storage, list, path, node)
            }
        };
        let node = place.and_then(|place| Nodes::node(self.storage, place));
        node.ok_or_else(|| EXISTS.to_owned())
    }

    /// Returns a node with the owners that the tree gives.
    fn owned(&self, shape: &'static Shape, path: &str) -> Object {
        let mut node = Object::new(shape).with("path", self.origin, path);
        for key in ["user", "group"] {
            if let Some(owner) = self.tree.get(key) {
                node.set(key, Value { origin: self.origin.clone(), kind: owner.kind.clone() });
            }
        }
        node
    }

    fn error(&mut self, message: String) {
        self.report.error(self.origin, message);
    }
}

/// Cleans the destination as the reference does; a relative one stays relative and is reported
/// when the result is checked.
fn clean_target(to: &str) -> String {
    files_dir::clean(FsPath::new(to)).display().to_string()
}
