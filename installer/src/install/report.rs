//! The report of an installation, for programs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nestos_host::{atomic, term};
use serde::Serialize;

use super::plan::Plan;
use crate::trust::Vouched;

/// What became of an installation.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `planned` or `installed`.
    pub outcome: Outcome,
    /// What was going to happen.
    #[serde(flatten)]
    pub plan: Plan,
    /// Digest of the image as stored; known once it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// What vouched for the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vouched_by: Option<Vouched>,
    /// Whether what was written was read back and compared.
    pub verified_written: bool,
    /// Seconds that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// How far it came; a failed installation has no report but an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing was touched.
    Planned,
    /// The disk boots.
    Installed,
}

impl Report {
    /// Returns the disk.
    pub fn disk(&self) -> &Path {
        Path::new(&self.plan.disk.path)
    }

    /// Returns whether the disk is one: a file that stands for a disk has no sectors of its own.
    pub fn is_on_a_disk(&self) -> bool {
        self.plan.disk.sector_size.is_some()
    }

    /// Writes the report to where it was asked for.
    pub fn write(&self, to: Option<&PathBuf>) -> Result<()> {
        let Some(path) = to else { return Ok(()) };
        if path == Path::new("-") {
            // One line, because events may go there, too.
            term::result(serde_json::to_string(self)?);
            return Ok(());
        }
        let text = serde_json::to_string_pretty(self)?;
        atomic::write(path, (text + "\n").as_bytes(), 0o644)
    }
}
