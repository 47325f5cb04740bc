//! The Ignition config that the first boot applies: read and checked before a disk is touched.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use ignition_config::{Config, Error};
use nestos_host::term;
use nestos_host::term::WithHint;
use reqwest::Url;

use crate::fetch::{self, Retries};

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

/// A config that was parsed and has a version we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedConfig(Vec<u8>);

impl CheckedConfig {
    /// Reads and checks a config; keys that Ignition does not know are warned about.
    pub fn load(source: &ConfigSource, retries: Retries) -> Result<Self> {
        let (name, bytes) = match source {
            ConfigSource::File(path) => {
                let name = path.display().to_string();
                let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
                (name, bytes)
            }
            ConfigSource::Url(url) => {
                if url.scheme() == "http" {
                    term::warning(format!(
                        "{url} is fetched without encryption: whoever controls the network \
                         controls the config"
                    ));
                }
                (url.to_string(), fetch::config(url, retries)?)
            }
            ConfigSource::Text(text) => ("the config".to_owned(), text.clone().into_bytes()),
        };
        for warning in check(&bytes).with_context(|| format!("cannot use {name} as a config"))? {
            term::warning(format!("{name}: {warning}"));
        }
        Ok(Self(bytes))
    }

    /// Returns the config as it was given.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn check(bytes: &[u8]) -> Result<Vec<String>> {
    match Config::parse_slice(bytes) {
        Ok((_config, warnings)) => Ok(warnings.iter().map(ToString::to_string).collect()),
        Err(Error::UnknownVersion(version)) => {
            Err(anyhow!("Ignition config version {version} is not supported"))
                .hint("use a version from 3.0.0 to 3.6.0 in ignition.version")
        }
        Err(e) if looks_like_butane(bytes) => Err(anyhow!("this is not Ignition JSON: {e}"))
            .hint("it looks like a Butane file; compile it first: butane FILE -o config.ign"),
        Err(e) => Err(anyhow!("this is not a valid Ignition config: {e}")),
    }
}

fn looks_like_butane(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).lines().any(|line| line.starts_with("variant:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::term::error_lines;

    #[test]
    fn configs_are_refused_with_the_reason() {
        for (config, reason) in [
            ("{", "line 1 column 1"),
            ("{}", "missing field `ignition`"),
            (r#"{"ignition":{"version":"2.3.0"}}"#, "version 2.3.0 is not supported"),
            (r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{}]}}"#, "missing field"),
            ("variant: nestos\nversion: 1.0.0\n", "hint: it looks like a Butane file"),
        ] {
            let lines = error_lines(&check(config.as_bytes()).unwrap_err()).join("\n");
            assert!(lines.contains(reason), "{config}: {lines}");
        }
    }

    #[test]
    fn unknown_keys_are_warned_about() {
        let warnings = check(br#"{"ignition":{"version":"3.3.0"},"pasword":{}}"#).unwrap();
        assert_eq!(warnings, ["unused key: $.pasword"]);
    }

    #[test]
    fn http_addresses_are_urls_and_the_rest_are_paths() {
        let kinds = ["http://a/b.ign", "https://a/b.ign", "ftp://a/b", "c.ign"]
            .map(|s| matches!(s.parse(), Ok(ConfigSource::Url(_))));
        assert_eq!(kinds, [true, true, false, false]);
    }
}
