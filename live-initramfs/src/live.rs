//! The live system: started from an ISO, from a USB stick or over the network, with its root file
//! system in a squashfs and everything writable in RAM. See docs/boot.md.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::command_line::CommandLine;
use nestos_formats::live_media::Flavour;

use source::{Appended, Source};

pub(crate) mod command_line;
pub(crate) mod config;
pub(crate) mod generator;
pub(crate) mod init;
mod iso;
mod osmet;
mod ram;
mod remote;
pub(crate) mod rootfs;
mod source;
pub(crate) mod state;
mod tftp;

/// Its existence tells the real root that it is a live one.
const MARK: &str = "run/ostree-live";
/// What is kept for the real root.
pub(crate) const RUN: &str = "/run/nestos";

/// What the stamp in a live initramfs says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Whose names it uses.
    pub(crate) flavour: Flavour,
    /// The build that kernel, initramfs and rootfs must be of.
    pub(crate) build: String,
}

/// Returns whether this is a live system, in its initramfs or in its real root.
pub(crate) fn is_live(root: &Path) -> Result<bool> {
    Ok(root.join(MARK).exists() || Image::find(root)?.is_some())
}

impl Image {
    /// Looks below `root` for the stamp; an initramfs without one boots a disk.
    pub(crate) fn find(root: &Path) -> Result<Option<Self>> {
        for flavour in Flavour::ALL {
            let path = root.join(flavour.initrd_stamp());
            if path.exists() {
                let build = fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                return Ok(Some(Self { flavour, build: build.trim().to_owned() }));
            }
        }
        Ok(None)
    }

    /// Returns the image that this initramfs is of.
    pub(crate) fn own() -> Result<Self> {
        match Self::find(Path::new("/"))? {
            Some(image) => Ok(image),
            None => bail!("this is no initramfs of a live system: it has no stamp in /etc"),
        }
    }

    /// Fails when a root file system is of another build.
    pub(crate) fn check_rootfs(&self, stamp: Option<&str>, place: &str) -> Result<()> {
        let Some(stamp) = stamp.map(str::trim) else {
            bail!("{place} does not say of which build it is: it is no rootfs of a live system");
        };
        if stamp == self.build {
            return Ok(());
        }
        Err(anyhow::anyhow!(
            "{place} is of build {stamp}, but kernel and initramfs are of build {}",
            self.build
        ))
        .context(nestos_host::term::Hint::new(
            "take kernel, initramfs and rootfs of one and the same build",
        ))
        .context("cannot start this root file system")
    }
}

/// Returns whether the root file system of this boot comes over the network.
pub(crate) fn source_is_remote(line: &CommandLine) -> bool {
    let live = Image::find(Path::new("/")).is_ok_and(|image| image.is_some());
    live && matches!(Source::of(line, Appended::look()), Source::Url(_))
}

/// Returns the path of a stamp or another file that exists in one of the flavours.
fn existing(name: impl Fn(Flavour) -> String) -> Option<PathBuf> {
    Flavour::ALL.into_iter().map(|f| Path::new("/").join(name(f))).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stamps_are_known_and_a_disk_has_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Image::find(dir.path()).unwrap(), None);
        assert!(!is_live(dir.path()).unwrap());
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/coreos-live-initramfs"), "1.2\n").unwrap();
        let image = Image::find(dir.path()).unwrap().unwrap();
        assert_eq!((image.flavour, image.build.as_str()), (Flavour::Coreos, "1.2"));
        assert!(is_live(dir.path()).unwrap());
    }

    #[test]
    fn the_real_root_of_a_live_system_knows_that_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(MARK)).unwrap();
        assert!(is_live(dir.path()).unwrap());
    }

    #[test]
    fn a_rootfs_of_another_build_is_refused_by_name() {
        let image = Image { flavour: Flavour::Nestos, build: "2".to_owned() };
        image.check_rootfs(Some("2\n"), "the rootfs").unwrap();
        let err = image.check_rootfs(Some("1\n"), "the rootfs").unwrap_err();
        let lines = nestos_host::term::error_lines(&err).join("\n");
        assert!(lines.contains("of build 1, but kernel and initramfs are of build 2"), "{lines}");
        assert!(lines.contains("hint: take"), "{lines}");
        assert!(image.check_rootfs(None, "x").is_err());
    }
}
