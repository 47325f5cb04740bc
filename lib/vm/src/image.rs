//! Disk images: overlays and copies, made by qemu-img and cp.

use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use crate::arguments::Image;
use crate::machine::Format;

/// Makes a qcow2 overlay on `base`, which must not change as long as the overlay is used. With
/// `size` the guest sees a disk of that many bytes.
pub(crate) fn create_overlay(base: &Image, overlay: &Path, size: Option<u64>) -> Result<()> {
    let absolute = base
        .path
        .canonicalize()
        .with_context(|| format!("cannot find the disk image {}", base.path.display()))?;
    Cmd::new("qemu-img")
        .args(["create", "-q", "-f", Format::Qcow2.name(), "-F", base.format.name(), "-b"])
        .arg(absolute)
        .arg(overlay)
        .args(size.map(|bytes| bytes.to_string()))
        .when_missing("install qemu-utils (on openEuler qemu-img)")
        .run()
        .with_context(|| format!("cannot make an overlay on {}", base.path.display()))
}

/// Copies a file and keeps its holes.
pub(crate) fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    Cmd::new("cp")
        .args(["--sparse=always", "--reflink=auto", "--"])
        .args([from, to])
        .run()
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Moves a file, to another file system too.
pub(crate) fn move_file(from: &Path, to: &Path) -> Result<()> {
    Cmd::new("mv")
        .arg("--")
        .args([from, to])
        .run()
        .with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}
