//! A machine made of files below a directory, for tests.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::disk_use::Sources;

/// Makes a machine with these files.
pub(crate) fn machine(files: &[(&str, &str)]) -> (TempDir, Sources) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sources = Sources::at(dir.path());
    (dir, sources)
}

/// Makes a symbolic link, and the directory it is in.
pub(crate) fn link(root: &Path, at: &str, target: &str) {
    let at = root.join(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, at).unwrap();
}
