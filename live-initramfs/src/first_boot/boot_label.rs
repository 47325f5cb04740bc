//! The system finds its boot partition by the label, so only one may have it: another disk with an
//! installation would be changed in place of this one.

use anyhow::{Result, anyhow};
use nestos_formats::disk_layout::BOOT_LABEL;
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;

/// Fails unless exactly one file system has the label.
pub(crate) fn check() -> Result<()> {
    Cmd::new("udevadm").args(["settle", "--timeout=30"]).run()?;
    // Its cache may know devices that have changed. 2: there is none (blkid(8)).
    let search = ["-c", "/dev/null", "-o", "device", "-t", &format!("LABEL={BOOT_LABEL}")];
    let found = Cmd::new("blkid").args(search).finish()?;
    judge(&String::from_utf8_lossy(&found.stdout))
}

fn judge(found: &str) -> Result<()> {
    let devices: Vec<&str> = found.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    match devices[..] {
        [_] => Ok(()),
        [] => Err(anyhow!("no file system is labelled {BOOT_LABEL}"))
            .hint("the disk is damaged, or its config removed the boot partition: install again"),
        _ => Err(anyhow!(
            "{} file systems are labelled {BOOT_LABEL}: {}",
            devices.len(),
            devices.join(" and ")
        ))
        .hint("another disk has an installation too: disconnect it, or erase it (wipefs --all)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_boot_partitions_are_named() {
        judge("/dev/vda3\n").unwrap();
        let err = judge("/dev/vda3\n/dev/vdb3\n").unwrap_err();
        assert!(
            format!("{err:#}")
                .contains("2 file systems are labelled boot: /dev/vda3 and /dev/vdb3")
        );
        assert!(format!("{:#}", judge("").unwrap_err()).contains("no file system"));
    }
}
