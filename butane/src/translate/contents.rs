//! `inline` and `local` contents become data URLs.

use super::data_url::{Compress, GZIP, encode};
use crate::check::{is_merged_config, merged_config};
use crate::files_dir::FilesDir;
use crate::path::Path;
use crate::report::Report;
use crate::schema::{CONTENTS, Dialect};
use crate::value::{Kind, Object, Value};

/// What contents are made from, besides the config.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'s> {
    /// Where local names lead.
    pub files_dir: &'s FilesDir,
    /// The language of the config; configs that it merges must fit.
    pub dialect: &'s Dialect,
}

/// Replaces the inline and local contents everywhere in `object`.
pub(crate) fn expand(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    if std::ptr::eq(object.shape, &raw const CONTENTS) {
        resource(object, at, sources, report);
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
    if compress == Compress::IfShorter {
        // Always explicit, so that merging configs cannot inherit another compression.
        let compression = if encoded.gzipped { GZIP } else { "" };
        resource.set("compression", Value::new(origin, compression));
    }
}

fn resource(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    let compress = match object.filled("compression") {
        Some(_) => Compress::Never,
        None => Compress::IfShorter,
    };
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
