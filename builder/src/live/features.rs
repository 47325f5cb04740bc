//! What the live system can be customised with: `features.json`.

use nestos_formats::live_media::Features;

/// Keys of option files that the installer of the same release reads.
const DIRECTIVES: [&str; 30] = [
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

/// Returns the features of the system that is built.
pub(super) fn features() -> Features {
    Features {
        installer_config: true,
        live_initrd_network: true,
        installer_config_directives: DIRECTIVES.map(|key| (key.to_owned(), true)).into(),
    }
}
