//! The installer leaves the user's config in `/boot/ignition/config.ign`; Ignition looks for it in
//! `/usr/lib/ignition/user.ign` of the initramfs, which is a link to a place below /run: systemd
//! mounts /usr read-only in an initramfs (`ProtectSystem=` in systemd-system.conf(5)).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::live_media::Flavour;
use nestos_host::atomic;
use nestos_host::cmd::Cmd;

use crate::first_boot::boot_label;
use crate::network;

const BOOT_DEVICE: &str = "/dev/disk/by-label/boot";
const MOUNT_POINT: &str = "/run/nestos/boot";
const USER_CONFIG: &str = "/run/nestos/user.ign";

/// Copies the config and the network profiles, if the boot partition holds some.
pub(crate) fn set_up() -> Result<()> {
    boot_label::check()?;
    fs::create_dir_all(MOUNT_POINT).with_context(|| format!("cannot create {MOUNT_POINT}"))?;
    Cmd::new("mount").args(["-o", "ro", BOOT_DEVICE, MOUNT_POINT]).run()?;
    let copied = copy(&Path::new(MOUNT_POINT).join("ignition/config.ign"))
        .and_then(|()| keep_network(Path::new(MOUNT_POINT)));
    Cmd::new("umount").arg(MOUNT_POINT).run()?;
    copied
}

/// Keeps the network profiles that were given to the installer.
fn keep_network(boot: &Path) -> Result<()> {
    for flavour in Flavour::ALL {
        let dir = boot.join(format!("{flavour}-firstboot-network"));
        if dir.is_dir() {
            return network::copy_files(&dir, Path::new(network::FROM_DISK));
        }
    }
    Ok(())
}

/// Copies the config at `source`, if there is one.
pub(crate) fn copy(source: &Path) -> Result<()> {
    copy_to(source, Path::new(USER_CONFIG))
}

fn copy_to(source: &Path, user_config: &Path) -> Result<()> {
    let config = match fs::read(source) {
        Ok(config) => config,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", source.display())),
    };
    if let Some(dir) = user_config.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    atomic::write(user_config, &config, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_partition_without_a_config_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        copy_to(&dir.path().join("config.ign"), &dir.path().join("user.ign")).unwrap();
        assert!(!dir.path().join("user.ign").exists());
    }

    #[test]
    fn the_config_is_handed_over_and_only_root_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.ign"), "{}").unwrap();
        let target = dir.path().join("lib/user.ign");
        copy_to(&dir.path().join("config.ign"), &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "{}");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
