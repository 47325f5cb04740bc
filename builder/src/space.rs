//! Room on disk: how much a directory takes, how much a build will take, how much there is.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::disk_layout::MIB;
use nestos_host::term::WithHint;
use nix::sys::statvfs::statvfs;

/// Nothing that boots is composed in less.
const FLOOR: u64 = 256 * MIB;
/// How many times its size a compressed package takes when it is installed.
const UNPACKED: u64 = 3;

/// What a directory needs on disk.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Bytes, in blocks of 4 KiB.
    pub(crate) bytes: u64,
    /// Files, directories and links.
    pub(crate) files: u64,
    linked: HashSet<u64>,
}

impl Usage {
    /// Measures a directory; hard links are counted once.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let mut usage = Self::default();
        usage.add(dir)?;
        Ok(usage)
    }

    fn add(&mut self, dir: &Path) -> Result<()> {
        let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in list {
            let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
            let meta = path
                .symlink_metadata()
                .with_context(|| format!("cannot read {}", path.display()))?;
            if meta.is_file() && meta.nlink() > 1 && !self.linked.insert(meta.ino()) {
                continue;
            }
            self.files += 1;
            self.bytes += 512 + meta.len().div_ceil(4096) * 4096;
            if meta.is_dir() {
                self.add(&path)?;
            }
        }
        Ok(())
    }
}

/// What a build still has to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// The packages are not even known.
    Unknown,
    /// Packages of these sizes, then the tree, the commit and images.
    FromPackages {
        /// Bytes of the package files.
        packages: u64,
        /// Number of images.
        images: u64,
    },
    /// The tree, the commit and images.
    FromTree {
        /// Bytes of the installed packages.
        tree: u64,
        /// Number of images.
        images: u64,
    },
    /// Images of a commit.
    Images {
        /// Bytes of the installed packages.
        tree: u64,
        /// Number of images.
        images: u64,
    },
}

impl Work {
    /// Returns about how many bytes it takes: the tree, its commit and its container image with the
    /// layers kept for the next one; for images a deployed sysroot, the root file system and a copy
    /// of it in each image.
    fn bytes(self) -> u64 {
        let of_images = |tree: u64, images: u64| if images == 0 { 0 } else { tree * (2 + images) };
        let needed = match self {
            Self::Unknown => 0,
            Self::FromPackages { packages, images } => {
                let tree = packages * UNPACKED;
                4 * tree + of_images(tree, images)
            }
            Self::FromTree { tree, images } => 3 * tree + of_images(tree, images),
            Self::Images { tree, images } => of_images(tree, images),
        };
        needed.max(FLOOR)
    }
}

/// Refuses work for which `dir` has no room.
pub(crate) fn check(dir: &Path, work: Work) -> Result<()> {
    let (free, needed) = (free(dir)?, work.bytes());
    if free >= needed {
        return Ok(());
    }
    Err(anyhow!(
        "{} has {} MiB free; the build needs about {} MiB",
        dir.display(),
        free / MIB,
        needed / MIB
    ))
    .hint("make room there, or use a working directory on another file system")
}

/// Adds what there is to know about a full disk to an error that has one as its cause.
pub(crate) fn explain(err: anyhow::Error, dir: &Path) -> anyhow::Error {
    let text = format!("{err:#}");
    let signs = ["No space left on device", "have enough free space"];
    let Ok(free) = free(dir) else { return err };
    // A program whose log is on the full disk cannot even say so.
    if free >= MIB && !signs.iter().any(|sign| text.contains(sign)) {
        return err;
    }
    let hint = format!(
        "the file system of {} is full ({} MiB free now); make room there and run nosa again",
        dir.display(),
        free / MIB
    );
    Err::<(), _>(err).hint(hint).map_or_else(|err| err, |()| anyhow!("no error"))
}

fn free(dir: &Path) -> Result<u64> {
    let stat =
        statvfs(dir).with_context(|| format!("cannot ask for the room in {}", dir.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_links_are_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 5000]).unwrap();
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        let usage = Usage::of(dir.path()).unwrap();
        assert_eq!((usage.files, usage.bytes), (1, 8192 + 512));
    }

    #[test]
    fn less_is_needed_the_more_is_done() {
        let gib = 1024 * MIB;
        let needs = |work: Work| work.bytes() / MIB;
        assert_eq!(needs(Work::Unknown), 256);
        assert_eq!(needs(Work::FromPackages { packages: gib, images: 2 }), 24 * 1024);
        assert_eq!(needs(Work::FromTree { tree: 3 * gib, images: 2 }), 21 * 1024);
        assert_eq!(needs(Work::FromTree { tree: 3 * gib, images: 0 }), 9 * 1024);
        assert_eq!(needs(Work::Images { tree: 3 * gib, images: 1 }), 9 * 1024);
    }

    #[test]
    fn only_a_full_disk_is_explained() {
        let explained = |text: &'static str| {
            format!("{:#}", explain(anyhow!(text).context("cannot write f"), Path::new("/")))
        };
        assert!(explained("No space left on device (os error 28)").contains("MiB free now"));
        assert_eq!(explained("Permission denied"), "cannot write f: Permission denied");
    }
}
