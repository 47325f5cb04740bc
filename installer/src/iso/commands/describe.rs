//! `iso describe`: what an image is, and what it was customised with.

use std::path::Path;

use anyhow::Result;
use nestos_formats::live_media::Features;
use nestos_host::term;
use serde::Serialize;
use serde_json::{Value, json};

use crate::customize::summary::Summary;
use crate::iso::kargs_edit::split;
use crate::iso::live_iso::{Access, LiveIso};
use crate::list_stream::Layout;

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Description {
    kind: &'static str,
    system: &'static str,
    volume: String,
    size: u64,
    customized: bool,
    kernel_arguments: Option<Kargs>,
    embed_area: Area,
    embedded: Summary,
    features: Features,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Kargs {
    current: String,
    default: String,
    area_size: u64,
    files: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Area {
    size: u64,
    used: u64,
}

pub(super) fn run(path: &Path, layout: Layout) -> Result<()> {
    let mut iso = LiveIso::open(path, Access::Read)?;
    let members = iso.members()?;
    let used = if members.is_empty() { 0 } else { members.pack()?.len() as u64 };
    let kargs = iso.kargs().map(|areas| Kargs {
        current: without_secrets(areas.current()),
        default: without_secrets(areas.default_kargs()),
        area_size: areas.size(),
        files: areas.areas().iter().map(|area| area.file.path.clone()).collect(),
    });
    let described = Description {
        kind: "live-iso",
        system: iso.flavour().title(),
        volume: iso.volume().id().to_owned(),
        size: iso.volume().length(),
        customized: iso.is_customised()?,
        kernel_arguments: kargs,
        embed_area: Area { size: iso.ignition_area()?.length, used },
        embedded: Summary::of(&members, iso.flavour()),
        features: iso.features().clone(),
    };
    match layout {
        Layout::Json => term::result(serde_json::to_string_pretty(&described)?),
        Layout::Table => lines(&described).iter().for_each(term::result),
    }
    Ok(())
}

fn lines(described: &Description) -> Vec<String> {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" };
    let mut pairs = vec![
        ("image", format!("{} live ISO", described.system)),
        ("volume", described.volume.clone()),
        ("customized", yes_no(described.customized).to_owned()),
    ];
    if let Some(kargs) = &described.kernel_arguments {
        pairs.push(("kernel args", kargs.current.clone()));
        if kargs.current != kargs.default {
            pairs.push(("by default", kargs.default.clone()));
        }
    }
    let Area { size, used } = described.embed_area;
    pairs.push(("embedded", format!("{used} of {size} bytes")));
    pairs.extend(described.embedded.lines());
    pairs.into_iter().map(|(what, which)| format!("{:16}{which}", format!("{what}:"))).collect()
}

/// Returns kernel arguments without what may open doors: passwords and queries of addresses.
fn without_secrets(kargs: &str) -> String {
    let words = split(kargs).into_iter().map(|word| {
        let url = word.split_once('=').and_then(|(name, value)| {
            Some(format!("{name}={}", nestos_fetch::shown(&nestos_fetch::parse_url(value).ok()?)))
        });
        url.unwrap_or(word)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns where the areas of an image are, as `dev show iso` prints it.
pub fn areas(iso: &LiveIso, what: Areas) -> Result<Value> {
    match what {
        Areas::Ignition => {
            let area = iso.ignition_area()?;
            Ok(json!({"offset": area.offset, "length": area.length}))
        }
        Areas::Kargs => {
            let areas = iso.need_kargs()?;
            let listed: Vec<Value> = areas
                .areas()
                .iter()
                .map(|area| {
                    let mut listed = json!({"offset": area.extent.offset, "length": areas.size()});
                    for (key, value) in [("pad", &area.file.pad), ("end", &area.file.end)] {
                        if let Some(value) = value {
                            listed[key] = json!(value);
                        }
                    }
                    listed
                })
                .collect();
            let default = areas.default_kargs();
            Ok(json!({"length": areas.size(), "default": default, "kargs": listed}))
        }
    }
}

/// Which areas are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Areas {
    /// That for a config.
    Ignition,
    /// Those for kernel arguments.
    Kargs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_may_open_doors() {
        let given = "quiet x=\"a  b\" nestos.inst.image_url=https://u:secret@h/i?token=secret a=b";
        let shown = without_secrets(given);
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.starts_with("quiet x=\"a  b\" nestos.inst.image_url=https://u:"), "{shown}");
        assert!(shown.ends_with(" a=b"), "{shown}");
    }
}
