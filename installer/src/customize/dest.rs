//! What the unattended installation is told: option files, in the order of their names, and the
//! config of the installed system.

use anyhow::{Context, Result, anyhow};
use nestos_formats::live_media::Flavour;
use nestos_host::term::WithHint;
use serde_json::{Value, json};

use super::live_config::{LiveConfig, wrapper};
use super::{Given, resource};
use crate::config::CheckedConfig;
use crate::options::FileOptions;
use crate::selector::DeviceSpec;

/// Only root reads configs.
const MODE: u32 = 0o600;

/// Adds option files and the config of the installed system, and returns the disk.
pub(super) fn add(
    live: &mut LiveConfig,
    flavour: Flavour,
    given: &Given,
) -> Result<Option<String>> {
    let mut all = FileOptions::default();
    let directory = flavour.installer_d();
    for (number, file) in given.options.iter().enumerate() {
        all.add_bytes(&file.bytes)
            .with_context(|| format!("parsing installer config {}", file.name))?;
        live.file(&format!("{directory}/{number:04}-{}", file.name), MODE, &file.bytes)?;
    }
    let config = dest_config(given);
    let dest = flavour.dest_ignition();
    if let Some(config) = &config {
        live.file(&dest, MODE, config)?;
    }
    if let Some(text) = generated(flavour, given, config.is_some().then_some(&dest))? {
        all.add_bytes(text.as_bytes()).context("--dest options and --installer-config")?;
        let number = given.options.len();
        live.file(&format!("{directory}/{number:04}-customize.yaml"), MODE, text.as_bytes())?;
    }
    all.check_together().context("parsing installer config")?;
    Ok(all.device().map(str::to_owned))
}

/// Returns the config of the installed system: one is taken as it is, several are merged, and
/// certificates are trusted by all.
fn dest_config(given: &Given) -> Option<Vec<u8>> {
    if given.dest.is_empty() {
        return None;
    }
    if let ([config], []) = (&given.dest[..], &given.authorities[..]) {
        return Some(config.bytes().to_vec());
    }
    let merged = given.dest.iter().map(CheckedConfig::bytes).map(resource::inline).collect();
    let trusted = given.authorities.iter().map(|file| resource::inline(&file.bytes)).collect();
    Some((wrapper(merged, trusted).to_string() + "\n").into_bytes())
}

/// Returns the option file that stands for the options; strings in JSON are strings in YAML.
fn generated(flavour: Flavour, given: &Given, config: Option<&String>) -> Result<Option<String>> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = |key: &str, value: Value| lines.push(format!("{key}: {value}\n"));
    if let Some(device) = &given.device {
        if matches!((flavour, device), (Flavour::Coreos, DeviceSpec::Selector(_))) {
            return Err(anyhow!("the installer of this medium cannot select disks"))
                .hint("give --dest-device a path such as /dev/sda");
        }
        line("dest-device", json!(device.to_string()));
    }
    if let Some(path) = config {
        line("ignition-file", json!(path));
    }
    let texts = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
    for (key, list) in [
        ("console", texts(given.consoles.iter().map(ToString::to_string).collect())),
        ("append-karg", texts(given.append.iter().map(ToString::to_string).collect())),
        ("delete-karg", texts(given.delete.iter().map(ToString::to_string).collect())),
        ("copy-network", (given.installs() && !given.keyfiles.is_empty()).then_some(json!(true))),
    ] {
        if let Some(value) = list {
            line(key, value);
        }
    }
    Ok((!lines.is_empty()).then(|| lines.concat()))
}
