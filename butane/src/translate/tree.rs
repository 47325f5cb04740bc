//! `trees`: a local directory whose files and links are written to the machine.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path as FsPath, PathBuf};

use super::contents;
use super::data_url::Compress;
use crate::files_dir::{self, FilesDir, reason};
use crate::path::Path;
use crate::report::Report;
use crate::schema::{CONTENTS, FILE, LINK, STORAGE};
use crate::value::{Object, Value};

const EXISTS: &str = "matching filesystem node has existing contents or different type";

/// Adds the nodes of all trees to the storage section.
pub(crate) fn expand(storage: &mut Object, files_dir: &FilesDir, report: &mut Report) {
    let Some(trees) = storage.take("trees") else { return };
    let crate::value::Kind::List(trees) = trees.kind else { return };
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
                let to = object.filled("path").unwrap_or("/");
                let mut walk = Walk { storage, nodes: &mut nodes, origin: &tree.origin, report };
                walk.directory(&root, to);
            }
        }
    }
}

/// Which list of the storage section a path is in, and where.
#[derive(Debug, Clone, Copy)]
enum Place {
    Directory,
    File(usize),
    Link(usize),
}

/// The paths that are configured.
struct Nodes(HashMap<String, Place>);

impl Nodes {
    fn of(storage: &Object) -> Self {
        let mut nodes = HashMap::new();
        let mut add = |key: &str, place: fn(usize) -> Place| {
            for (n, _, node) in storage.objects(key) {
                nodes.insert(node.text("path").unwrap_or_default().to_owned(), place(n));
            }
        };
        add("directories", |_| Place::Directory);
        add("files", Place::File);
        add("links", Place::Link);
        Self(nodes)
    }
}

struct Walk<'w> {
    storage: &'w mut Object,
    nodes: &'w mut Nodes,
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
            self.file(to, &bytes, meta.permissions().mode() & 0o111 != 0)
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

    fn file(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<(), String> {
        let origin = self.origin;
        let Some(file) = self.find_or_add(path, "files", Place::File)? else {
            return Err(EXISTS.to_owned());
        };
        let Some(resource) = file.object_mut("contents", &CONTENTS, origin) else { return Ok(()) };
        if resource.filled("source").is_some() {
            return Err(EXISTS.to_owned());
        }
        let compress = match resource.filled("compression") {
            Some(_) => Compress::Never,
            None => Compress::IfShorter,
        };
        contents::set(resource, bytes, compress, origin);
        if file.get("mode").is_none() {
            let mode = if executable { 0o755 } else { 0o644 };
            file.set("mode", Value::new(origin, mode));
        }
        Ok(())
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), String> {
        let origin = self.origin;
        let Some(link) = self.find_or_add(path, "links", Place::Link)? else {
            return Err(EXISTS.to_owned());
        };
        if link.filled("target").is_some() {
            return Err(EXISTS.to_owned());
        }
        link.set("target", Value::new(origin, target));
        Ok(())
    }

    /// Returns the node of `path` in the list `key`; `None` if the path is another kind of node.
    fn find_or_add(
        &mut self,
        path: &str,
        key: &str,
        place: fn(usize) -> Place,
    ) -> Result<Option<&mut Object>, String> {
        let shape = if key == "files" { &FILE } else { &LINK };
        debug_assert_eq!(self.storage.shape.name, STORAGE.name);
        let Some(list) = self.storage.list_mut(key, self.origin) else { return Ok(None) };
        let index = match self.nodes.0.get(path) {
            None => {
                let node = Object::new(shape).with("path", self.origin, path);
                list.push(Value::new(self.origin, node));
                self.nodes.0.insert(path.to_owned(), place(list.len() - 1));
                list.len() - 1
            }
            Some(Place::File(index)) if key == "files" => *index,
            Some(Place::Link(index)) if key == "links" => *index,
            Some(_) => return Ok(None),
        };
        Ok(match list.get_mut(index).map(|value| &mut value.kind) {
            Some(crate::value::Kind::Object(node)) => Some(node),
            _ => None,
        })
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
