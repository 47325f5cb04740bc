//! The installer as a program that packs: descriptions of images, and the minimal ISO in the full
//! one. It is the one of the same release, beside this program, or else the one in `PATH`.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use super::Effort;

const NAME: &str = "nestos-installer";

/// The program.
#[derive(Debug)]
pub(crate) struct Installer(OsString);

impl Installer {
    /// Finds it.
    pub(crate) fn find() -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(NAME)));
        Self(beside.filter(|path| path.is_file()).map_or_else(|| NAME.into(), Into::into))
    }

    /// Returns whether it has `pack minimal-iso`.
    pub(crate) fn packs_minimal_iso(&self) -> Result<bool> {
        Ok(self.pack("minimal-iso").arg("--help").finish()?.status.success())
    }

    /// Writes to `out` what is needed to make `image` again from the files of its root.
    pub(crate) fn pack_osmet(
        &self,
        image: &Path,
        sha256: &str,
        effort: Effort,
        out: &Path,
    ) -> Result<()> {
        let name = image.file_name().unwrap_or_default();
        self.pack("osmet")
            .args(["--checksum", sha256, "--description"])
            .arg(name)
            .args(match effort {
                Effort::Fast => &["--fast"][..],
                Effort::Thorough => &[],
            })
            .arg("--output")
            .arg(out)
            .arg(image)
            .run()
            .with_context(|| format!("cannot describe {}", image.display()))
    }

    /// Stores in `full` what makes `minimal` of it, and removes `minimal`.
    pub(crate) fn pack_minimal_iso(&self, full: &Path, minimal: &Path) -> Result<()> {
        self.pack("minimal-iso")
            .arg("--consume")
            .args([full, minimal])
            .run()
            .with_context(|| format!("cannot pack the minimal ISO into {}", full.display()))
    }

    fn pack(&self, what: &str) -> Cmd {
        Cmd::new(&self.0)
            .when_missing("put nestos-installer of the same release beside nosa, or into PATH")
            .args(["pack", what])
    }
}
