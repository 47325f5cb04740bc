//! The option files of customised media: `/etc/nestos/installer.d`, and the directory of the same
//! name that media of the ancestors write.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::yaml;

use super::arguments;

const DIRECTORIES: [&str; 2] = ["etc/nestos/installer.d", "etc/coreos/installer.d"];

/// The option files, by name.
#[derive(Debug, Default)]
pub(crate) struct OptionFiles {
    paths: Vec<PathBuf>,
    keys: Vec<String>,
    network: bool,
}

impl OptionFiles {
    /// Looks for the files of the system at `root`; what the installer cannot read is reported by
    /// the installer.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for dir in DIRECTORIES.map(|dir| root.join(dir)) {
            match fs::read_dir(&dir) {
                Ok(entries) => paths.extend(entries.flatten().map(|e| e.path())),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e).with_context(|| format!("cannot read {}", dir.display())),
            }
        }
        paths.retain(|path| path.is_file() && !is_hidden(path));
        paths.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        let mut files = Self { paths, ..Self::default() };
        for path in files.paths.clone() {
            files.look_at(&fs::read(path).unwrap_or_default());
        }
        Ok(files)
    }

    /// Returns the files, by name.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Returns whether a file has an option.
    pub(crate) fn have(&self, option: &str) -> bool {
        self.keys.iter().any(|key| key == option)
    }

    /// Returns whether a file asks for something from the network.
    pub(crate) fn need_network(&self) -> bool {
        self.network
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let Ok(root) = yaml::parse(bytes) else { return };
        for (key, value) in root.entries().into_iter().flatten() {
            let Some(key) = key.key_text() else { continue };
            let items = value.items().into_iter().flatten().filter_map(|item| item.as_str());
            let mut texts = items.chain(value.as_str());
            self.network |= texts.any(|text| arguments::from_network(key, text));
            self.keys.push(key.to_owned());
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Removes the option files, so that no system that keeps its /etc installs again.
pub(crate) fn remove(root: &Path) -> Result<()> {
    for dir in DIRECTORIES.map(|dir| root.join(dir)) {
        match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", dir.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn files_are_in_the_order_of_their_names_wherever_they_are() {
        let root = root(&[
            ("etc/nestos/installer.d/0001-b.yaml", "dest-device: /dev/vda\n"),
            ("etc/coreos/installer.d/0000-a.yaml", "copy-network: true\n"),
            ("etc/nestos/installer.d/.hidden", "stream: next\n"),
        ]);
        let files = OptionFiles::read(root.path()).unwrap();
        let names: Vec<_> = files.paths().iter().map(|p| p.file_name().unwrap()).collect();
        assert_eq!(names, ["0000-a.yaml", "0001-b.yaml"]);
        assert!(files.have("dest-device") && !files.have("stream") && !files.need_network());
        remove(root.path()).unwrap();
        remove(root.path()).unwrap();
        assert!(OptionFiles::read(root.path()).unwrap().paths().is_empty());
    }

    #[test]
    fn only_what_is_fetched_needs_the_network() {
        for (text, expected) in [
            ("stream: stable\n", true),
            ("ignition-url: https://h/a\n", true),
            ("image-url: http://h/a\n", true),
            ("ignition-file: [/a.ign, http://h/b.ign]\n", true),
            ("ignition-file: /etc/nestos/dest.ign\n", false),
            ("append-karg: [proxy=http://h]\n", false),
            ("broken: [", false),
        ] {
            let root = root(&[("etc/nestos/installer.d/a", text)]);
            let files = OptionFiles::read(root.path()).unwrap();
            assert_eq!(files.need_network(), expected, "{text}");
        }
    }
}
