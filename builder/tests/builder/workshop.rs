//! A working directory with a config for one test, and the built nosa at work in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nestos_host::cmd::Cmd;
use nestos_host::term;
use tempfile::TempDir;

use crate::distribution::{self, Distribution};

/// A manifest that the tiny distribution satisfies.
pub(crate) const MANIFEST: &str = "rojig: {name: tiny, summary: tiny}\nref: tiny/stable\n\
    automatic-version-prefix: '1'\npackages:\n  - tiny-boot tiny-app\n";

/// Metadata of a build whose commit is gone.
pub(crate) const META: &str = r#"{"buildid": "1.0", "name": "tiny", "ostree-commit": "c",
    "ostree-content-checksum": "c", "ostree-timestamp": "2026-01-01T00:00:00Z",
    "ostree-version": "1.0", "rpm-ostree-inputhash": "h"}"#;

/// A config folder and a working directory.
#[derive(Debug)]
pub(crate) struct Workshop {
    dir: TempDir,
}

/// How a run of nosa ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    code: Option<i32>,
    /// What it printed as result.
    pub(crate) stdout: String,
    /// Everything else it printed.
    pub(crate) stderr: String,
}

impl Workshop {
    /// Makes a config that can be read and names packages of nowhere.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let workshop = Self { dir };
        workshop.config("manifest.yaml", MANIFEST);
        workshop.config("image.yaml", "size: 3\n");
        workshop.config("a.sources", "Types: deb\nSuites: test\nComponents: main\n");
        workshop
    }

    /// Makes a config that can be built; `None` on a host that cannot.
    pub(crate) fn of_packages() -> Option<Self> {
        let distribution = Distribution::get()?;
        let workshop = Self::new();
        workshop.config("a.sources", &distribution.sources());
        workshop.init();
        Some(workshop)
    }

    /// Writes a file of the config folder.
    pub(crate) fn config(&self, name: &str, text: &str) {
        distribution::file(&self.path("config"), name, text, 0o644);
    }

    /// Removes a file of the config folder.
    pub(crate) fn without(&self, name: &str) {
        fs::remove_file(self.path("config").join(name)).unwrap();
    }

    /// Appends to the manifest.
    pub(crate) fn manifest(&self, more: &str) {
        self.config("manifest.yaml", &format!("{MANIFEST}{more}"));
    }

    /// Makes the working directory one.
    pub(crate) fn init(&self) {
        let config = self.path("config");
        self.nosa(&["init", config.to_str().unwrap()]).done();
    }

    /// Returns a path beside the config and the working directory.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// Returns a path in the working directory.
    pub(crate) fn work(&self, inside: &str) -> PathBuf {
        self.path("work").join(inside)
    }

    /// Runs nosa in the working directory.
    pub(crate) fn nosa(&self, args: &[&str]) -> Outcome {
        nosa_in(&self.path("work"), args)
    }

    /// Starts nosa in the working directory, what it prints goes nowhere.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let null = Stdio::null;
        command(&self.path("work"), args).spawn(null(), null(), null()).unwrap()
    }

    /// Returns the ids of the folders below builds/.
    pub(crate) fn builds(&self) -> Vec<String> {
        let mut names = self.names("builds");
        names.retain(|name| name != "builds.json" && name != "latest");
        names
    }

    /// Returns the sorted names in a folder of the working directory.
    pub(crate) fn names(&self, inside: &str) -> Vec<String> {
        let list = fs::read_dir(self.work(inside)).unwrap();
        let mut names: Vec<String> =
            list.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns the folder of a build.
    pub(crate) fn build_dir(&self, id: &str) -> PathBuf {
        self.work("builds").join(id).join(std::env::consts::ARCH)
    }

    /// Runs an ostree command on the latest commit.
    pub(crate) fn ostree(&self, command: &str, args: &[&str]) -> String {
        let meta = fs::read(self.build_dir("latest").join("meta.json")).unwrap();
        let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
        Cmd::new("ostree")
            .arg(command)
            .arg(format!("--repo={}", self.work("cache/repo").display()))
            .arg(meta["ostree-commit"].as_str().unwrap())
            .args(args)
            .output()
            .unwrap()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // A deployment left by a failed build is immutable.
        drop(Cmd::new("chattr").args(["-R", "-f", "-i"]).arg(self.dir.path()).finish());
    }
}

impl Outcome {
    /// Requires success and returns stderr.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stderr
    }

    /// Requires one error with exit status 1 that says all of `parts`.
    #[track_caller]
    pub(crate) fn fails_with(self, parts: &[&str]) {
        let text = &self.stderr;
        assert_eq!(self.code, Some(1), "{text}");
        let errors = text.lines().filter(|l| l.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

/// Runs nosa in a directory.
pub(crate) fn nosa_in(dir: &Path, args: &[&str]) -> Outcome {
    outcome(command(dir, args))
}

/// Runs a program to its end.
pub(crate) fn outcome(program: Cmd) -> Outcome {
    let done = program.finish().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: done.status.code(), stdout: text(&done.stdout), stderr: text(&done.stderr) }
}

fn command(dir: &Path, args: &[&str]) -> Cmd {
    Cmd::new(env!("CARGO_BIN_EXE_nosa")).arg("-C").arg(dir).args(args)
}

/// Returns whether this is root.
pub(crate) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Says that a test did not run.
pub(crate) fn skip(why: &str) {
    term::warning(format!("TEST SKIPPED: {why}"));
}
