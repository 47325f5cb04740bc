//! An xfs root. mkfs.xfs fills a file system from a directory since xfsprogs 6.17, which a target
//! may be too old to have: it then comes from the repositories in the config's `tools/` folder, and
//! makes a file system with the features that the target's kernel has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::{IMAGE_ROOT_UUID, ROOT_LABEL};
use nestos_host::cmd::Cmd;

use super::Source;
use super::sysroot::Sysroot;
use crate::chroot::Chroot;

/// Where the work directory is seen in the tree with the tools.
const WORK: &str = "/run/nosa";
/// Feature sets of long-term kernels, shipped by xfsprogs.
const FEATURES: &str = "usr/share/xfsprogs/mkfs";

/// Returns whether the tree's mkfs.xfs fills a file system from a directory.
pub(crate) fn is_able(tree: &Path) -> Result<bool> {
    if !tree.join("usr/sbin/mkfs.xfs").exists() {
        return Ok(false);
    }
    Ok(fills_from_directory(&Chroot::new(tree).cmd("mkfs.xfs").arg("-V").output()?))
}

/// Makes the root file system in `image` (a file of the work directory).
pub(super) fn make(source: &Source<'_>, sysroot: &Sysroot, image: &str) -> Result<()> {
    let file = format!("{WORK}/{image}");
    let tool = |program: &str| -> Cmd {
        Chroot::new(source.xfs_tools)
            .bind(source.work, WORK)
            .cmd(program)
            .env("SOURCE_DATE_EPOCH", "0")
            .env("DETERMINISTIC_UUID", "1")
    };
    let mut mkfs = tool("mkfs.xfs").args(["-q", "-f", "-L", ROOT_LABEL]);
    let deployment = sysroot.root.join(&sysroot.deployment);
    if let Some(features) = features(source.xfs_tools, &kernel(&deployment)?)? {
        mkfs = mkfs.args(["-c", &format!("options=/{FEATURES}/{features}")]);
    }
    // A disk with sectors of 4 KiB takes no file system with smaller ones; other disks take both.
    mkfs.args(["-m", &format!("uuid={IMAGE_ROOT_UUID}"), "-s", "size=4096"])
        .args(["-p", &format!("{WORK}/sysroot"), &file])
        .run()
        .context("cannot make the root file system")?;
    for path in ["/".to_owned(), format!("/{}", sysroot.deployment)] {
        let commands = [format!("path {path}"), "write core.immutable 1".to_owned()];
        tool("xfs_db")
            .arg("-x")
            .args(commands.iter().flat_map(|c| ["-c", c]))
            .arg(&file)
            .run()
            .with_context(|| format!("cannot make {path} immutable"))?;
    }
    tool("xfs_repair").args(["-n", &file]).run().context("the new root file system is not clean")
}

/// Returns the release of the kernel in a deployment.
fn kernel(deployment: &Path) -> Result<String> {
    let dir = deployment.join("usr/lib/modules");
    let mut list = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let first = list.next().ok_or_else(|| anyhow!("{} is empty", dir.display()))??;
    Ok(first.file_name().to_string_lossy().into_owned())
}

/// Returns the newest feature set that is not newer than the kernel.
fn features(tree: &Path, kernel: &str) -> Result<Option<String>> {
    let Ok(list) = fs::read_dir(tree.join(FEATURES)) else { return Ok(None) };
    let Some(kernel) = version(kernel) else { bail!("cannot read the kernel release {kernel:?}") };
    let mut sets = Vec::new();
    for entry in list {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let of = name.strip_prefix("lts_").and_then(|n| version(n.trim_end_matches(".conf")));
        sets.extend(of.filter(|v| *v <= kernel).map(|v| (v, name)));
    }
    Ok(sets.into_iter().max().map(|(_, name)| name))
}

/// Reads `MAJOR.MINOR` at the start of a text.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn fills_from_directory(answer: &str) -> bool {
    let word = answer.trim().rsplit(' ').next().unwrap_or_default();
    version(word).is_some_and(|v| v >= (6, 17))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(fills_from_directory("mkfs.xfs version 6.17.0\n"));
        assert!(!fills_from_directory("mkfs.xfs version 6.9.0\n"));
        assert!(fills_from_directory("mkfs.xfs version 7.2.0"));
        assert!(!fills_from_directory("nonsense"));
    }

    #[test]
    fn the_feature_set_fits_the_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let sets = dir.path().join(FEATURES);
        fs::create_dir_all(&sets).unwrap();
        for name in ["lts_6.6.conf", "lts_6.12.conf", "lts_6.18.conf", "dax_x86_64.conf"] {
            fs::write(sets.join(name), "").unwrap();
        }
        let fits = |kernel: &str| features(dir.path(), kernel).unwrap();
        assert_eq!(fits("6.12.107+deb13-amd64").as_deref(), Some("lts_6.12.conf"));
        assert_eq!(fits("6.17.1").as_deref(), Some("lts_6.12.conf"));
        assert_eq!(fits("5.10.0"), None);
    }
}
