//! `inline` and `local` contents become data URLs; other local files become text.

use crate::Options;
use crate::check::{is_merged_config, merged_config};
use crate::data_url::gzip::Gzip;
use crate::data_url::{Body, Compress, DataUrl};
use crate::files_dir::{FilesDir, NOT_GIVEN};
use crate::nested::{self, Nesting};
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
    /// How it is compiled, and how configs that it merges are.
    pub options: &'s Options,
    /// The configs that it is merged into.
    pub nesting: &'s Nesting,
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

    /// Returns the Ignition config in a local file, compiled if need be, and says what is wrong
    /// with it.
    fn merged(&self, (local, at): (&str, &Path), bytes: Vec<u8>, report: &mut Report) -> Body {
        if !nested::is_butane(local) {
            report.entries.extend(merged_config(&bytes, self.dialect, at).entries);
            return Body::Bytes(bytes);
        }
        // It was just read from there.
        let file = self.files_dir.resolve(local).unwrap_or_default();
        match self.nesting.compile((&file, local), &bytes, self.options) {
            Ok(compiled) => {
                report.entries.extend(compiled.warnings.entries);
                if compiled.ignition_minor > self.dialect.ignition {
                    report.warning(
                        at,
                        format!(
                            "{local} needs Ignition spec {}, newer than that of this config",
                            compiled.ignition_version
                        ),
                    );
                }
                Body::Text(compiled.json.into())
            }
            Err(inner) => {
                let failure = inner.failure.unwrap_or_default();
                let reason = match inner.causes.is_empty() {
                    true => format!("{local} cannot be compiled: {failure}"),
                    false => format!("{local} cannot be compiled"),
                };
                report.entries.extend(inner.entries);
                report.entries.extend(inner.causes);
                report.error(at, reason);
                Body::Bytes(vec![])
            }
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

/// Makes `body` the source of a resource; [`settle`] decides later how it is written.
pub(crate) fn set(resource: &mut Object, body: Body, compress: Compress, origin: &Path) {
    resource.set("source", Value::new(origin, DataUrl::new(body, compress)));
}

/// Decides how all contents are written, and notes the compression where the config did not.
/// Compressing is most of the work of a large config; all processors take part.
pub(crate) fn settle(config: &mut Object) {
    let mut open = vec![];
    collect_open(config, &mut open);
    let total: usize = open.iter().map(|resource| size(resource)).sum();
    let workers = match total {
        ..WORTH_A_THREAD => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let share = total / workers + 1;
    std::thread::scope(|scope| {
        while !open.is_empty() {
            let mut taken = 0;
            let cut = open.iter().position(|resource| {
                taken += size(resource);
                taken > share
            });
            let later = open.split_off(cut.map_or(open.len(), |cut| cut.max(1)));
            let mine = std::mem::replace(&mut open, later);
            if open.is_empty() {
                settle_each(mine);
            } else {
                scope.spawn(|| settle_each(mine));
            }
        }
    });
}

/// Below this size all is done before another thread has started.
const WORTH_A_THREAD: usize = 64 * 1024;

fn collect_open<'c>(object: &'c mut Object, open: &mut Vec<&'c mut Object>) {
    if open_url(object).is_some() {
        open.push(object);
        return;
    }
    for (_, value) in object.fields_mut() {
        match &mut value.kind {
            Kind::Object(below) => collect_open(below, open),
            Kind::List(items) => {
                for item in items {
                    if let Kind::Object(below) = &mut item.kind {
                        collect_open(below, open);
                    }
                }
            }
            _ => {}
        }
    }
}

fn open_url(resource: &Object) -> Option<&DataUrl> {
    let known = std::ptr::eq(resource.shape, &raw const CONTENTS);
    match known.then(|| resource.get("source")).flatten().map(|source| &source.kind) {
        Some(Kind::Data(url)) if url.is_open() => Some(url),
        _ => None,
    }
}

fn size(resource: &Object) -> usize {
    open_url(resource).map_or(0, DataUrl::len)
}

fn settle_each(resources: Vec<&mut Object>) {
    let mut gzip = Gzip::new();
    for resource in resources {
        let Some(source) = resource.get_mut("source") else { continue };
        let origin = source.origin.clone();
        let Kind::Data(url) = &mut source.kind else { continue };
        if let Some(compression) = url.settle(&mut gzip) {
            resource.set("compression", Value::new(&origin, compression));
        }
    }
}

fn resource(object: &mut Object, at: &Path, sources: &Sources<'_>, report: &mut Report) {
    let compress = sources.compress(object);
    if let Some(Value { kind: Kind::Text(local), .. }) = object.take("local") {
        let origin = at.key("local");
        match sources.files_dir.read(&local) {
            Ok(bytes) if is_merged_config(at) => {
                let body = sources.merged((&local, &origin), bytes, report);
                set(object, body, compress, &origin);
            }
            Ok(bytes) => set(object, Body::Bytes(bytes), compress, &origin),
            Err(message) => report.error(&origin, message),
        }
    }
    let origin = at.key("inline");
    match object.take("inline").map(|value| value.kind) {
        Some(Kind::Text(text)) => set(object, Body::Text(text), compress, &origin),
        Some(Kind::Bytes(bytes)) => set(object, Body::Bytes(bytes), compress, &origin),
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
