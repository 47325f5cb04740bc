//! systemd units and drop-ins.

use std::collections::{HashMap, HashSet};

use super::unit_file;
use super::{Place, Rules};
use crate::schema::UNIT_SUFFIXES;
use crate::value::Object;

/// Where units are written.
const UNIT_DIR: &str = "/etc/systemd/system/";

/// Returns the files that the units of a config are written to.
pub(super) fn unit_paths(systemd: &Object) -> HashSet<String> {
    let mut paths = HashSet::new();
    for (_, _, unit) in systemd.objects("units") {
        let name = unit.text("name").unwrap_or_default();
        if unit.filled("contents").is_some() {
            paths.insert(format!("{UNIT_DIR}{name}"));
        }
        for (_, _, dropin) in unit.objects("dropins") {
            if dropin.filled("contents").is_some() {
                let dropin = dropin.text("name").unwrap_or_default();
                paths.insert(format!("{UNIT_DIR}{name}.d/{dropin}"));
            }
        }
    }
    paths
}

impl Rules {
    pub(super) fn systemd(&mut self, systemd: &Object, place: &Place<'_>) {
        self.templates(systemd, &place.below(systemd, "units"));
        for (n, value, unit) in systemd.objects("units") {
            self.unit(unit, &place.below(systemd, "units").item(n, value));
        }
    }

    /// Warns of instances that are enabled though their template has no install section.
    fn templates(&mut self, systemd: &Object, place: &Place<'_>) {
        let contents: HashMap<&str, &str> = systemd
            .objects("units")
            .filter_map(|(_, _, unit)| Some((unit.text("name")?, unit.filled("contents")?)))
            .collect();
        for (n, value, unit) in systemd.objects("units") {
            let name = unit.text("name").unwrap_or_default();
            let Some(template) = template_of(name) else { continue };
            if unit.flag("enabled") != Some(true) {
                continue;
            }
            let Some(text) = contents.get(template.as_str()) else { continue };
            if unit_file::sections(text).is_ok_and(|sections| !sections.contains("Install")) {
                let place = place.item(n, value).below(unit, "contents");
                let message = format!(
                    "template unit \"{template}\" for \"{name}\" doesn't have Install section"
                );
                self.warning(&place, message);
            }
        }
    }

    fn unit(&mut self, unit: &Object, place: &Place<'_>) {
        let name = unit.text("name").unwrap_or_default();
        if !extension(name).is_some_and(|e| UNIT_SUFFIXES.contains(&e)) {
            self.error(&place.below(unit, "name"), "invalid systemd unit extension");
        }
        let at = place.below(unit, "contents");
        let text = unit.text("contents").unwrap_or_default();
        let enabled = unit.flag("enabled") == Some(true) && !text.is_empty();
        match unit_file::sections(text) {
            Err(error) => self.error(&at, format!("invalid unit content: {error}")),
            Ok(sections) if enabled && !sections.contains("Install") => self.warning(
                &at,
                format!(
                    "unit {name:?} is enabled, but has no install section so enable does nothing"
                ),
            ),
            Ok(_) => {}
        }
        for (n, value, dropin) in unit.objects("dropins") {
            self.dropin(dropin, &place.below(unit, "dropins").item(n, value));
        }
    }

    fn dropin(&mut self, dropin: &Object, place: &Place<'_>) {
        if let Err(error) = unit_file::sections(dropin.text("contents").unwrap_or_default()) {
            let message = format!("invalid unit content: {error}");
            self.error(&place.below(dropin, "contents"), message);
        }
        let name = dropin.text("name").unwrap_or_default();
        if extension(name) != Some("conf") {
            self.error(&place.below(dropin, "name"), "invalid systemd drop-in extension");
        }
    }
}

/// Returns what follows the last dot of a file name.
fn extension(name: &str) -> Option<&str> {
    name.rsplit('/').next()?.rsplit_once('.').map(|(_, extension)| extension)
}

/// Returns `a@.service` for `a@b.service`.
fn template_of(name: &str) -> Option<String> {
    let (prefix, instance) = name.split_once('@')?;
    let instance = instance.strip_suffix(".service")?;
    (!prefix.is_empty() && !instance.is_empty()).then(|| format!("{prefix}@.service"))
}
