//! Which component a path of the tree belongs to: what changes together comes into one layer.
//! Packages are taken by their source package, whose binary packages are rebuilt together.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result};
use nestos_formats::ostree::Checksum;

use super::contents::Contents;
use super::objects::Objects;

/// The package database of an image.
const DPKG: &str = "usr/lib/sysimage/dpkg/";
/// Kernels, their modules and initramfs.
const MODULES: &str = "usr/lib/modules/";
/// Directories at the top that are links into /usr.
const MERGED: [&str; 5] = ["bin/", "sbin/", "lib/", "lib32/", "lib64/"];
/// Files that most builds change although no package of theirs changed.
const EACH_BUILD: [&str; 4] = [
    "usr/lib/os-release",
    "usr/etc/os-release",
    "usr/etc/ld.so.cache",
    "usr/lib/tmpfiles.d/nosa-autovar.conf",
];

/// What changes together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Component {
    /// What each build changes.
    EachBuild,
    /// The initramfs.
    Initramfs,
    /// Kernel and modules.
    Kernel,
    /// A source package.
    Package(String),
    /// An overlay of the config, or our own tools.
    Overlay(String),
    /// What nobody brought: made by scripts.
    Rest,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EachBuild => "commit",
            Self::Initramfs => "initramfs",
            Self::Kernel => "kernel",
            Self::Package(name) | Self::Overlay(name) => name,
            Self::Rest => "rest",
        })
    }
}

/// Owners of paths.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    sources: HashMap<String, String>,
    paths: HashMap<String, Component>,
}

impl Owners {
    /// Reads them from the package database of a commit; without one, nothing belongs to a package.
    pub(crate) fn of(objects: &Objects, contents: &Contents) -> Result<Self> {
        let mut owners = Self::default();
        let mut lists: Vec<(&str, Checksum)> = Vec::new();
        for (checksum, file) in &contents.files {
            for path in &file.paths {
                let Some(inside) = path.strip_prefix(DPKG) else { continue };
                if inside == "status" {
                    owners.add_status(&text(objects, *checksum)?);
                } else if let Some(list) = inside.strip_prefix("info/") {
                    lists.extend(list.strip_suffix(".list").map(|name| (name, *checksum)));
                }
            }
        }
        lists.sort();
        for (name, checksum) in lists {
            owners.add_list(package_of(name), &text(objects, checksum)?);
        }
        Ok(owners)
    }

    /// Adds the names of source packages (`/var/lib/dpkg/status`).
    fn add_status(&mut self, status: &str) {
        for stanza in status.split("\n\n") {
            let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
            let source = field("Source: ").and_then(|text| text.split(' ').next());
            if let (Some(name), Some(source)) = (field("Package: "), source) {
                self.sources.insert(name.to_owned(), source.to_owned());
            }
        }
    }

    /// Adds the absolute paths that a binary package brought; the first that brings one has it.
    fn add_list(&mut self, package: &str, list: &str) {
        let owner = self.package(package);
        for path in list.lines() {
            self.paths.entry(place(path)).or_insert_with(|| owner.clone());
        }
    }

    /// Adds the paths of an overlay, which replaces what is there.
    pub(crate) fn add_overlay(&mut self, name: &str, paths: impl IntoIterator<Item = String>) {
        let owner = Component::Overlay(name.to_owned());
        self.paths.extend(paths.into_iter().map(|path| (place(&path), owner.clone())));
    }

    /// Returns the owner of a path of the tree.
    pub(crate) fn owner(&self, path: &str) -> Component {
        if let Some(inside) = path.strip_prefix(MODULES) {
            let initramfs = inside.ends_with("/initramfs.img");
            return if initramfs { Component::Initramfs } else { Component::Kernel };
        }
        if let Some(inside) = path.strip_prefix(DPKG) {
            let info = inside.strip_prefix("info/").and_then(|name| name.rsplit_once('.'));
            return info.map_or(Component::EachBuild, |(name, _)| self.package(package_of(name)));
        }
        if EACH_BUILD.contains(&path) {
            return Component::EachBuild;
        }
        let compiled = || self.paths.get(&source_of_compiled(path)?);
        self.paths.get(path).or_else(compiled).cloned().unwrap_or(Component::Rest)
    }

    fn package(&self, name: &str) -> Component {
        Component::Package(self.sources.get(name).map_or(name, String::as_str).to_owned())
    }
}

fn text(objects: &Objects, checksum: Checksum) -> Result<String> {
    let bytes = objects.file(checksum)?.read().context("cannot read the package database")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `libc6:amd64` is the package libc6.
fn package_of(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// Returns where an absolute path is in the tree: directories are merged, /etc is below /usr.
fn place(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let moved = path.starts_with("etc/") || MERGED.iter().any(|dir| path.starts_with(dir));
    if moved { format!("usr/{path}") } else { path.to_owned() }
}

/// `a/__pycache__/b.cpython-313.pyc` is made from `a/b.py` when the package is installed.
fn source_of_compiled(path: &str) -> Option<String> {
    let (dir, file) = path.split_once("/__pycache__/")?;
    Some(format!("{dir}/{}.py", file.split('.').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Component {
        Component::Package(name.to_owned())
    }

    #[test]
    fn paths_belong_to_source_packages_wherever_the_tree_has_them() {
        let mut owners = Owners::default();
        owners.add_status(
            "Package: libc6\nSource: glibc (2.41-1)\nVersion: 2.41\n\nPackage: app\nVersion: 1\n",
        );
        owners.add_list("app", "/.\n/etc\n/etc/app.conf\n/usr/share/app/run.py\n/usr/bin/a\n");
        owners.add_list("libc6", "/lib64/ld.so\n/usr/bin/a\n");
        for (path, owner) in [
            ("usr/etc/app.conf", package("app")),
            ("usr/lib64/ld.so", package("glibc")),
            ("usr/bin/a", package("app")),
            ("usr/share/app/__pycache__/run.cpython-313.pyc", package("app")),
            ("usr/lib/sysimage/dpkg/info/libc6:amd64.list", package("glibc")),
            ("usr/lib/sysimage/dpkg/info/other.postinst", package("other")),
            ("usr/lib/sysimage/dpkg/status", Component::EachBuild),
            ("usr/lib/os-release", Component::EachBuild),
            ("usr/lib/modules/6.12/vmlinuz", Component::Kernel),
            ("usr/lib/modules/6.12/initramfs.img", Component::Initramfs),
            ("usr/etc/alternatives/awk", Component::Rest),
        ] {
            assert_eq!(owners.owner(path), owner, "{path}");
        }
    }

    #[test]
    fn an_overlay_owns_what_it_replaces() {
        let mut owners = Owners::default();
        owners.add_list("app", "/etc/app.conf\n");
        owners.add_overlay("overlay/10app", ["usr/etc/app.conf".to_owned()]);
        let overlay = Component::Overlay("overlay/10app".to_owned());
        assert_eq!(owners.owner("usr/etc/app.conf"), overlay);
    }
}
