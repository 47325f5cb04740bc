//! Keys that the schema does not know: a warning each, with the place of the key.

use nestos_formats::yaml::Node;

use crate::path::{Part, Path};
use crate::report::{Entry, Hint, Report, Severity, child};
use crate::schema::{DIALECTS, Dialect, Field, Shape, Type};
use crate::suggest::closest;
use crate::value::Object;

/// Reports the unknown keys of a config, level by level in the order of the schema.
pub(crate) fn report(
    root: &Node,
    config: &Object,
    shape: &'static Shape,
    dialect: &Dialect,
) -> Report {
    let mut walk = Walk { dialect, report: Report::default() };
    walk.object(root, Some(config), shape, &Path::default());
    walk.report
}

struct Walk<'d> {
    dialect: &'d Dialect,
    report: Report,
}

impl Walk<'_> {
    /// Returns what may help whoever wrote an unknown key.
    /// `free` are the keys that the mapping could have besides.
    fn what_was_meant(
        &self,
        key: &str,
        shape: &'static Shape,
        free: &[&'static str],
    ) -> Option<Hint> {
        let dialect = self.dialect;
        let named = |field: &&Field| field.yaml == Some(key);
        if shape.fields.iter().any(|field| named(&field)) {
            let (variant, version) = (dialect.variant, dialect.version);
            let has = |d: &&Dialect| shape.fields.iter().any(|f| named(&f) && d.has(f));
            let first = DIALECTS.iter().filter(|d| d.variant == variant).find(has);
            return Some(Hint::Other(match first.or_else(|| DIALECTS.iter().find(has)) {
                Some(d) => format!("{key} exists from {} {} on", d.variant, d.version),
                None => format!("{key} does not exist in {variant} {version}"),
            }));
        }
        let near = closest(key, free.iter().copied())?;
        Some(Hint::DidYouMean(near.to_owned()))
    }

    /// Says that a key is not part of the language that others know by this name.
    fn extension(&mut self, entries: &[(Node, Node)], name: &'static str, at: &Path) {
        let key = entries.iter().find(|(key, _)| key.key_text() == Some(name));
        self.report.entries.extend(key.map(|(key, _)| {
            let variant = self.dialect.variant;
            let message =
                format!("{name} is an extension of variant {variant}; other compilers ignore it");
            Entry::new(Severity::Warning, Some(at.key(name)), Some(key.start), message)
        }));
    }

    fn object(&mut self, node: &Node, object: Option<&Object>, shape: &'static Shape, at: &Path) {
        // A root that is null holds nothing that could be unknown.
        let Some(entries) = node.entries().filter(|_| !node.alias) else {
            self.report.warning(
                at,
                format!(
                    "context tree does not match content tree at {at}. Line and column reporting \
                     may be inconsistent. Unused keys may not be reported."
                ),
            );
            return;
        };
        let dialect = self.dialect;
        let fields = || shape.fields.iter().filter(|field| dialect.has(field));
        // What is given already was not meant.
        let names = fields().filter_map(|field| field.yaml);
        let free: Vec<&str> = names.filter(|name| node.get(name).is_none()).collect();
        for (key, _) in entries {
            let text = key.key_text().unwrap_or_default();
            if !fields().any(|field| field.yaml == Some(text)) {
                let path = Some(at.key(text.to_owned()));
                let message = format!("unused key {text}");
                let mut entry = Entry::new(Severity::Warning, path, Some(key.start), message);
                entry.hint = self.what_was_meant(text, shape, &free);
                self.report.entries.push(entry);
            }
        }
        for field in fields() {
            let Some(name) = field.yaml else { continue };
            if !dialect.reaches(field.since) {
                self.extension(entries, name, at);
            }
            let Some(below) = node.get(name) else { continue };
            let at = at.key(name);
            match field.kind_in(dialect) {
                Type::Object(shape) => {
                    let object = object.and_then(|object| object.object(field.key()));
                    self.object(below, object, shape, &at);
                }
                Type::Objects(shape, _) => {
                    let items = object.map(|object| object.list(field.key())).unwrap_or_default();
                    for (index, item) in items.iter().enumerate() {
                        if let Some(node) = child(below, &Part::Index(index)) {
                            self.object(node, item.as_object(), shape, &at.index(index));
                        }
                    }
                }
                Type::Text | Type::Int | Type::Bool | Type::Texts(_) | Type::Labels => {}
            }
        }
    }
}
