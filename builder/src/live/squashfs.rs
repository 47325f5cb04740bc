//! The root of the live system: what a metal image has in its root and boot partitions, in one
//! compressed file. The ostree repository shares its files with the deployment by hard links, which
//! stay links. The host's mksquashfs makes it: every kernel reads its format alike.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use super::Effort;
use crate::chroot::confined;

/// Makes the tree read-only for the command that follows. mksquashfs takes two names for links of
/// one file only while all of its times stay what they were, and reading a symbolic link sets one.
const UNTOUCHED: &str = r#"
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro,noatime "$1"
shift
exec "$@"
"#;

/// Larger blocks compress better and take longer to read one file from.
const BLOCK: &str = "131072";

/// Makes the file `root.squashfs` in `work`.
pub(crate) fn make(root: &Path, work: &Path, effort: Effort) -> Result<PathBuf> {
    let file = work.join("root.squashfs");
    let level = match effort {
        Effort::Fast => "3",
        Effort::Thorough => "15",
    };
    require()?;
    confined(&["--net"])
        .named("mksquashfs")
        .args(["sh", "-c", UNTOUCHED, "nosa"])
        .arg(root)
        .arg("mksquashfs")
        .arg(root)
        .arg(&file)
        .args(["-comp", "zstd", "-Xcompression-level", level, "-b", BLOCK])
        .args(["-mkfs-time", "0", "-all-time", "0", "-noappend", "-no-progress", "-quiet"])
        .run()
        .with_context(|| format!("cannot make {}", file.display()))?;
    Ok(file)
}

/// Fails with advice where the program is missing, which the shell cannot give.
fn require() -> Result<()> {
    let asked = Cmd::new("mksquashfs").when_missing("install the package squashfs-tools");
    asked.arg("-version").finish().map(drop)
}
