//! Objects of an ostree repository in which files are stored as they are.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::Checksum;

/// The largest block that a file system may have.
const LARGEST_BLOCK: u64 = 64 * 1024;

/// The objects of a repository.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Returns the objects of the repository at `path`, such as `/ostree/repo`.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns the directory of all objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// Returns where a file is.
    pub(super) fn file(&self, object: Checksum) -> PathBuf {
        let hex = object.to_string();
        let (front, rest) = hex.split_at(2);
        self.objects().join(front).join(format!("{rest}.file"))
    }

    /// Fills `to` with the bytes of a file from byte `at` on. Mappings may end with the last block
    /// of a file, whose bytes behind the end of the file are zeros, as coreos-installer makes them.
    pub(super) fn read(&self, object: Checksum, at: u64, to: &mut [u8]) -> Result<()> {
        let path = self.file(object);
        let mut read = || -> Result<()> {
            let file = File::open(&path)?;
            let filled = fill_at(&file, at, to)?;
            if filled < to.len() {
                let blocks = file.metadata()?.len().next_multiple_of(LARGEST_BLOCK);
                if at + to.len() as u64 > blocks {
                    bail!("it ends too early");
                }
                to[filled..].fill(0);
            }
            Ok(())
        };
        read().with_context(|| format!("cannot read the object {}", path.display()))
    }
}

/// Fills `to` as far as the file goes, and returns how far that is.
fn fill_at(file: &File, at: u64, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match file.read_at(&mut to[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_rest_of_the_last_block_is_zeros_and_there_is_no_other_block() {
        let dir = tempfile::tempdir().unwrap();
        let (repository, object) = (Repository::at(dir.path()), Checksum([7; 32]));
        let path = repository.file(object);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"content").unwrap();
        let mut to = [1; 4096];
        repository.read(object, 3, &mut to[..4]).unwrap();
        assert_eq!(to[..5], *b"tent\x01");
        repository.read(object, 0, &mut to).unwrap();
        assert!(to.starts_with(b"content") && to[7..].iter().all(|byte| *byte == 0));
        to.fill(1);
        repository.read(object, 4096, &mut to).unwrap();
        assert_eq!(to, [0; 4096]);
        let err = repository.read(object, LARGEST_BLOCK, &mut to).unwrap_err();
        assert!(format!("{err:#}").ends_with(": it ends too early"), "{err:#}");
    }
}
