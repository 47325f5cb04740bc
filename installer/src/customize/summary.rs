//! What a medium was customised with, in words: names and sizes, never what may be secret.

use std::collections::BTreeMap;

use nestos_formats::live_media::{CONFIG, Flavour};
use nestos_formats::yaml;
use serde::Serialize;
use serde_json::Value;

use crate::initrd::Members;
use crate::recreated;

/// What is embedded.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The config of the live system.
    pub ignition: Option<ConfigSummary>,
    /// Names of keyfiles.
    pub network_keyfiles: Vec<String>,
    /// Paths of anything else.
    pub other_files: Vec<String>,
}

/// What is in the config of the live system.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConfigSummary {
    /// Its bytes.
    pub size: usize,
    /// Its version, if it says one.
    pub version: Option<String>,
    /// How many configs it merges.
    pub merged_configs: usize,
    /// How many files of certificates it trusts.
    pub certificate_authorities: usize,
    /// Whether the medium installs by itself.
    pub installs: bool,
    /// Options of the unattended installation, by the names of their files.
    pub installer_options: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Whether it carries a config for the installed system.
    pub dest_ignition: bool,
    /// Names of scripts that run before the installation.
    pub pre_install: Vec<String>,
    /// Names of scripts that run after the installation.
    pub post_install: Vec<String>,
    /// Paths of other files.
    pub files: Vec<String>,
    /// Names of other units.
    pub units: Vec<String>,
}

impl Summary {
    /// Summarises what an initramfs holds.
    pub fn of(members: &Members, flavour: Flavour) -> Self {
        let network = flavour.firstboot_network();
        let stamps = [flavour.initrd_stamp(), flavour.rootfs_stamp(), flavour.initrd_features()];
        let within = format!("{network}/");
        let other = |path: &&str| {
            *path != CONFIG && !path.starts_with(&within) && !stamps.iter().any(|s| s == path)
        };
        Self {
            ignition: members.get(CONFIG).map(|config| ConfigSummary::of(config, flavour)),
            network_keyfiles: members.below(&network).map(|(name, _)| name.to_owned()).collect(),
            other_files: members.iter().map(|(p, _)| p).filter(other).map(str::to_owned).collect(),
        }
    }

    /// Returns lines for a person: what, and which.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if let Some(config) = &self.ignition {
            lines.extend(config.lines());
        }
        for (what, list) in [("keyfiles", &self.network_keyfiles), ("files", &self.other_files)] {
            if !list.is_empty() {
                lines.push((what, list.join(", ")));
            }
        }
        lines
    }
}

impl ConfigSummary {
    fn of(config: &[u8], flavour: Flavour) -> Self {
        let root: Value = serde_json::from_slice(config).unwrap_or_default();
        let length = |value: &Value| value.as_array().map_or(0, Vec::len);
        let ignition = &root["ignition"];
        let mut summary = Self {
            size: config.len(),
            version: ignition["version"].as_str().map(str::to_owned),
            merged_configs: length(&ignition["config"]["merge"]),
            certificate_authorities: length(&ignition["security"]["tls"]["certificateAuthorities"]),
            ..Self::default()
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for file in list(&root["storage"]["files"]) {
            summary.add_file(&file, flavour);
        }
        for unit in list(&root["systemd"]["units"]) {
            let name = unit["name"].as_str().unwrap_or_default();
            if !name.starts_with("pre-install-") && !name.starts_with("post-install-") {
                summary.units.push(name.to_owned());
            }
        }
        summary.installs = !summary.installer_options.is_empty();
        summary
    }

    fn add_file(&mut self, file: &Value, flavour: Flavour) {
        let path = file["path"].as_str().unwrap_or_default();
        let directory = format!("{}/", flavour.installer_d());
        if let Some(name) = path.strip_prefix(&directory) {
            let content = recreated::inline(&file["contents"]).unwrap_or_default();
            self.installer_options.insert(name.to_owned(), options(&content));
        } else if let Some(name) = path.strip_prefix("/usr/local/bin/pre-install-") {
            self.pre_install.push(name.to_owned());
        } else if let Some(name) = path.strip_prefix("/usr/local/bin/post-install-") {
            self.post_install.push(name.to_owned());
        } else if path == flavour.dest_ignition() {
            self.dest_ignition = true;
        } else {
            self.files.push(path.to_owned());
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let version = self.version.as_deref().unwrap_or("unknown");
        let mut lines = vec![("config.ign", format!("{} bytes, version {version}", self.size))];
        for (what, count) in [
            ("configs merged", self.merged_configs),
            ("certificates", self.certificate_authorities),
        ] {
            if count > 0 {
                lines.push((what, count.to_string()));
            }
        }
        for (file, options) in &self.installer_options {
            for (key, values) in options {
                lines.push(("installs with", format!("{key}: {} ({file})", values.join(", "))));
            }
        }
        if self.dest_ignition {
            lines.push(("carries", "a config for the installed system".to_owned()));
        }
        for (what, list) in [
            ("before install", &self.pre_install),
            ("after install", &self.post_install),
            ("writes files", &self.files),
            ("has units", &self.units),
        ] {
            if !list.is_empty() {
                lines.push((what, list.join(", ")));
            }
        }
        lines
    }
}

/// Returns the options of a file; addresses may hold secrets.
fn options(content: &[u8]) -> BTreeMap<String, Vec<String>> {
    let Ok(root) = yaml::parse(content) else { return BTreeMap::new() };
    let entries = root.entries().unwrap_or_default();
    let named = entries.iter().filter_map(|(key, value)| {
        let key = key.key_text()?;
        let texts: Vec<String> = match value.items() {
            Some(items) => items.iter().filter_map(|i| i.as_str()).map(str::to_owned).collect(),
            None => value.as_str().map(str::to_owned).into_iter().collect(),
        };
        let shown = if key.contains("url") { vec!["(not shown)".to_owned()] } else { texts };
        Some((key.to_owned(), shown))
    });
    named.collect()
}
