//! What a live medium (ISO, or kernel, initramfs and rootfs for PXE) says about itself, and the
//! areas in it that a tool may fill in: names, JSON files, kernel arguments. The builder writes
//! them, the installer changes them, `nestos-live` reads what became of them. See docs/media.md.

mod areas;
mod flavour;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use areas::{AreaError, KargsFile, KargsInfo, MAX_AREA};
pub use flavour::{Flavour, LiveOption};

/// The kernel, in the ISO.
pub const KERNEL: &str = "images/pxeboot/vmlinuz";
/// The initramfs, in the ISO.
pub const INITRD: &str = "images/pxeboot/initrd.img";
/// The archive with the root file system, in the ISO.
pub const ROOTFS: &str = "images/pxeboot/rootfs.img";
/// Where the kernel, initramfs and rootfs are, in the ISO.
pub const PXEBOOT: &str = "images/pxeboot";
/// The area for an initramfs with a config, in the ISO.
pub const IGNITION_IMAGE: &str = "images/ignition.img";
/// Bytes of [`IGNITION_IMAGE`].
pub const IGNITION_IMAGE_LEN: u64 = 256 * 1024;
/// Bytes that are kept for `miniso.dat`.
pub const MINISO_LEN: u64 = 16 * 1024;
/// First member of [`ROOTFS`].
pub const ROOT_SQUASHFS: &str = "root.squashfs";
/// Where the content of [`ROOT_SQUASHFS`] begins in [`ROOTFS`].
pub const ROOT_SQUASHFS_AT: u64 = 124;
/// The live system's Ignition config, in an initramfs.
pub const CONFIG: &str = "config.ign";
/// The program that the kernel starts, in a live initramfs: replaces the one of the initramfs for
/// disks, to which it hands over. A script, because an archive of plain files can hold it.
pub const INIT: &str = "init";
/// Content of [`INIT`], which must be executable (mode 0755).
pub const INIT_SCRIPT: &str = "#!/usr/lib/nestos/nestos-live init\n";
/// Stands in a menu for the kernel arguments until the builder fills them in.
pub const KARGS_PLACEHOLDER: &str = "@@KERNEL-ARGS@@";
/// Most bytes of a volume's name.
pub const VOLUME_ID_LEN: usize = 32;

/// `igninfo.json`: where the area for an initramfs with a config is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnitionInfo {
    /// Path of the file in the ISO.
    pub file: String,
    /// Where the area begins in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes of the area; the rest of the file if it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

impl Default for IgnitionInfo {
    fn default() -> Self {
        Self { file: IGNITION_IMAGE.to_owned(), offset: None, length: None }
    }
}

/// Keys of option files that the installer of this release reads: names of options of
/// `nestos-installer install`, and `dest-device`.
pub const INSTALLER_DIRECTIVES: [&str; 30] = [
    "append-karg",
    "architecture",
    "console",
    "copy-network",
    "delete-karg",
    "dest-device",
    "fetch-retries",
    "hostname",
    "ignition-file",
    "ignition-hash",
    "ignition-url",
    "image-digest",
    "image-file",
    "image-url",
    "insecure",
    "insecure-ignition",
    "keyring",
    "network-dir",
    "offline",
    "platform",
    "preserve-on-error",
    "release-holders",
    "report",
    "save-partindex",
    "save-partlabel",
    "secure-ipl",
    "stream",
    "stream-base-url",
    "verify-written",
    "wipe",
];

/// `features.json`, in the ISO and in the initramfs: how the live system can be customised. What
/// is not stated is not supported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Features {
    /// Option files in `installer.d` are read.
    pub installer_config: bool,
    /// Network settings in the initramfs are used.
    pub live_initrd_network: bool,
    /// Keys of option files that the image's installer knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub installer_config_directives: BTreeMap<String, bool>,
}

impl Features {
    /// Returns what a live system of this release can.
    pub fn current() -> Self {
        Self {
            installer_config: true,
            live_initrd_network: true,
            installer_config_directives: INSTALLER_DIRECTIVES
                .map(|key| (key.to_owned(), true))
                .into(),
        }
    }

    /// Returns whether the image's installer knows a key of option files.
    pub fn knows_directive(&self, key: &str) -> bool {
        self.installer_config_directives.get(key).copied().unwrap_or(false)
    }
}

/// Returns the name of a volume, as it is in the medium and in `nestos.liveiso=`.
pub fn volume_id(name: &str) -> String {
    name.chars().take(VOLUME_ID_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_files_are_read_and_written_as_the_ancestors_do() {
        let info: IgnitionInfo = serde_json::from_str(r#"{"file": "images/x.img"}"#).unwrap();
        assert_eq!((info.offset, info.length), (None, None));
        assert_eq!(
            serde_json::to_string(&IgnitionInfo::default()).unwrap(),
            r#"{"file":"images/ignition.img"}"#
        );
        let features: Features = serde_json::from_str(
            r#"{"installer-config": true, "new": 1, "installer-config-directives": {"console": true}}"#,
        )
        .unwrap();
        assert!(features.installer_config && !features.live_initrd_network);
        assert!(features.knows_directive("console") && !features.knows_directive("x"));
        assert_eq!(
            serde_json::to_string(&Features::default()).unwrap(),
            r#"{"installer-config":false,"live-initrd-network":false}"#
        );
    }

    #[test]
    fn names_of_volumes_are_cut() {
        assert_eq!(volume_id("nestos-1"), "nestos-1");
        assert_eq!(volume_id(&"n".repeat(40)).len(), 32);
    }
}
