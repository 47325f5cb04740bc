//! Digests of inputs: a step whose inputs have the digest of the last time is not done again.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects named inputs and gives their digest.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// Adds a value. Name and value are length-prefixed, so that no two lists of inputs agree.
    pub(crate) fn value(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds a file's content.
    pub(crate) fn file(&mut self, name: &str, path: &Path) -> Result<&mut Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(self.value(name, bytes))
    }

    /// Adds a directory: names, kinds, permission bits, owners, contents. A missing one counts as
    /// empty.
    pub(crate) fn tree(&mut self, name: &str, dir: &Path) -> Result<&mut Self> {
        self.value("tree", name);
        if dir.is_dir() {
            self.directory(dir, Path::new(""))?;
        }
        Ok(self)
    }

    /// Returns the digest as lower-case hex.
    pub(crate) fn hex(&self) -> String {
        format!("{:x}", self.0.clone().finalize())
    }

    fn directory(&mut self, dir: &Path, inside: &Path) -> Result<()> {
        let list = || -> std::io::Result<Vec<_>> {
            let mut names = fs::read_dir(dir)?
                .map(|entry| entry.map(|e| e.file_name()))
                .collect::<std::io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names)
        };
        for name in list().with_context(|| format!("cannot list {}", dir.display()))? {
            let path = dir.join(&name);
            let inside = inside.join(&name);
            let meta = path
                .symlink_metadata()
                .with_context(|| format!("cannot examine {}", path.display()))?;
            let facts = format!("{:o} {} {}", meta.permissions().mode(), meta.uid(), meta.gid());
            self.value(&inside.to_string_lossy(), facts);
            if meta.is_dir() {
                self.directory(&path, &inside)?;
            } else if meta.is_symlink() {
                let target = fs::read_link(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                self.value("link", target.to_string_lossy().as_bytes());
            } else if meta.is_file() {
                self.file("file", &path)?;
            }
        }
        Ok(())
    }
}

/// Returns the SHA-256 of a file as lower-case hex.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok(format!("{:x}", hash.finalize()));
            }
            hash.update(&buffer[..n]);
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(dir: &Path) -> String {
        Inputs::default().tree("t", dir).unwrap().hex()
    }

    #[test]
    fn a_tree_digest_sees_content_mode_and_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        let first = digest(dir.path());
        assert_eq!(first, digest(dir.path()));
        fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        let second = digest(dir.path());
        fs::write(dir.path().join("a"), "2").unwrap();
        let third = digest(dir.path());
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        let all = [first, second, third, digest(dir.path())];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn boundaries_between_values_count() {
        let one = Inputs::default().value("a", "bc").hex();
        assert_ne!(one, Inputs::default().value("ab", "c").hex());
    }
}
