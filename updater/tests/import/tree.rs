//! A system's tree, and the objects that it is made of.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nestos_formats::ostree::{Checksum, DirMeta, DirTree, FileHeader, Xattrs};

/// Version of the kernel in [`Tree::system`].
pub(crate) const KERNEL: &str = "6.6.0-72.nestos";

/// Files and links by their paths; folders are implied, and belong to root with mode 0755.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree(BTreeMap<String, (FileHeader, Vec<u8>)>);

/// The objects of a tree.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) root: Checksum,
    pub(crate) meta: Checksum,
    pub(crate) dirtrees: BTreeMap<Checksum, Vec<u8>>,
    pub(crate) dirmetas: BTreeMap<Checksum, Vec<u8>>,
    /// With the path of each.
    pub(crate) files: BTreeMap<Checksum, (String, FileHeader, Vec<u8>)>,
}

impl Tree {
    /// A system that can be deployed, without much in it.
    pub(crate) fn system() -> Self {
        let tree = Self::default()
            .file(&format!("usr/lib/modules/{KERNEL}/vmlinuz"), "a kernel")
            .file(&format!("usr/lib/modules/{KERNEL}/initramfs.img"), "an initramfs")
            .file("usr/lib/os-release", "ID=nestos\nVERSION=1\nPRETTY_NAME=\"NestOS 1\"\n")
            .file("usr/etc/nsswitch.conf", "hosts: files dns\n")
            .file("usr/etc/hostname", "nest\n")
            .file("usr/share/app/a", "one\n")
            .file("usr/share/app/b", "two\n")
            .file("usr/share/app/deep/c", "three\n")
            .link("usr/lib64", "lib");
        tree.header("usr/bin/su", regular(0o4755, &[]), "su").header(
            "usr/bin/ping",
            regular(0o755, &[("user.origin", b"base")]),
            "ping",
        )
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.header(path, regular(0o644, &[]), content)
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let header = FileHeader::symlink(0, 0, target.to_owned(), Xattrs::default());
        self.header(path, header, "")
    }

    pub(crate) fn header(
        mut self,
        path: &str,
        header: FileHeader,
        content: impl AsRef<[u8]>,
    ) -> Self {
        self.0.insert(path.to_owned(), (header, content.as_ref().to_vec()));
        self
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        self.0.remove(path).unwrap();
        self
    }

    pub(crate) fn objects(&self) -> Objects {
        let meta = DirMeta::new(0, 0, 0o755, Xattrs::default()).to_bytes();
        let mut objects = Objects {
            root: Checksum::of(b""),
            meta: Checksum::of(&meta),
            dirtrees: BTreeMap::new(),
            dirmetas: BTreeMap::from([(Checksum::of(&meta), meta)]),
            files: BTreeMap::new(),
        };
        for (path, (header, content)) in &self.0 {
            let object = (path.clone(), header.clone(), content.clone());
            objects.files.insert(header.checksum(content), object);
        }
        let files: Vec<_> = self.0.iter().map(|(p, (h, c))| (p.as_str(), h.checksum(c))).collect();
        objects.root = objects.dirtree(&files);
        objects
    }

    /// Writes the tree where `ostree commit` can read it.
    pub(crate) fn write(&self, to: &Path) {
        for (path, (header, content)) in &self.0 {
            let path = to.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if header.is_symlink() {
                symlink(&header.target, &path).unwrap();
                continue;
            }
            std::fs::write(&path, content).unwrap();
            let mode = std::fs::Permissions::from_mode(header.mode & 0o7777);
            std::fs::set_permissions(&path, mode).unwrap();
        }
    }
}

impl Objects {
    fn dirtree(&mut self, files: &[(&str, Checksum)]) -> Checksum {
        let mut tree = DirTree::default();
        let mut dirs: BTreeMap<&str, Vec<(&str, Checksum)>> = BTreeMap::new();
        for (path, sum) in files {
            match path.split_once('/') {
                Some((top, rest)) => dirs.entry(top).or_default().push((rest, *sum)),
                None => drop(tree.files.insert((*path).to_owned(), *sum)),
            }
        }
        for (name, files) in dirs {
            let sums = (self.dirtree(&files), self.meta);
            tree.dirs.insert(name.to_owned(), sums);
        }
        let bytes = tree.to_bytes();
        let sum = Checksum::of(&bytes);
        self.dirtrees.insert(sum, bytes);
        sum
    }
}

/// Describes a file of root.
pub(crate) fn regular(mode: u32, xattrs: &[(&str, &[u8])]) -> FileHeader {
    let xattrs = xattrs.iter().map(|(name, value)| (*name, value.to_vec()));
    FileHeader::regular(0, 0, mode, Xattrs::new(xattrs))
}
