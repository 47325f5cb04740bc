//! The config that the first boot applies: read, compiled if it is a Butane config, and checked
//! before a disk is touched.

pub mod embedded;
mod hash;
mod merge;

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use nestos_butane::{Compiled, Lint, Options, compile, ignition};
use nestos_formats::yaml;
use nestos_host::term;
use nestos_host::term::WithHint;
use reqwest::Url;

use crate::fetch::{self, Retries};
use crate::findings::Findings;
use crate::recreated;

pub use hash::{ConfigHash, ConfigHashError};

/// Most bytes of a config: more would not fit beside the kernels of `/boot`.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Where a config comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A local file.
    File(PathBuf),
    /// A web server.
    Url(Url),
    /// Made by the caller; never stored outside the disk it goes to.
    Text(String),
}

impl FromStr for ConfigSource {
    type Err = Infallible;

    /// Takes `http://` and `https://` for URLs and everything else for a path.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let url = fetch::parse_url(text).map(Self::Url);
        Ok(url.unwrap_or_else(|_not_a_url| Self::File(PathBuf::from(text))))
    }
}

/// An Ignition config without errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedConfig {
    bytes: Vec<u8>,
}

impl CheckedConfig {
    /// Reads a config, compiles it if it is a Butane config, and checks it; what is probably not
    /// meant is warned about.
    pub fn load(source: &ConfigSource, loading: Loading<'_>) -> Result<Self> {
        let (name, bytes) = match source {
            ConfigSource::File(path) => {
                let name = path.display().to_string();
                let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
                let bytes = read_all(file, &name)?;
                (name, bytes)
            }
            ConfigSource::Url(url) => {
                let name = fetch::shown(url);
                if url.scheme() == "http" && loading.hash.is_none() {
                    term::warning(format!(
                        "{name} is fetched without encryption: whoever controls the network \
                         controls the config"
                    ));
                }
                let bytes = read_all(fetch::open(url, loading.retries)?, &name)?;
                (name, bytes)
            }
            ConfigSource::Text(text) => ("the config".to_owned(), text.clone().into_bytes()),
        };
        if let Some(hash) = loading.hash {
            hash.check(&bytes).with_context(|| format!("cannot use {name} as a config"))?;
        }
        let language = Language::of(&bytes);
        let hint = language.advice(&bytes);
        let (config, found) = language.check(bytes, &name);
        found.warnings.iter().for_each(term::warning);
        if let Some(reason) = found.refusal {
            return Err(anyhow!("this is not a valid {language} config: {reason}"))
                .hint(hint)
                .with_context(|| format!("cannot use {name} as a config"));
        }
        Ok(Self { bytes: config })
    }

    /// Returns the Ignition config.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the configs that it is made of, those that it carries in itself included.
    pub fn parts(&self) -> Vec<Vec<u8>> {
        recreated::with_children(&self.bytes)
    }

    /// Returns the versions of its parts.
    pub fn versions(&self) -> Vec<String> {
        let version = |part: Vec<u8>| {
            let value: serde_json::Value = serde_json::from_slice(&part).ok()?;
            value["ignition"]["version"].as_str().map(str::to_owned)
        };
        self.parts().into_iter().filter_map(version).collect()
    }
}

/// How configs are fetched and checked.
#[derive(Debug, Clone, Copy)]
pub struct Loading<'a> {
    /// How often a download starts again.
    pub retries: Retries,
    /// Digest asked for.
    pub hash: Option<&'a ConfigHash>,
}

fn read_all(from: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(LIMIT + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > LIMIT {
        bail!("{name} is longer than {} MiB: that is no config", LIMIT / 1024 / 1024);
    }
    Ok(bytes)
}

/// What a config is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Ignition,
    Butane,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignition => "Ignition",
            Self::Butane => "Butane",
        })
    }
}

impl Language {
    /// Tells Butane by its content: YAML with the key `variant`, which Ignition does not have. A
    /// text that is no YAML is Butane if a line begins with that key.
    fn of(bytes: &[u8]) -> Self {
        const KEY: &[u8] = b"variant";
        // Ignition configs may be long, and JSON is slow to read as YAML.
        let named = bytes.windows(KEY.len()).any(|w| w == KEY);
        let butane = named
            && match yaml::parse_lenient(bytes) {
                Ok(root) => root.get("variant").is_some(),
                Err(_) => bytes.split(|b| *b == b'\n').any(|line| line.starts_with(b"variant:")),
            };
        if butane { Self::Butane } else { Self::Ignition }
    }

    /// Returns the Ignition config, empty if there is none, and what was found in the given one.
    fn check(self, bytes: Vec<u8>, name: &str) -> (Vec<u8>, Findings) {
        match self {
            Self::Ignition => {
                let found = Findings::new(&ignition::validate(&bytes), name);
                (bytes, found)
            }
            Self::Butane => {
                // A mistake that is not found now is found by a machine that does not come up.
                let options = Options { lint: Lint::On, ..Options::default() };
                match compile(&bytes, &options) {
                    Ok(Compiled { json, mut warnings, lint, .. }) => {
                        warnings.entries.extend(lint.entries);
                        ((json + "\n").into_bytes(), Findings::new(&warnings, name))
                    }
                    Err(report) => (vec![], Findings::new(&report, name)),
                }
            }
        }
    }

    fn advice(self, bytes: &[u8]) -> &'static str {
        let json = bytes.trim_ascii_start().starts_with(b"{");
        match self {
            Self::Butane => {
                "a config that names local files is compiled by: butane --files-dir DIR"
            }
            Self::Ignition if json => "write ignition.version from 3.0.0 to 3.6.0",
            Self::Ignition => {
                "an Ignition config is JSON; a Butane config begins with variant: nestos"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &str) -> String {
        let bytes = config.as_bytes();
        let (_, found) = Language::of(bytes).check(bytes.to_vec(), "c");
        found.refusal.unwrap_or_default()
    }

    #[test]
    fn the_content_tells_butane_from_ignition() {
        for (config, language) in [
            ("variant: nestos\n", Language::Butane),
            ("# ours\n'variant': nestos\n", Language::Butane),
            (r#"{"variant": "nestos", "version": "1.0.0"}"#, Language::Butane),
            ("variant: nestos\n\tversion: 1", Language::Butane),
            (r#"{"ignition": {"version": "3.3.0"}, "variants": []}"#, Language::Ignition),
            ("a: {variant: nestos}", Language::Ignition),
            ("version: 1.0.0", Language::Ignition),
            ("", Language::Ignition),
        ] {
            assert_eq!(Language::of(config.as_bytes()), language, "{config}");
        }
    }

    #[test]
    fn configs_are_refused_with_the_place_and_the_reason() {
        let ignition = |rest: &str| format!(r#"{{"ignition":{{"version":"3.3.0"}},{rest}}}"#);
        for (config, reason) in [
            ("{".to_owned(), "c:1:2: unexpected end of JSON input"),
            ("{}".to_owned(), "invalid config version"),
            (r#"{"ignition":{"version":"2.3.0"}}"#.to_owned(), "unsupported config version"),
            (ignition(r#""storage":{"files":[{"path":"a"}]}"#), "c:1:61: path not absolute"),
            (ignition(r#""storage":[]"#), "c:1:43: json: cannot unmarshal array"),
            ("variant: nestos\nversion: 1.0.0\npasswd: 1\n".to_owned(), "c:3:9: cannot unmarshal"),
            ("variant: nestos\n\tversion: 1".to_owned(), "c:2:1: found a tab"),
            ("variant: fcos\nversion: 9.0.0".to_owned(), "No translator exists for variant fcos"),
        ] {
            assert!(refusal(&config).contains(reason), "{config}: {}", refusal(&config));
        }
    }

    #[test]
    fn butane_becomes_the_ignition_config_that_is_installed() {
        let text = b"variant: nestos\nversion: 1.0.0\npaswd: {}\n";
        let (config, found) = Language::Butane.check(text.to_vec(), "c.bu");
        assert_eq!(String::from_utf8(config).unwrap(), "{\"ignition\":{\"version\":\"3.3.0\"}}\n");
        let warning = "c.bu:3:1: unused key paswd ($.paswd); did you mean passwd?";
        assert_eq!(found.warnings, [warning]);
        assert_eq!(found.refusal, None);
    }

    #[test]
    fn a_key_that_would_lock_the_admin_out_is_warned_about() {
        let text = b"variant: nestos\nversion: 1.0.0\npasswd:\n  users:\n    - name: a\n      \
                     ssh_authorized_keys: [ssh-ed25519 AAAAC3Nz]\n";
        let (_, found) = Language::Butane.check(text.to_vec(), "c.bu");
        let [warning] = found.warnings.as_slice() else { panic!("{found:?}") };
        assert!(warning.starts_with("c.bu:6:29: sshd will ignore this key"), "{warning}");
        assert_eq!(found.refusal, None);
    }

    #[test]
    fn http_addresses_are_urls_and_the_rest_are_paths() {
        let kinds = ["http://a/b.ign", "https://a/b.ign", "ftp://a/b", "c.ign"]
            .map(|s| matches!(s.parse(), Ok(ConfigSource::Url(_))));
        assert_eq!(kinds, [true, true, false, false]);
    }
}
