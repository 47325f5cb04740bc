//! The live system's Ignition config: `/config.ign` in the initramfs, from the area in the ISO or
//! from an archive that the boot loader appended.

use std::path::Path;

use anyhow::Result;
use nestos_formats::live_media;

use crate::user_config;

/// Hands the config to Ignition, if there is one.
pub(crate) fn set_up() -> Result<()> {
    user_config::copy(&Path::new("/").join(live_media::CONFIG))
}
