//! Packages: resolving a request to exact files (a lock), and installing a lock into a directory.
//! The back end is chosen by the repository files beside the manifest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::digest::Inputs;

mod apt;
mod mirror;
mod mmdebstrap;
mod sources;

pub(crate) use mirror::Mirror;

/// Changes when the way packages are installed changes, so that old results are not reused.
const GENERATION: &str = "1";

/// One package, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LockedPackage {
    /// Name.
    pub(crate) name: String,
    /// Version.
    pub(crate) version: String,
    /// File name in the package cache.
    pub(crate) file: String,
    /// SHA-256 of the file, lower-case hex.
    pub(crate) sha256: String,
}

/// The result of resolving a request: the same lock installs the same files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// Digest of the request.
    pub(crate) request: String,
    /// The packages, sorted.
    pub(crate) packages: Vec<LockedPackage>,
}

impl Lock {
    /// Returns the digest of what is installed.
    pub(crate) fn digest(&self, request: &Request) -> String {
        let mut inputs = Inputs::default();
        inputs.value("generation", GENERATION).value("request", request.digest());
        for p in &self.packages {
            inputs.value(&p.name, &p.sha256);
        }
        inputs.hex()
    }

    /// Reads a lock; `None` when there is none.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let lock = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged; run nosa fetch", path.display()))?;
        Ok(Some(lock))
    }
}

/// What to install and where it may come from.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    arch: Arch,
    sources: Vec<sources::Source>,
    packages: Vec<String>,
    exclude: Vec<String>,
    recommends: bool,
    documentation: bool,
}

impl Request {
    /// Derives the request from a config, with `mirror` filled in where a source names none.
    pub(crate) fn new(config: &Config, arch: Arch, mirror: &Mirror) -> Result<Self> {
        let m = &config.manifest;
        Ok(Self {
            arch,
            sources: read_sources(&config.dir, mirror)?,
            packages: m.packages.iter().cloned().collect(),
            exclude: m.exclude_packages.iter().cloned().collect(),
            recommends: m.recommends,
            documentation: m.documentation,
        })
    }

    /// Asks for tools that the builder runs and that do not go into the image, from the repository
    /// files in `dir`.
    pub(crate) fn tools(dir: &Path, names: &[&str], arch: Arch, mirror: &Mirror) -> Result<Self> {
        Ok(Self {
            arch,
            sources: read_sources(dir, mirror)?,
            packages: names.iter().map(|&name| name.to_owned()).collect(),
            exclude: Vec::new(),
            recommends: false,
            documentation: false,
        })
    }

    /// Returns the digest of the request. Where the packages come from does not belong to it, what
    /// they are does: another mirror of the same suite changes nothing.
    pub(crate) fn digest(&self) -> String {
        let mut inputs = Inputs::default();
        inputs.value("arch", self.arch.to_string());
        for source in &self.sources {
            inputs.value("suites", source.suites.join(" "));
            inputs.value("components", source.components.join(" "));
        }
        for package in &self.packages {
            inputs.value("package", package);
        }
        for package in &self.exclude {
            inputs.value("exclude", package);
        }
        inputs.value("flags", format!("{} {}", self.recommends, self.documentation));
        inputs.hex()
    }
}

fn read_sources(dir: &Path, mirror: &Mirror) -> Result<Vec<sources::Source>> {
    let mut all = Vec::new();
    for file in repository_files(dir)? {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let read = sources::parse(&text, || mirror.url())
            .with_context(|| format!("reading {}", file.display()))?;
        all.extend(read);
    }
    Ok(all)
}

/// Finds the repository files and with them the back end.
fn repository_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut apt = Vec::new();
    let mut dnf = Vec::new();
    for entry in list {
        let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some("sources") => apt.push(path),
            Some("repo") => dnf.push(path),
            _ => {}
        }
    }
    apt.sort();
    match (apt.is_empty(), dnf.is_empty()) {
        (false, true) => Ok(apt),
        (true, false) => Err(anyhow!(
            "{} has *.repo files; installing from RPM repositories (dnf) is not supported yet",
            dir.display()
        )),
        (true, true) => bail!(
            "{} has no repository file: *.sources (deb822) or *.repo beside manifest.yaml",
            dir.display()
        ),
        (false, false) => bail!(
            "{} has both *.sources and *.repo files; one kind of repository per config",
            dir.display()
        ),
    }
}

/// Resolves the request against the repositories, downloads what is missing into `cache` and
/// returns the lock.
pub(crate) fn fetch(request: &Request, cache: &Path) -> Result<Lock> {
    apt::fetch(request, cache)
}

/// Installs a lock into the new directory `root`, from `cache` alone.
pub(crate) fn install(request: &Request, lock: &Lock, cache: &Path, root: &Path) -> Result<()> {
    mmdebstrap::install(request, lock, cache, root)
}

/// Returns the size of the package files of a lock; one that is missing counts nothing.
pub(crate) fn bytes(lock: &Lock, cache: &Path) -> u64 {
    let files = lock.packages.iter().map(|p| apt::archives(cache).join(&p.file));
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

/// Returns the absolute paths of the files that an installed package brought.
pub(crate) fn files_of(root: &Path, package: &str) -> Result<Vec<String>> {
    mmdebstrap::files_of(root, package)
}
