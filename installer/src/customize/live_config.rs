//! The Ignition config of the live system, as it is put together.

use anyhow::{Result, anyhow, bail};
use nestos_butane::ignition;
use serde_json::{Value, json};

use super::resource;
use crate::findings::Findings;

/// Version of the config; configs that it merges have their own.
const VERSION: &str = "3.3.0";

/// A config without content, or with some.
#[derive(Debug, Default)]
pub(super) struct LiveConfig {
    merged: Vec<Value>,
    authorities: Vec<Value>,
    files: Vec<(String, Value)>,
    units: Vec<(String, Value)>,
}

impl LiveConfig {
    /// Merges another config.
    pub(super) fn merge(&mut self, config: &[u8]) {
        self.merged.push(resource::inline(config));
    }

    /// Trusts certificates.
    pub(super) fn trust(&mut self, bundle: &[u8]) {
        self.authorities.push(resource::inline(bundle));
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        if self.files.iter().any(|(other, _)| other == path) {
            bail!("config already specifies path {path}");
        }
        let contents = resource::inline(content);
        let file = json!({"path": path, "mode": mode, "contents": contents});
        self.files.push((path.to_owned(), file));
        Ok(())
    }

    /// Adds a unit that is started.
    pub(super) fn unit(&mut self, name: &str, contents: &str) -> Result<()> {
        if self.units.iter().any(|(other, _)| other == name) {
            bail!("config already specifies unit {name}");
        }
        let unit = json!({"name": name, "enabled": true, "contents": contents});
        self.units.push((name.to_owned(), unit));
        Ok(())
    }

    /// Returns the config; `None` if there is nothing in it: any config keeps the live system
    /// from logging in by itself.
    pub(super) fn into_bytes(self) -> Result<Option<Vec<u8>>> {
        let values = |list: Vec<(String, Value)>| -> Vec<Value> {
            list.into_iter().map(|(_, value)| value).collect()
        };
        let (files, units) = (values(self.files), values(self.units));
        let lists = [&self.merged, &self.authorities, &files, &units];
        if lists.iter().all(|list| list.is_empty()) {
            return Ok(None);
        }
        let mut config = wrapper(self.merged, self.authorities);
        if !files.is_empty() {
            config["storage"] = json!({"files": files});
        }
        if !units.is_empty() {
            config["systemd"] = json!({"units": units});
        }
        let bytes = config.to_string().into_bytes();
        let found = Findings::new(&ignition::validate(&bytes), "the config of the live system");
        match found.refusal {
            Some(reason) => Err(anyhow!("the config of the live system is not valid: {reason}")),
            None => Ok(Some(bytes)),
        }
    }
}

/// Returns a config that merges others, and trusts certificates.
pub(super) fn wrapper(merged: Vec<Value>, authorities: Vec<Value>) -> Value {
    let mut ignition = json!({"version": VERSION});
    if !merged.is_empty() {
        ignition["config"] = json!({"merge": merged});
    }
    if !authorities.is_empty() {
        ignition["security"] = json!({"tls": {"certificateAuthorities": authorities}});
    }
    json!({"ignition": ignition})
}
