//! Keys that the schema does not know: a warning each, with the place of the key.

use nestos_formats::yaml::Node;

use crate::path::{Part, Path};
use crate::report::{Entry, Report, Severity, child};
use crate::schema::{Dialect, Shape, Type};
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
    /// Says that a key is not part of the language that others know by this name.
    fn extension(&mut self, entries: &[(Node, Node)], name: &'static str, at: &Path) {
        let key = entries.iter().find(|(key, _)| key.key_text() == Some(name));
        self.report.entries.extend(key.map(|(key, _)| Entry {
            severity: Severity::Warning,
            path: Some(at.key(name)),
            at: Some(key.start),
            message: format!(
                "{name} is an extension of variant {}; other compilers ignore it",
                self.dialect.variant
            ),
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
        for (key, _) in entries {
            let text = key.key_text().unwrap_or_default();
            if !fields().any(|field| field.yaml == Some(text)) {
                self.report.entries.push(Entry {
                    severity: Severity::Warning,
                    path: Some(at.key(text.to_owned())),
                    at: Some(key.start),
                    message: format!("unused key {text}"),
                });
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
