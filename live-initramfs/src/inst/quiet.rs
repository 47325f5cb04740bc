//! Keeps what is left on the disks of a machine from being put together: an array or a volume group
//! of an earlier system would hold the disk that is installed to.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// A program with what keeps it quiet: the directory that its configuration is in, the file, and
/// what is added to it.
struct Quiet {
    program: &'static str,
    directory: &'static str,
    file: &'static str,
    text: &'static str,
}

/// Distributions keep the drop-ins of mdadm in one of two places (mdadm.conf(5), lvmlocal.conf(5)).
const PROGRAMS: [Quiet; 3] = [
    Quiet {
        program: "mdadm",
        directory: "etc",
        file: "mdadm.conf.d/nestos-installer.conf",
        text: ARRAYS,
    },
    Quiet {
        program: "mdadm",
        directory: "etc/mdadm",
        file: "mdadm.conf.d/nestos-installer.conf",
        text: ARRAYS,
    },
    Quiet { program: "lvm", directory: "etc/lvm", file: "lvmlocal.conf", text: VOLUMES },
];

const ARRAYS: &str = "# An unattended installation follows.\nAUTO -all\n";
const VOLUMES: &str =
    "\n# An unattended installation follows.\ndevices {\n\tglobal_filter = [ \"r|.*|\" ]\n}\n";

/// Writes the configuration of what is installed in the system at `root`.
pub(crate) fn keep_disks_apart(root: &Path) -> Result<()> {
    for Quiet { program, directory, file, text } in &PROGRAMS {
        let there =
            ["usr/sbin", "sbin", "usr/bin"].iter().any(|d| root.join(d).join(program).exists());
        let directory = root.join(directory);
        if there && directory.is_dir() {
            let path = directory.join(file);
            add(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn add(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old.contains(text)) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_that_are_there_are_configured_and_once() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("etc/lvm")).unwrap();
        fs::create_dir_all(path("usr/sbin")).unwrap();
        keep_disks_apart(root.path()).unwrap();
        assert!(!path("etc/mdadm.conf.d").exists() && !path("etc/lvm/lvmlocal.conf").exists());
        fs::write(path("usr/sbin/mdadm"), "").unwrap();
        fs::write(path("usr/sbin/lvm"), "").unwrap();
        fs::write(path("etc/lvm/lvmlocal.conf"), "local {\n}\n").unwrap();
        keep_disks_apart(root.path()).unwrap();
        keep_disks_apart(root.path()).unwrap();
        let arrays = fs::read_to_string(path("etc/mdadm.conf.d/nestos-installer.conf")).unwrap();
        assert_eq!(arrays, ARRAYS);
        assert!(!path("etc/mdadm").exists());
        let volumes = fs::read_to_string(path("etc/lvm/lvmlocal.conf")).unwrap();
        assert_eq!(volumes, format!("local {{\n}}\n{VOLUMES}"));
    }
}
