//! What a live medium is given on its way: configs, hooks, network settings, options of the
//! unattended installation. All of it becomes files for an initramfs: one Ignition config for the
//! live system, and keyfiles beside it.

mod dest;
mod given;
mod hooks;
mod live_config;
mod resource;
pub mod summary;

use anyhow::{Result, bail};
use nestos_formats::live_media::{CONFIG, Features, Flavour};

use crate::initrd::Members;

pub(crate) use given::LARGEST;
pub use given::{Given, GivenFile, keyfiles, read as read_file};
use live_config::LiveConfig;

/// What a medium can be given, and whose names it uses.
#[derive(Debug, Clone, Copy)]
pub struct Medium<'a> {
    /// Whose names it uses.
    pub flavour: Flavour,
    /// How it can be customised.
    pub features: &'a Features,
}

/// What comes of it.
#[derive(Debug, Default)]
pub struct Made {
    /// Files for the initramfs.
    pub members: Members,
    /// What the medium will do without a question.
    pub notices: Vec<String>,
}

impl Medium<'_> {
    /// Returns the files for the initramfs of this medium.
    pub fn customize(self, given: &Given) -> Result<Made> {
        self.check(given)?;
        let mut live = LiveConfig::default();
        for config in &given.live {
            live.merge(config.bytes());
        }
        for bundle in &given.authorities {
            live.trust(&bundle.bytes);
        }
        hooks::add(&mut live, self.flavour, given)?;
        let device = dest::add(&mut live, self.flavour, given)?;
        let mut made = Made::default();
        if given.installs() {
            made.notices.push(match device {
                Some(device) => {
                    format!(
                        "Boot media will automatically install to {device} without confirmation."
                    )
                }
                None => "Boot media will automatically run installer.".to_owned(),
            });
        }
        for keyfile in &given.keyfiles {
            let path = format!("{}/{}", self.flavour.firstboot_network(), keyfile.name);
            made.members.insert(path, keyfile.bytes.clone());
        }
        if let Some(config) = live.into_bytes()? {
            made.members.insert(CONFIG, config);
        }
        Ok(made)
    }

    fn check(self, given: &Given) -> Result<()> {
        let features = self.features;
        for (wanted, supported, what) in [
            (!given.keyfiles.is_empty(), features.live_initrd_network, "network settings"),
            (given.installs(), features.installer_config, "installer configuration"),
            (
                !given.consoles.is_empty(),
                features.knows_directive("console"),
                "the destination console",
            ),
        ] {
            if wanted && !supported {
                bail!("This OS image does not support customizing {what}.");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
