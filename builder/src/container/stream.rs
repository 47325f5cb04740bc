//! The tar stream of ostree objects (format 1, mode `bare-split-xattrs`) that ostree hosts import
//! from the layers of an image. The tree itself is in it as hard links to the objects, so that the
//! image also runs as a container. The same input gives the same bytes.

use std::collections::BTreeMap;
use std::io::{Write, empty};

use anyhow::{Context, Result};
use nestos_formats::ostree::{Checksum, DirMeta};
use tar::{Builder, EntryType, Header};

use super::contents::{Contents, Entry, File};
use super::objects::Objects;

const REPO: &str = "sysroot/ostree/repo";
const CONFIG: &str = "[core]\nrepo_version=1\nmode=bare-split-xattrs\n";
/// Directories of a repository, besides `objects`.
const REPO_DIRS: [&str; 8] = [
    "extensions",
    "refs",
    "refs/heads",
    "refs/mirrors",
    "refs/remotes",
    "state",
    "tmp",
    "tmp/cache",
];
/// ext4 ends at 65000 links to one file; then the attributes are written again.
const MAX_LINKS: u32 = 60_000;
/// Longest target in a header (ustar).
const MAX_TARGET: usize = 100;
/// File type in a mode; tar has its own.
const S_IFMT: u32 = 0o170_000;

/// Writes the stream of one layer.
pub(crate) struct Stream<'a, W: Write> {
    tar: Builder<W>,
    objects: &'a Objects,
    /// How often each set of extended attributes was linked to.
    xattrs: BTreeMap<Checksum, u32>,
}

impl<'a, W: Write> Stream<'a, W> {
    /// Begins a stream.
    pub(crate) fn new(objects: &'a Objects, out: W) -> Self {
        Self { tar: Builder::new(out), objects, xattrs: BTreeMap::new() }
    }

    /// Writes the empty repository that each layer begins with.
    pub(crate) fn repository(&mut self) -> Result<()> {
        for dir in ["sysroot", "sysroot/ostree", REPO] {
            self.plain_directory(dir, 0o755)?;
        }
        self.plain_directory(&format!("{REPO}/objects"), 0o755)?;
        for byte in 0..=u8::MAX {
            self.plain_directory(&format!("{REPO}/objects/{byte:02x}"), 0o755)?;
        }
        for dir in REPO_DIRS {
            self.plain_directory(&format!("{REPO}/{dir}"), 0o755)?;
        }
        self.plain_file(&format!("{REPO}/config"), CONFIG.as_bytes())
    }

    /// Writes the commit, all its metadata objects and its directories.
    pub(crate) fn skeleton(&mut self, contents: &Contents) -> Result<()> {
        self.directory("./", &contents.root)?;
        self.repository()?;
        let mut has_var_tmp = false;
        for entry in &contents.entries {
            match entry {
                Entry::Metadata(checksum, kind, bytes) => {
                    self.plain_file(&object(*checksum, kind), bytes)?;
                }
                // The repository is in it, and no path may be there twice.
                Entry::Directory(path, _) if path == "sysroot" || path.starts_with("sysroot/") => {}
                Entry::Directory(path, meta) => {
                    has_var_tmp |= path == "var/tmp";
                    self.directory(place(path), meta)?;
                }
            }
        }
        // Nothing makes it in a container, and too much depends on it.
        if has_var_tmp { Ok(()) } else { self.plain_directory("var/tmp", 0o1777) }
    }

    /// Writes a file object and links to it from all its paths.
    pub(crate) fn file(&mut self, checksum: Checksum, file: &File) -> Result<()> {
        let found = self.objects.file(checksum)?;
        let name = object(checksum, "file");
        self.attributes(checksum, &found.header.xattrs.to_bytes())?;
        let owner = (found.header.uid, found.header.gid, found.header.mode);
        let mut header = head(EntryType::Regular, owner);
        if found.header.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            self.target(&mut header, &found.header.target)?;
            self.tar.append_data(&mut header, &name, empty())
        } else {
            header.set_size(found.size);
            self.tar.append_data(&mut header, &name, found.content()?)
        }
        .with_context(|| format!("cannot write the file object {checksum}"))?;
        for path in file.paths.iter().filter(|path| !path.starts_with("sysroot/")) {
            let mut header = head(EntryType::Link, owner);
            if found.size > 0 || found.header.is_symlink() {
                self.target(&mut header, &name)?;
            } else {
                // Image builds write into empty files, and would write through a link into the object.
                header.set_entry_type(EntryType::Regular);
            }
            let done = self.tar.append_data(&mut header, place(path), empty());
            done.with_context(|| format!("cannot write /{path}"))?;
        }
        Ok(())
    }

    /// Ends the stream and returns what it was written to.
    pub(crate) fn finish(self) -> Result<W> {
        self.tar.into_inner().context("cannot end the layer")
    }

    /// Writes extended attributes, once, and the link to them that stands before each file object.
    fn attributes(&mut self, checksum: Checksum, bytes: &[u8]) -> Result<()> {
        let own = Checksum::of(bytes);
        let path = object(own, "file-xattrs");
        let link = object(checksum, "file-xattrs-link");
        let count = self.xattrs.entry(own).or_default();
        *count += 1;
        match *count {
            1 => self.plain_file(&path, bytes)?,
            MAX_LINKS.. => return self.plain_file(&link, bytes),
            _ => {}
        }
        let mut header = head(EntryType::Link, (0, 0, 0o644));
        self.target(&mut header, &path)?;
        let done = self.tar.append_data(&mut header, &link, empty());
        done.with_context(|| format!("cannot write the attributes of {checksum}"))
    }

    fn directory(&mut self, path: &str, meta: &DirMeta) -> Result<()> {
        let mut header = head(EntryType::Directory, (meta.uid, meta.gid, meta.mode));
        let done = self.tar.append_data(&mut header, path, empty());
        done.with_context(|| format!("cannot write the directory /{path}"))
    }

    fn plain_directory(&mut self, path: &str, mode: u32) -> Result<()> {
        let mut header = head(EntryType::Directory, (0, 0, mode));
        let done = self.tar.append_data(&mut header, path, empty());
        done.with_context(|| format!("cannot write the directory {path}"))
    }

    fn plain_file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut header = head(EntryType::Regular, (0, 0, 0o644));
        header.set_size(u64::try_from(bytes.len())?);
        let done = self.tar.append_data(&mut header, path, bytes);
        done.with_context(|| format!("cannot write {path}"))
    }

    /// Sets a link's target to the letter: `tar` itself would tidy `a//b`, and the object's checksum
    /// would not be the same. A long one goes before the entry, as GNU tar does.
    fn target(&mut self, header: &mut Header, target: &str) -> Result<()> {
        let mut short = target.as_bytes();
        if target.len() > MAX_TARGET {
            let mut long = head(EntryType::GNULongLink, (0, 0, 0o644));
            long.set_size(u64::try_from(target.len())? + 1);
            long.set_path("././@LongLink")?;
            long.set_cksum();
            self.tar.append(&long, [target.as_bytes(), b"\0"].concat().as_slice())?;
            short = short.get(..MAX_TARGET).unwrap_or_default();
        }
        header.set_link_name_literal(short).with_context(|| format!("the target {target:?}"))
    }
}

/// Returns where an object is.
fn object(checksum: Checksum, kind: &str) -> String {
    let hex = checksum.to_string();
    let (head, tail) = hex.split_at(2);
    format!("{REPO}/objects/{head}/{tail}.{kind}")
}

/// Returns where a path of the tree is in a container: /etc is not yet made from /usr/etc there.
fn place(path: &str) -> &str {
    match path.strip_prefix("usr/") {
        Some(below) if below == "etc" || below.starts_with("etc/") => below,
        _ => path,
    }
}

fn head(kind: EntryType, (uid, gid, mode): (u32, u32, u32)) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    header.set_mode(mode & !S_IFMT);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use nestos_formats::ostree::{FileHeader, Xattrs};

    use super::*;

    /// Puts what `make` creates into a repository, under the checksum it has for this user.
    fn add(
        repo: &Path,
        content: &[u8],
        xattrs: Xattrs,
        make: impl Fn(&Path) -> std::io::Result<()>,
    ) -> Checksum {
        let fresh = repo.join("fresh");
        make(&fresh).unwrap();
        let meta = fresh.symlink_metadata().unwrap();
        let header = match fs::read_link(&fresh) {
            Ok(target) => {
                let target = target.to_str().unwrap().to_owned();
                FileHeader::symlink(meta.uid(), meta.gid(), target, xattrs)
            }
            Err(_) => FileHeader::regular(meta.uid(), meta.gid(), meta.mode(), xattrs),
        };
        let checksum = header.checksum(content);
        let path = repo.join(object(checksum, "file").replace("sysroot/ostree/repo/", ""));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::rename(fresh, path).unwrap();
        checksum
    }

    fn stream_of(repo: &Path, files: &[(Checksum, File)]) -> Result<Vec<u8>> {
        let objects = Objects::of(repo);
        let mut stream = Stream::new(&objects, Vec::new());
        for (checksum, file) in files {
            stream.file(*checksum, file)?;
        }
        stream.finish()
    }

    /// Type, name, target and content of each entry.
    fn entries(bytes: &[u8]) -> Vec<(EntryType, String, String, Vec<u8>)> {
        let mut archive = tar::Archive::new(bytes);
        let read = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let target = entry.link_name_bytes().map(|b| text(&b)).unwrap_or_default();
            (entry.header().entry_type(), text(&entry.path_bytes()), target, content)
        });
        read.collect()
    }

    fn at(paths: &[&str]) -> File {
        File { size: 0, paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    #[test]
    fn an_object_follows_its_attributes_and_its_paths_follow_it() {
        let repo = tempfile::tempdir().unwrap();
        let xattrs = || Xattrs::new([("user.a", b"1".to_vec())]);
        let checksum = add(repo.path(), b"text", xattrs(), |path| {
            fs::write(path, "text")?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o4755))?;
            xattr::set(path, "user.a", b"1")
        });
        let bytes = stream_of(repo.path(), &[(checksum, at(&["usr/bin/a", "usr/etc/b"]))]).unwrap();
        let own = Checksum::of(&xattrs().to_bytes());
        let (object_path, attributes) = (object(checksum, "file"), object(own, "file-xattrs"));
        let none = String::new;
        let link = |name: &str| (EntryType::Link, name.to_owned(), object_path.clone(), vec![]);
        assert_eq!(
            entries(&bytes),
            [
                (EntryType::Regular, attributes.clone(), none(), xattrs().to_bytes()),
                (EntryType::Link, object(checksum, "file-xattrs-link"), attributes, vec![]),
                (EntryType::Regular, object_path.clone(), none(), b"text".to_vec()),
                link("usr/bin/a"),
                link("etc/b"),
            ]
        );
    }

    #[test]
    fn targets_of_links_stay_to_the_letter() {
        let repo = tempfile::tempdir().unwrap();
        for target in ["a", "../a//b", "./a/./b/", &"é".repeat(50), &"x/".repeat(120)] {
            let checksum = add(repo.path(), b"", Xattrs::default(), |path| symlink(target, path));
            let bytes = stream_of(repo.path(), &[(checksum, at(&["usr/l"]))]).unwrap();
            let entries = entries(&bytes);
            assert_eq!((entries[2].0, entries[2].2.as_str()), (EntryType::Symlink, target));
            assert_eq!((entries[3].0, &entries[3].2), (EntryType::Link, &entries[2].1));
        }
    }

    #[test]
    fn an_empty_file_is_not_shared() {
        let repo = tempfile::tempdir().unwrap();
        let checksum = add(repo.path(), b"", Xattrs::default(), |path| fs::write(path, ""));
        let bytes = stream_of(repo.path(), &[(checksum, at(&["usr/a"]))]).unwrap();
        assert_eq!(entries(&bytes)[3].0, EntryType::Regular);
    }

    #[test]
    fn a_damaged_object_ends_the_layer() {
        let repo = tempfile::tempdir().unwrap();
        let checksum = add(repo.path(), b"text", Xattrs::default(), |path| fs::write(path, "best"));
        let err = stream_of(repo.path(), &[(checksum, at(&["usr/a"]))]).unwrap_err();
        assert!(format!("{err:#}").contains("the repository is damaged"), "{err:#}");
    }
}
