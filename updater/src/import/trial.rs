//! The importer's parsers one at a time, for programs that try them with arbitrary bytes.

use std::path::Path;

use anyhow::Result;

use super::derived_layer::{self, Outside, Rules, Var};
use super::object_layer::{self, Holds};
use super::plan::Plan;
use super::staging::{Kind, Staging};
use super::tree;

/// A place to stage objects, without a repository that they are published to.
#[derive(Debug)]
pub struct Trial(Staging);

impl Trial {
    /// Stages below an existing folder.
    pub fn open(dir: &Path) -> Result<Self> {
        for sub in ["tmp", "objects"] {
            std::fs::create_dir_all(dir.join(sub))?;
        }
        Staging::open(dir, 0).map(Self)
    }

    /// Reads a layer of objects, that with the commit or another; returns how many files it held.
    pub fn object_layer(&self, mut stream: &[u8]) -> Result<usize> {
        let copy = stream;
        let files = object_layer::import(&mut stream, Holds::Files, &self.0).map(|f| f.files.len());
        let found = object_layer::import(&mut { copy }, Holds::Commit, &self.0)?;
        if let Some(commit) = found.commit {
            let commit = nestos_formats::ostree::Commit::parse(&commit)?;
            tree::check_complete(&self.0, &commit.root, &commit.root_meta)?;
            tree::kernels(&self.0, &commit.root)?;
        }
        Ok(files.unwrap_or(found.files.len()))
    }

    /// Reads a derived layer and lays it over itself; returns whether that changed anything.
    pub fn derived_layer(&self, mut stream: &[u8]) -> Result<bool> {
        let rules = Rules { outside: Outside::Kept, var: Var::Factory };
        let layer = derived_layer::import(&mut stream, rules, &self.0)?;
        tree::check_complete(&self.0, &layer.root, &layer.meta)?;
        let mut once = tree::Dir::empty(&self.0)?;
        once.apply(&self.0, &layer.root)?;
        let merged = once.store(&self.0)?;
        self.0.read(Kind::DirTree, &merged.0)?;
        once.apply(&self.0, &layer.root)?;
        Ok(once.store(&self.0)? != merged)
    }

    /// Removes what is staged.
    pub fn discard(self) -> Result<()> {
        self.0.discard()
    }
}

/// Understands a manifest and its config; returns how many layers they name.
pub fn plan(manifest: &[u8], config: &[u8]) -> Result<usize> {
    let plan = Plan::new(String::new(), manifest, config, "amd64")?;
    for layer in plan.layers() {
        layer.compression()?;
    }
    Ok(plan.layers().count())
}
