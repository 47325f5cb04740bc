//! `/etc/containers/registries.conf` and the fragments beside it: containers-registries.conf(5),
//! version 2. It says from where an image is really fetched, and is the only thing that lets a
//! registry be asked without TLS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::image_ref::RegistryName;
use nestos_host::term::WithHint;
use serde::Deserialize;

/// How much a host is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only with TLS, and a certificate that is verified.
    Verified,
    /// Also with a certificate that is not, and without TLS.
    Insecure,
}

impl Trust {
    fn new(insecure: bool) -> Self {
        if insecure { Self::Insecure } else { Self::Verified }
    }
}

/// For which references a mirror is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFromMirror {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// A place that an image is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The image there.
    pub name: RegistryName,
    /// How much the host is believed.
    pub trust: Trust,
    /// It stands in for the registry that the image is named after.
    pub role: Role,
}

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A `[[registry.mirror]]`.
    Mirror,
    /// The registry itself.
    Location,
}

/// All rules, by their prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistriesConf(BTreeMap<String, Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    location: Option<String>,
    trust: Trust,
    blocked: bool,
    mirrors: Vec<Mirror>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    location: String,
    trust: Trust,
    pull: PullFromMirror,
}

impl RegistriesConf {
    /// Reads the files of a machine. A rule of a later file replaces the one with the same prefix.
    pub fn load(root: &Path) -> Result<Self> {
        let main = root.join("etc/containers/registries.conf");
        let fragments = fragments(&root.join("etc/containers/registries.conf.d"))?;
        let mut all = Self::default();
        for file in std::iter::once(main).chain(fragments) {
            let text = match std::fs::read_to_string(&file) {
                Ok(text) => text,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
            };
            let rules = Self::parse(&text).with_context(|| format!("in {}", file.display()))?;
            all.0.extend(rules.0);
        }
        Ok(all)
    }

    /// Reads the text of one file.
    pub fn parse(text: &str) -> Result<Self> {
        let raw: RawConf = toml::from_str(text).map_err(|e| anyhow!("{}", e.to_string().trim()))?;
        if !(raw.registries.insecure.registries.is_empty()
            && raw.registries.block.registries.is_empty())
        {
            return Err(anyhow!("[registries.insecure] and [registries.block] are version 1"))
                .hint("write [[registry]] tables, see containers-registries.conf(5)");
        }
        raw.registry.into_iter().map(rule).collect::<Result<_>>().map(Self)
    }

    /// Returns where to fetch an image from, in the order to try.
    pub fn places(&self, name: &RegistryName) -> Result<Vec<Place>> {
        let text = name.to_string();
        let matching = |(prefix, _): &(&String, &Rule)| matched(prefix, &text).is_some();
        let Some((prefix, rule)) = self.0.iter().filter(matching).max_by_key(|(p, _)| p.len())
        else {
            let name = name.clone();
            return Ok(vec![Place { name, trust: Trust::Verified, role: Role::Location }]);
        };
        if rule.blocked {
            return Err(anyhow!("{name} is blocked by the rule for {prefix:?}"))
                .hint("see /etc/containers/registries.conf and registries.conf.d");
        }
        let rest = &text[matched(prefix, &text).unwrap_or(text.len())..];
        let at = |location: &str| -> Result<RegistryName> {
            format!("{location}{rest}")
                .parse()
                .with_context(|| format!("the rule for {prefix:?} in registries.conf"))
        };
        let mut places = Vec::new();
        for mirror in &rule.mirrors {
            let asked = match mirror.pull {
                PullFromMirror::All => true,
                PullFromMirror::DigestOnly => name.digest.is_some(),
                PullFromMirror::TagOnly => name.digest.is_none(),
            };
            if asked {
                let name = at(&mirror.location)?;
                places.push(Place { name, trust: mirror.trust, role: Role::Mirror });
            }
        }
        let name = rule.location.as_deref().map_or_else(|| Ok(name.clone()), at)?;
        places.push(Place { name, trust: rule.trust, role: Role::Location });
        Ok(places)
    }
}

#[derive(Deserialize)]
struct RawConf {
    #[serde(default)]
    registry: Vec<RawRegistry>,
    #[serde(default)]
    registries: RawVersion1,
}

#[derive(Default, Deserialize)]
struct RawVersion1 {
    #[serde(default)]
    insecure: RawList,
    #[serde(default)]
    block: RawList,
}

#[derive(Default, Deserialize)]
struct RawList {
    #[serde(default)]
    registries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawRegistry {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<RawMirror>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<PullFromMirror>,
}

fn rule(raw: RawRegistry) -> Result<(String, Rule)> {
    let location = location(&raw.location)?;
    let prefix = match (raw.prefix.trim_end_matches('/'), &location) {
        ("", Some(location)) => location.clone(),
        ("", None) => bail!("a [[registry]] has neither prefix nor location"),
        (prefix, None) if !prefix.starts_with("*.") => {
            bail!("the [[registry]] with prefix {prefix:?} has no location")
        }
        (prefix, _) => prefix.to_owned(),
    };
    let usual =
        if raw.mirror_by_digest_only { PullFromMirror::DigestOnly } else { PullFromMirror::All };
    let mirror = |m: RawMirror| -> Result<Mirror> {
        let found = self::location(&m.location)?;
        let location = found.ok_or_else(|| anyhow!("a mirror of {prefix:?} has no location"))?;
        let (trust, pull) = (Trust::new(m.insecure), m.pull_from_mirror.unwrap_or(usual));
        Ok(Mirror { location, trust, pull })
    };
    let mirrors = raw.mirror.into_iter().map(mirror).collect::<Result<_>>()?;
    let (trust, blocked) = (Trust::new(raw.insecure), raw.blocked);
    Ok((prefix, Rule { location, trust, blocked, mirrors }))
}

fn location(text: &str) -> Result<Option<String>> {
    let text = text.trim_end_matches('/');
    if text.contains("://") {
        bail!("the location {text:?} is a URL, and a host or HOST/REPOSITORY was expected");
    }
    Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
}

/// Returns how much of an image's name a prefix takes, when it fits.
fn matched(prefix: &str, name: &str) -> Option<usize> {
    let end = match prefix.strip_prefix('*').filter(|domain| domain.starts_with('.')) {
        Some(domain) => {
            let host = name.split(['/', ':', '@']).next()?;
            host.ends_with(domain).then_some(host.len())?
        }
        None => name.starts_with(prefix).then_some(prefix.len())?,
    };
    let behind = name.get(end..)?;
    (behind.is_empty() || behind.starts_with(['/', ':', '@'])).then_some(end)
}

fn fragments(dir: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot read {}", dir.display());
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(context),
    };
    let paths = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.with_context(context)?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "conf"));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
