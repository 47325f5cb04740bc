//! `inline` and `local` contents become data URLs; other local files become text.

use super::data_url::{Compress, GZIP, encode};
use crate::check::{is_merged_config, merged_config};
use crate::files_dir::{FilesDir, NOT_GIVEN};
use crate::path::Path;
use crate::report::Report;
use crate::schema::{CONTENTS, DROPIN, Dialect, Feature, UNIT, USER};
use crate::value::{Kind, Object, Value};

/// What contents are made from, besides the config.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'s> {
    /// Where local names lead.
    pub files_dir: &'s FilesDir,
    /// The language of the config; configs that it merges must fit.
    pub dialect: &'s Dialect,
}

impl Sources<'_> {
    /// Returns how contents are encoded whose compression the config leaves open.
    pub(crate) fn compress(&self, resource: &Object) -> Compress {
        if !self.dialect.does(Feature::ShortestContents) {
            return Compress::PercentOnly;
        }
        match resource.filled("compression") {
            Some(_) => Compress::Given,
            None if self.dialect.compresses() => Compress::IfShorter,
            None => Compress::Never,
        }
    }
}

/// Replaces the inline and local contents everywhere in `object`.
pub(crate) fn expand(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    if std::ptr::eq(object.shape, &raw const CONTENTS) {
        resource(object, at, sources, report);
    } else if std::ptr::eq(object.shape, &raw const UNIT)
        || std::ptr::eq(object.shape, &raw const DROPIN)
    {
        unit_text(object, at, sources, report);
    } else if std::ptr::eq(object.shape, &raw const USER) {
        ssh_keys(object, at, sources, report);
    }
    for (_, value) in object.fields_mut() {
        let origin = value.origin.clone();
        match &mut value.kind {
            Kind::Object(below) => expand(below, &origin, sources, report),
            Kind::List(items) => {
                for item in items {
                    let origin = item.origin.clone();
                    if let Kind::Object(below) = &mut item.kind {
                        expand(below, &origin, sources, report);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Stores `bytes` as the source of a resource; notes the compression unless the config did.
pub(crate) fn set(resource: &mut Object, bytes: &[u8], compress: Compress, origin: &Path) {
    let encoded = encode(bytes, compress);
    resource.set("source", Value::new(origin, encoded.url));
    if matches!(compress, Compress::IfShorter | Compress::Never) {
        // Always explicit, so that merging configs cannot inherit another compression.
        let compression = if encoded.gzipped { GZIP } else { "" };
        resource.set("compression", Value::new(origin, compression));
    }
}

fn resource(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    let compress = sources.compress(object);
    if let Some(Value { kind: Kind::Text(local), .. }) = object.take("local") {
        let origin = at.key("local");
        match sources.files_dir.read(&local) {
            Ok(bytes) => {
                if is_merged_config(at) {
                    let found = merged_config(&bytes, sources.dialect, &origin);
                    report.entries.extend(found.entries);
                }
                set(object, &bytes, compress, &origin);
            }
            Err(message) => report.error(&origin, message),
        }
    }
    let origin = at.key("inline");
    match object.take("inline").map(|value| value.kind) {
        Some(Kind::Text(text)) => set(object, text.as_bytes(), compress, &origin),
        Some(Kind::Bytes(bytes)) => set(object, &bytes, compress, &origin),
        _ => {}
    }
}

/// Reads the text of a unit or drop-in from a file.
fn unit_text(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    let Some(local) = object.take("contents_local") else { return };
    let Some(name) = local.as_text().filter(|name| !name.is_empty()) else { return };
    match sources.files_dir.read_text(name) {
        Ok(text) => object.set("contents", Value::new(&at.key("contents_local"), text)),
        Err(message) => report.error(&at.key("contents_local"), message),
    }
}

/// Appends the keys of files, one a line, to those that the config spells out.
fn ssh_keys(user: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    let origin = at.key("ssh_authorized_keys_local");
    let Some(Value { kind: Kind::List(files), .. }) = user.take("ssh_authorized_keys_local") else {
        return;
    };
    if !files.is_empty() && sources.files_dir.is_missing() {
        return report.error(&origin, NOT_GIVEN);
    }
    for file in &files {
        let text = match sources.files_dir.read_text(file.as_text().unwrap_or_default()) {
            Ok(text) => text,
            Err(message) => {
                report.error(&file.origin, message);
                continue;
            }
        };
        let Some(keys) = user.list_mut("sshAuthorizedKeys", &origin) else { continue };
        let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        keys.extend(lines.filter(|line| !line.is_empty()).map(|l| Value::new(&file.origin, l)));
    }
}
