//! Objects of an ostree repository in which files are stored as they are.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::ostree::Checksum;

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

    /// Fills `to` with the bytes of a file from byte `at` on.
    pub(super) fn read(&self, object: Checksum, at: u64, to: &mut [u8]) -> Result<()> {
        let path = self.file(object);
        File::open(&path)
            .and_then(|file| file.read_exact_at(to, at))
            .map_err(|e| match e.kind() {
                ErrorKind::UnexpectedEof => anyhow!("it ends too early"),
                _ => e.into(),
            })
            .with_context(|| format!("cannot read the object {}", path.display()))
    }
}
