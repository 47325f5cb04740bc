//! Where the service and the health check keep and find things.

use std::path::{Path, PathBuf};

/// Every path that the service and the health check touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Directories of settings; a later one goes over an earlier one.
    pub config: [PathBuf; 3],
    /// Directory of `state.json`.
    pub state: PathBuf,
    /// Directories of health checks; a later one goes over an earlier one.
    pub health: [PathBuf; 2],
    /// Mount point of the boot partition.
    pub boot: PathBuf,
    /// GRUB's environment block.
    pub grubenv: PathBuf,
    /// Exists while a deployment is staged.
    pub staged: PathBuf,
    /// Exists while a staged deployment may not be finalized.
    pub staged_locked: PathBuf,
    /// Written when this boot has its verdict; the trial's time limit looks for it.
    pub judged: PathBuf,
}

impl Paths {
    /// Returns the paths of the running system.
    pub fn system() -> Self {
        Self::under(Path::new("/"))
    }

    /// Returns the same paths under another root directory.
    pub fn under(root: &Path) -> Self {
        let dirs = |tops: [&str; 3]| tops.map(|top| root.join(top).join("nestos-updater/config.d"));
        Self {
            config: dirs(["usr/lib", "run", "etc"]),
            state: root.join("var/lib/nestos-updater"),
            health: ["usr/lib", "etc"].map(|top| root.join(top).join("nestos-updater/health.d")),
            boot: root.join("boot"),
            grubenv: root.join("boot/grub2/grubenv"),
            staged: root.join("run/ostree/staged-deployment"),
            staged_locked: root.join("run/ostree/staged-deployment-locked"),
            judged: root.join("run/nestos-updater/judged"),
        }
    }
}
