//! The root of the live system: what a metal image has in its root and boot partitions, in one
//! compressed file. The ostree repository shares its files with the deployment by hard links, which
//! stay links. The host's mksquashfs makes it: every kernel reads its format alike.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use super::Effort;

/// Larger blocks compress better and take longer to read one file from.
const BLOCK: &str = "131072";

/// Makes the file `root.squashfs` in `work`.
pub(crate) fn make(root: &Path, work: &Path, effort: Effort) -> Result<PathBuf> {
    let file = work.join("root.squashfs");
    let level = match effort {
        Effort::Fast => "3",
        Effort::Thorough => "15",
    };
    Cmd::new("mksquashfs")
        .when_missing("install the package squashfs-tools")
        .arg(root)
        .arg(&file)
        .args(["-comp", "zstd", "-Xcompression-level", level, "-b", BLOCK])
        .args(["-mkfs-time", "0", "-all-time", "0", "-noappend", "-no-progress", "-quiet"])
        .run()
        .with_context(|| format!("cannot make {}", file.display()))?;
    Ok(file)
}
