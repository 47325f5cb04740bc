//! Directories for unfinished work, and removing them safely.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;

/// Makes `dir` a new empty directory; what an interrupted run left there is removed.
pub(crate) fn fresh(dir: PathBuf) -> Result<PathBuf> {
    remove(&dir)?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Removes a directory, even one with a deployment, which libostree made immutable. Nothing is
/// removed through a mount: what is mounted there belongs to somebody else.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    if dir.symlink_metadata().is_err() {
        return Ok(());
    }
    let mounts = fs::read("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    if let Some(mount) = mount_below(&String::from_utf8_lossy(&mounts), dir) {
        return Err(anyhow!("cannot remove {}: {mount} is mounted", dir.display()))
            .hint(format!("umount -R {mount}"));
    }
    // chattr fails on links and on file systems without flags; what matters is the removal.
    Cmd::new("chattr").args(["-R", "-f", "-i"]).arg(dir).finish()?;
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))
}

/// Returns a mount point at or below `dir`; the format is that of proc_pid_mountinfo(5).
fn mount_below(mountinfo: &str, dir: &Path) -> Option<String> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.into_iter().find(|point| Path::new(point).starts_with(dir))
}

fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, char)| text.replace(escape, char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_below_the_directory_only() {
        let info = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
            30 22 0:5 / /w/my\\040dir/tmp/rootfs/proc rw - proc proc rw\n";
        let below = |dir: &str| mount_below(info, Path::new(dir));
        assert_eq!(below("/w/my dir/tmp").as_deref(), Some("/w/my dir/tmp/rootfs/proc"));
        assert_eq!(below("/w/my dir/tmp/root"), None);
        assert_eq!(below("/w/my"), None);
    }

    #[test]
    fn a_directory_that_is_not_there_is_removed_already() {
        let dir = tempfile::tempdir().unwrap();
        remove(&dir.path().join("none")).unwrap();
        fs::write(fresh(dir.path().join("a")).unwrap().join("f"), "").unwrap();
        assert_eq!(fs::read_dir(fresh(dir.path().join("a")).unwrap()).unwrap().count(), 0);
    }
}
