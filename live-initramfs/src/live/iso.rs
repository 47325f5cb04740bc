//! The medium: waits for a volume by its label, and says what is missing when it does not come.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nestos_formats::live_media;
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;
use nix::mount::{MsFlags, mount};

use super::source::ISO_MOUNT;
use crate::console;

/// How long a medium may take: USB disks that spin up, and drives that read a disc.
const WAIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(250);
/// How often the console hears that it is still waited for.
const SAY: Duration = Duration::from_secs(10);

/// Waits for the volume, mounts it and returns the path of its rootfs.
pub(super) fn mount_volume(label: &str) -> Result<PathBuf> {
    let device = device_of(label);
    wait_for(&device, label)?;
    fs::create_dir_all(ISO_MOUNT).with_context(|| format!("cannot create {ISO_MOUNT}"))?;
    mount(Some(&device), ISO_MOUNT, Some("iso9660"), MsFlags::MS_RDONLY, None::<&str>)
        .with_context(|| format!("cannot mount the volume {label} ({})", device.display()))
        .hint("the medium may be damaged: check it with its digest, or write it again")?;
    let rootfs = Path::new(ISO_MOUNT).join(live_media::ROOTFS);
    if rootfs.is_file() {
        return Ok(rootfs);
    }
    Err(anyhow!("the volume {label} ({}) has no {}", device.display(), live_media::ROOTFS))
        .hint("a minimal ISO needs nestos.live.rootfs_url=URL instead of nestos.liveiso=LABEL")
}

fn wait_for(device: &Path, label: &str) -> Result<()> {
    let mut waited = Duration::ZERO;
    let mut said = Duration::ZERO;
    while !device.exists() {
        if waited >= WAIT {
            return Err(missing(label, &block_devices()))
                .hint("check that the medium is still inserted and that the kernel has a driver for its drive")
                .hint(format!("nestos.liveiso= must be the label of the medium, {label:?} is what it was"));
        }
        if waited >= said + SAY {
            said = waited;
            console::say(&format!(
                "Waiting for the live medium, a volume labelled {label}, for {} s now (of {} s).",
                waited.as_secs(),
                WAIT.as_secs()
            ));
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    Ok(())
}

fn missing(label: &str, devices: &str) -> anyhow::Error {
    let devices = devices.trim_end();
    let list = if devices.is_empty() { "none at all" } else { devices };
    anyhow!(
        "no volume labelled {label} came up within {} s; block devices:\n{list}",
        WAIT.as_secs()
    )
}

fn block_devices() -> String {
    let columns = ["--output", "NAME,SIZE,TYPE,FSTYPE,LABEL,MODEL"];
    // Without the list, the message still says what was looked for.
    Cmd::new("lsblk").args(columns).output().unwrap_or_default()
}

/// Returns the link that udev makes for a label; it replaces what is not safe in a name
/// (`udev_replace_chars` and the blkid builtin: src/basic/utf8 and libblkid's encode.c).
fn device_of(label: &str) -> PathBuf {
    let mut name = String::from("/dev/disk/by-label/");
    for c in label.chars() {
        if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii() {
            name.push(c);
        } else {
            name.push_str(&format!("\\x{:02x}", u32::from(c)));
        }
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_spelled_as_udev_does() {
        assert_eq!(device_of("nestos-1.2"), Path::new("/dev/disk/by-label/nestos-1.2"));
        assert_eq!(device_of("Nest OS/1"), Path::new("/dev/disk/by-label/Nest\\x20OS\\x2f1"));
    }

    #[test]
    fn a_missing_medium_is_named_beside_what_is_there() {
        let text = missing("nestos-1", "NAME SIZE\nvda  10G\n").to_string();
        assert!(text.contains("no volume labelled nestos-1") && text.ends_with("vda  10G"));
        assert!(missing("x", "").to_string().ends_with("none at all"));
    }
}
