//! Objects of a bare ostree repository, read as files. Everything is checked against its name: a
//! damaged cache must not end in an image. See `ostree-repo.c` of libostree for the layout.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::ostree::{Checksum, FileHeader, Xattrs};
use sha2::{Digest, Sha256};

/// The objects of a repository in bare mode.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    dir: PathBuf,
}

/// A file object: what it is, and how much content follows.
#[derive(Debug)]
pub(crate) struct FileObject {
    checksum: Checksum,
    path: PathBuf,
    /// Owner, mode, target and attributes.
    pub(crate) header: FileHeader,
    /// Bytes of content; 0 for a link.
    pub(crate) size: u64,
}

/// The content of a regular file; its end is an error when it is not what the checksum says.
#[derive(Debug)]
pub(crate) struct Content {
    file: std::io::Take<File>,
    hash: Sha256,
    expected: Checksum,
}

impl Objects {
    /// Opens the objects of the repository in `repo`.
    pub(crate) fn of(repo: &Path) -> Self {
        Self { dir: repo.join("objects") }
    }

    fn path(&self, checksum: Checksum, kind: &str) -> PathBuf {
        let hex = checksum.to_string();
        let (head, tail) = hex.split_at(2);
        self.dir.join(format!("{head}/{tail}.{kind}"))
    }

    /// Reads an object that is no file.
    pub(crate) fn metadata(&self, checksum: Checksum, kind: &str) -> Result<Vec<u8>> {
        let path = self.path(checksum, kind);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if Checksum::of(&bytes) != checksum {
            bail!("the repository is damaged: {} has other content", path.display());
        }
        Ok(bytes)
    }

    /// Reads what is attached to a commit, such as signatures.
    pub(crate) fn attached(&self, commit: Checksum) -> Result<Option<Vec<u8>>> {
        let path = self.path(commit, "commitmeta");
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Returns the size of a file object's content.
    pub(crate) fn size(&self, checksum: Checksum) -> Result<u64> {
        let path = self.path(checksum, "file");
        let meta =
            path.symlink_metadata().with_context(|| format!("cannot read {}", path.display()))?;
        Ok(if meta.is_symlink() { 0 } else { meta.len() })
    }

    /// Describes a file object. A link is checked here, a regular file by reading its content.
    pub(crate) fn file(&self, checksum: Checksum) -> Result<FileObject> {
        let path = self.path(checksum, "file");
        let read = || -> Result<(FileHeader, u64)> {
            let meta = path.symlink_metadata()?;
            let xattrs = xattrs_of(&path)?;
            if !meta.is_symlink() {
                let header = FileHeader::regular(meta.uid(), meta.gid(), meta.mode(), xattrs);
                return Ok((header, meta.len()));
            }
            let target = fs::read_link(&path)?;
            let target = target.to_str().ok_or_else(|| anyhow!("its target is not UTF-8"))?;
            Ok((FileHeader::symlink(meta.uid(), meta.gid(), target.to_owned(), xattrs), 0))
        };
        let (header, size) = read().with_context(|| format!("cannot read {}", path.display()))?;
        if header.is_symlink() && header.checksum(b"") != checksum {
            bail!("the repository is damaged: {} has other content", path.display());
        }
        Ok(FileObject { checksum, path, header, size })
    }
}

impl FileObject {
    /// Opens the content of a regular file.
    pub(crate) fn content(&self) -> Result<Content> {
        let file = File::open(&self.path);
        let file = file.with_context(|| format!("cannot read {}", self.path.display()))?;
        let hash = self.header.hasher();
        Ok(Content { file: file.take(self.size), hash, expected: self.checksum })
    }

    /// Reads the whole content of a regular file.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.content()?
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(bytes)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        if n > 0 {
            self.hash.update(buffer.get(..n).unwrap_or_default());
        } else if !buffer.is_empty() && self.hash.clone().finalize()[..] != self.expected.0 {
            return Err(std::io::Error::other(format!(
                "the repository is damaged: the file object {} has other content",
                self.expected
            )));
        }
        Ok(n)
    }
}

/// Returns all extended attributes of an object, as libostree counts them.
fn xattrs_of(path: &Path) -> Result<Xattrs> {
    let mut pairs = Vec::new();
    for name in xattr::list(path)? {
        let value = xattr::get(path, &name)?.unwrap_or_default();
        pairs.push((name.as_bytes().to_vec(), value));
    }
    Ok(Xattrs::new(pairs))
}
