//! The mark of an unattended installation that is to happen once (`nestos.inst.once`): a file on
//! the boot partition with the name of the installation. A machine that finds it on any of its
//! disks does not install again: names of disks may change from boot to boot, and a second disk is
//! not to be erased because of that.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::mount::{self, ReadOnly};
use nestos_host::term::WithHint;

use super::target::BOOT_FSTYPE;

const DIRECTORY: &str = "/nestos";
const FILE: &str = "/nestos/installed-once";

/// What the start of a live system is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Install.
    Install,
    /// Start what is on this disk.
    Boot(PathBuf),
}

/// Decides whether to install; `marks` are the disks of the machine with the marks they carry.
pub(crate) fn decide(once: Option<&str>, marks: &[(PathBuf, String)]) -> Decision {
    let marked = |id: &str| marks.iter().find(|(_, mark)| mark == id);
    match once.and_then(marked) {
        Some((disk, _)) => Decision::Boot(disk.clone()),
        None => Decision::Install,
    }
}

/// Leaves the mark on a boot partition.
pub(crate) fn leave(boot: &Path, id: &str) -> Result<()> {
    let text = format!("{id}\n");
    let write = move || -> Result<()> {
        fs::create_dir_all(DIRECTORY)?;
        fs::write(FILE, text)?;
        fs::File::open(FILE)?.sync_all()?;
        fs::File::open(DIRECTORY)?.sync_all()?;
        Ok(())
    };
    mount::inside(boot, BOOT_FSTYPE, write)
        .with_context(|| format!("cannot leave the mark of nestos.inst.once on {}", boot.display()))
}

/// Returns the mark on a boot partition. One that cannot be read may carry the mark, and the disk
/// what must not be lost: that is an error.
pub(crate) fn find(boot: &Path) -> Result<Option<String>> {
    let read = || match fs::read_to_string(FILE) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {FILE}")),
    };
    mount::inside_read_only(boot, ReadOnly::Ext4, read)
        .with_context(|| {
            format!("cannot tell whether {} has the mark of nestos.inst.once", boot.display())
        })
        .hint("repair it with e2fsck; or wipe it, or leave out nestos.inst.once, to install anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_installation_happens_once() {
        let disk = PathBuf::from("/dev/vda");
        let boot = Decision::Boot(disk.clone());
        let other = PathBuf::from("/dev/vdb");
        let marks = |marks: &[(&PathBuf, &str)]| -> Vec<(PathBuf, String)> {
            marks.iter().map(|(d, m)| ((*d).clone(), (*m).to_owned())).collect()
        };
        for (once, marks, expected) in [
            (None, marks(&[]), Decision::Install),
            (None, marks(&[(&disk, "1")]), Decision::Install),
            (Some("1"), marks(&[]), Decision::Install),
            (Some("1"), marks(&[(&disk, "1")]), boot.clone()),
            (Some("2"), marks(&[(&disk, "1")]), Decision::Install),
            (Some("2"), marks(&[(&disk, "1"), (&other, "2")]), Decision::Boot(other.clone())),
            (Some("1"), marks(&[(&other, ""), (&disk, "1")]), boot),
        ] {
            assert_eq!(decide(once, &marks), expected, "{once:?} {marks:?}");
        }
    }

    /// Needs root and loop devices; says so when it cannot run.
    #[test]
    fn a_mark_is_found_where_it_was_left() {
        use nestos_host::cmd::Cmd;
        use nestos_host::loopdev::{self, LoopDevice};
        if let Err(e) = loopdev::check_available().and_then(|()| mount::check_available()) {
            nestos_host::term::status(format!("SKIPPED a_mark_is_found_where_it_was_left: {e:#}"));
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(8 << 20).unwrap();
        Cmd::new("mkfs.ext4").args(["-q", "-F"]).arg(file.path()).run().unwrap();
        let device = LoopDevice::attach(file.as_file(), 0, 8 << 20, 512).unwrap();
        assert_eq!(find(device.path()).unwrap(), None);
        leave(device.path(), "rack4").unwrap();
        assert_eq!(find(device.path()).unwrap(), Some("rack4".to_owned()));
    }
}
