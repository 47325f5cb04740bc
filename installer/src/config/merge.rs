//! Several configs as one: each becomes a child of a config that is otherwise empty, so that each
//! keeps its own version (Ignition configuration specification, `ignition.config.merge`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::CheckedConfig;
use crate::first_boot::Hostname;

/// Version of a config that only merges others.
const WRAPPER: &str = "3.3.0";

impl CheckedConfig {
    /// Merges configs, of which later ones win, and names the machine: one config is taken as it
    /// is, several become the children of one that is otherwise empty.
    pub fn merge(mut configs: Vec<Self>, hostname: Option<&Hostname>) -> Option<Self> {
        if hostname.is_none() && configs.len() < 2 {
            return configs.pop();
        }
        let named = hostname.map(|name| name_config(name).to_string().into_bytes());
        let children: Vec<Vec<u8>> = configs.into_iter().map(|c| c.bytes).chain(named).collect();
        let merge: Vec<Value> = children.iter().map(|c| as_child(c)).collect();
        let parent = json!({"ignition": {"version": WRAPPER, "config": {"merge": merge}}});
        Some(Self { bytes: parent.to_string().into_bytes() })
    }
}

fn as_child(config: &[u8]) -> Value {
    json!({"source": format!("data:;base64,{}", BASE64.encode(config))})
}

/// Returns a config that only names the machine.
fn name_config(name: &Hostname) -> Value {
    let file = json!({
        "path": "/etc/hostname",
        "mode": 0o644,
        "overwrite": true,
        "contents": {"source": format!("data:,{name}%0A")},
    });
    json!({"ignition": {"version": WRAPPER}, "storage": {"files": [file]}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> CheckedConfig {
        CheckedConfig { bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn one_config_stays_as_it_is_and_several_become_children() {
        assert_eq!(CheckedConfig::merge(vec![], None), None);
        assert_eq!(CheckedConfig::merge(vec![config("{}")], None), Some(config("{}")));
        let name = "node1".parse().unwrap();
        let merged = CheckedConfig::merge(vec![config("{}"), config("{ }")], Some(&name)).unwrap();
        let report = nestos_butane::ignition::validate(merged.bytes());
        assert_eq!(report, nestos_butane::Report::default());
        let value: Value = serde_json::from_slice(merged.bytes()).unwrap();
        let children = value["ignition"]["config"]["merge"].as_array().unwrap();
        let child = |at: usize| {
            let source = children[at]["source"].as_str().unwrap();
            BASE64.decode(source.strip_prefix("data:;base64,").unwrap()).unwrap()
        };
        assert_eq!((children.len(), child(0), child(1)), (3, b"{}".to_vec(), b"{ }".to_vec()));
        let named = nestos_butane::ignition::validate(&child(2));
        assert_eq!(named, nestos_butane::Report::default());
        assert!(String::from_utf8(child(2)).unwrap().contains("data:,node1%0A"));
    }
}
