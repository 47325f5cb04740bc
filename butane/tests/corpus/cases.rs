//! The cases, unpacked once for each archive.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nestos_host::cmd::Cmd;

/// Where other cases than the ones of this repository are.
const ELSEWHERE: &str = "NESTOS_BUTANE_CORPUS";

/// A config, and what the reference compiler made of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The name of its folder.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Its options.
    pub(crate) args: Vec<String>,
    /// The exit status.
    pub(crate) code: i32,
    meta: serde_json::Value,
}

impl Case {
    fn read(dir: PathBuf) -> Self {
        let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        let meta = serde_json::from_str(&text("meta.json")).unwrap();
        let args = text("args").lines().map(str::to_owned).collect();
        let code = text("expected.code").trim().parse().unwrap();
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        Self { name, args, code, meta, dir }
    }

    /// Returns one of its files.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join(name)).unwrap_or_else(|e| panic!("{}/{name}: {e}", self.name))
    }

    /// Returns the config.
    pub(crate) fn input(&self) -> Vec<u8> {
        self.file("input.bu")
    }

    /// Returns the directory that `local:` names are relative to, if its options name one.
    pub(crate) fn files_dir(&self) -> Option<PathBuf> {
        let named = self.args.iter().position(|arg| matches!(arg.as_str(), "-d" | "--files-dir"));
        named.map(|n| self.dir.join(&self.args[n + 1]))
    }

    /// Returns a word that the case is described by.
    pub(crate) fn meta(&self, key: &str) -> &serde_json::Value {
        &self.meta[key]
    }
}

/// Returns all cases.
pub(crate) fn all() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let entries = fs::read_dir(folder().join("cases")).unwrap();
        let mut cases: Vec<Case> = entries.map(|e| Case::read(e.unwrap().path())).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!cases.is_empty(), "the corpus has no cases");
        cases
    })
}

fn folder() -> PathBuf {
    match std::env::var_os(ELSEWHERE).map(PathBuf::from) {
        Some(folder) if folder.is_dir() => folder,
        Some(archive) => unpacked(&archive),
        None => {
            unpacked(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/cases.tar.zst")))
        }
    }
}

/// Unpacks an archive, unless a run before this one did. Tests that run at the same time may both
/// do it; the folder appears at once, whole.
fn unpacked(archive: &Path) -> PathBuf {
    let bytes = fs::read(archive).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut key = DefaultHasher::new();
    key.write(&bytes);
    let folder = parent.join(format!("corpus-{:016x}", key.finish()));
    if !folder.exists() {
        let fresh = tempfile::tempdir_in(parent).unwrap();
        let plain = zstd::Decoder::new(bytes.as_slice()).unwrap();
        tar::Archive::new(plain).unpack(fresh.path()).unwrap();
        for entry in fs::read_dir(fresh.path().join("cases")).unwrap() {
            let dir = entry.unwrap().path();
            if dir.join("setup.sh").exists() {
                Cmd::new("sh").arg("setup.sh").cwd(dir).run().unwrap();
            }
        }
        if let Err(e) = fs::rename(fresh.path(), &folder) {
            assert!(folder.exists(), "{}: {e}", folder.display());
        }
    }
    folder
}
