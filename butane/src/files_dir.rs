//! Reads files that a config names, and nothing outside the directory the user gave.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The directory that `local:` names are relative to.
#[derive(Debug, Clone)]
pub(crate) struct FilesDir(Option<PathBuf>);

/// What is said where a local file is named and there is no directory to look in.
pub(crate) const NOT_GIVEN: &str = "local file paths are relative to a files directory that must be \
                         specified with -d/--files-dir";
const ESCAPES: &str = "local file path traverses outside the files directory";

impl FilesDir {
    pub(crate) fn new(dir: Option<&Path>) -> Self {
        Self(dir.map(Path::to_owned))
    }

    /// Returns whether no directory was given.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the file of a local name, unless it would lie outside. Symbolic links count: where
    /// they lead must be inside too.
    pub(crate) fn resolve(&self, local: &str) -> Result<PathBuf, String> {
        let base = self.0.as_deref().ok_or(NOT_GIVEN)?;
        let joined = clean(&base.join(local.trim_start_matches('/')));
        let (inside, base_lexical) = (absolute(&joined)?, absolute(&clean(base))?);
        if !inside.starts_with(&base_lexical) {
            return Err(ESCAPES.to_owned());
        }
        // A path that does not exist is left to whoever opens it.
        if let (Ok(real), Ok(real_base)) = (joined.canonicalize(), base.canonicalize())
            && !real.starts_with(real_base)
        {
            return Err(ESCAPES.to_owned());
        }
        Ok(joined)
    }

    /// Reads the file of a local name, which must hold text.
    pub(crate) fn read_text(&self, local: &str) -> Result<String, String> {
        let text = String::from_utf8(self.read(local)?);
        text.map_err(|e| format!("{local} is not UTF-8: {}", e.utf8_error()))
    }

    /// Reads the file of a local name.
    pub(crate) fn read(&self, local: &str) -> Result<Vec<u8>, String> {
        read(&self.resolve(local)?)
    }
}

/// Reads a file; errors are worded as the reference compiler's.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|e| format!("open {shown}: {}", reason(&e)))?;
    if meta.is_dir() {
        return Err(format!("read {shown}: is a directory"));
    }
    if !meta.is_file() {
        // Reading a pipe or a device may never end.
        return Err(format!("read {shown}: not a regular file"));
    }
    fs::read(path).map_err(|e| format!("open {shown}: {}", reason(&e)))
}

/// Returns the text of a system error without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(path);
    absolute.map(|p| clean(&p)).map_err(|e| format!("{}: {}", path.display(), reason(&e)))
}

/// Resolves `.` and `..` by name only.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => {
                    out.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => out.push(".."),
            },
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, FilesDir) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("files/sub")).unwrap();
        fs::write(dir.path().join("files/f"), "inside").unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        fs::create_dir(dir.path().join("files2")).unwrap();
        std::os::unix::fs::symlink("../secret", dir.path().join("files/out")).unwrap();
        std::os::unix::fs::symlink("f", dir.path().join("files/in")).unwrap();
        let files = FilesDir::new(Some(&dir.path().join("files")));
        (dir, files)
    }

    #[test]
    fn names_inside_are_read_also_through_links() {
        let (_dir, files) = tree();
        for name in ["f", "/f", "./f", "sub/../f", "../files/f", "in"] {
            assert_eq!(files.read(name).unwrap(), b"inside", "{name}");
        }
    }

    #[test]
    fn names_that_lead_outside_are_refused() {
        let (_dir, files) = tree();
        for name in ["../secret", "../files2/x", "sub/../../secret", "out"] {
            assert_eq!(files.read(name).unwrap_err(), ESCAPES, "{name}");
        }
        assert_eq!(FilesDir::new(None).read("f").unwrap_err(), NOT_GIVEN);
    }

    #[test]
    fn failures_name_the_file_and_the_reason() {
        let (dir, files) = tree();
        assert!(files.read("nope").unwrap_err().ends_with("nope: no such file or directory"));
        assert!(files.read("sub").unwrap_err().ends_with("sub: is a directory"));
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("files/s")).unwrap();
        assert!(files.read("s").unwrap_err().ends_with("s: not a regular file"));
    }
}
