//! The initramfs of a live system: which family it is of, and what it can do.

use std::io::Read;

use anyhow::{Context, Result, anyhow};
use nestos_formats::live_media::{CONFIG, Features, Flavour};

use super::Members;

/// The initramfs of a live system.
#[derive(Debug)]
pub struct LiveInitrd {
    /// Whose names it uses.
    pub flavour: Flavour,
    /// The build that its stamp names.
    pub build: String,
    /// How it can be customised.
    pub features: Features,
    /// What was added to it, and its stamps.
    pub members: Members,
}

/// Marks errors about an initramfs that is not that of a live system.
#[derive(Debug, Clone, Copy)]
pub struct NotLive;

impl LiveInitrd {
    /// Reads the initramfs of a live system.
    pub fn read<R: Read>(from: R) -> Result<Self> {
        let wanted = |path: &str| {
            path == CONFIG
                || Flavour::ALL.iter().any(|flavour| {
                    path == flavour.initrd_stamp()
                        || path == flavour.rootfs_stamp()
                        || path == flavour.initrd_features()
                        || path.starts_with(&format!("{}/", flavour.firstboot_network()))
                })
        };
        let members = Members::read(from, wanted)?;
        let stamped = |flavour: &Flavour| members.get(&flavour.initrd_stamp()).is_some();
        let flavour = Flavour::ALL.into_iter().find(stamped).ok_or_else(NotLive::error)?;
        let text = |path: &str| members.get(path).map(String::from_utf8_lossy);
        let build = text(&flavour.initrd_stamp()).unwrap_or_default().trim().to_owned();
        let features = match members.get(&flavour.initrd_features()) {
            Some(json) => serde_json::from_slice(json)
                .with_context(|| format!("cannot read {} in it", flavour.initrd_features()))?,
            None => Features::default(),
        };
        Ok(Self { flavour, build, features, members })
    }

    /// Returns whether something was added already.
    pub fn is_customised(&self) -> bool {
        let network = self.flavour.firstboot_network();
        self.members.get(CONFIG).is_some() || self.members.below(&network).next().is_some()
    }
}

impl NotLive {
    fn error() -> anyhow::Error {
        let titles = Flavour::ALL.map(Flavour::title);
        let [nestos, coreos] = titles.map(|title| format!("not a {title} live initramfs image"));
        anyhow!(coreos).context(nestos)
    }
}
