//! The config folder (shaped like nestos-config): manifest.yaml, image.yaml, platforms.yaml,
//! overlay.d, repository files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nestos_formats::disk_layout::Arch;
use nestos_formats::platforms::Platforms;

pub(crate) mod image;
pub(crate) mod manifest;
pub(crate) mod platforms;
pub(crate) mod reader;

use image::ImageConfig;
use manifest::Manifest;

/// Everything the config folder says.
#[derive(Debug)]
pub(crate) struct Config {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// What goes into the root file system.
    pub(crate) manifest: Manifest,
    /// How disk images are made.
    pub(crate) image: ImageConfig,
    /// Console settings.
    pub(crate) platforms: Platforms,
}

impl Config {
    /// Reads the folder for `arch`.
    pub(crate) fn load(dir: &Path, arch: Arch) -> Result<Self> {
        crate::init::check_config(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            manifest: manifest::load(&dir.join("manifest.yaml"), arch)?,
            image: image::load(&dir.join("image.yaml"))?,
            platforms: platforms::load(&dir.join("platforms.yaml"), arch)?,
        })
    }
}
