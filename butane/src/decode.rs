//! From YAML nodes to values of the shapes in the schema. All type errors are collected; keys the
//! schema does not know are left to [`unused`].

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use nestos_formats::yaml::{Node, Scalar, Style, Value as Yaml, duplicate_keys};

use crate::path::Path;
use crate::report::{Entry, Severity};
use crate::scalar::{self, Resolved};
use crate::schema::{Absent, Dialect, Shape, Type};
use crate::value::{Kind, Object, Value};

pub(crate) mod header;
pub(crate) mod unused;

/// How many type errors are collected before the rest is dropped.
const MOST_ERRORS: usize = 1000;

/// How deep merge keys may lead through aliases: a chain of them costs little text, and each link
/// costs stack.
const DEEPEST_MERGE: u32 = 500;

/// Why a config has no known shape: in the words of the reference, and each type error by itself.
#[derive(Debug, Default)]
pub(crate) struct Undecodable {
    pub(crate) message: String,
    pub(crate) causes: Vec<Entry>,
}

impl From<String> for Undecodable {
    fn from(message: String) -> Self {
        Self { message, causes: vec![] }
    }
}

/// Decodes the whole config.
pub(crate) fn config(
    root: &Node,
    shape: &'static Shape,
    dialect: &Dialect,
) -> Result<Object, Undecodable> {
    let mut decoder = Decoder::new(dialect);
    let value = decoder.object(root, shape, &Path::default())?;
    decoder.finish()?;
    Ok(value.unwrap_or_else(|| empty(shape, dialect, &Path::default())))
}

/// Returns a mapping with nothing set.
pub(crate) fn empty(shape: &'static Shape, dialect: &Dialect, at: &Path) -> Object {
    let mut object = Object::new(shape);
    for field in shape.fields.iter().filter(|f| dialect.has(f)) {
        if !matches!(field.absent_in(dialect), Absent::Zero | Absent::ZeroLeftOut) {
            continue;
        }
        let kind = match field.kind {
            Type::Int => Kind::Int(0),
            _ => Kind::from(""),
        };
        object.set(field.key(), Value::new(&at.key(field.yaml.unwrap_or(field.key())), kind));
    }
    object
}

/// Decodes nodes; the `Err` of its methods ends the decoding at once.
struct Decoder<'d> {
    dialect: &'d Dialect,
    errors: Vec<Entry>,
    decoded: u64,
    aliased: u64,
    alias_depth: u32,
    merge_depth: u32,
}

impl<'d> Decoder<'d> {
    fn new(dialect: &'d Dialect) -> Self {
        Self { dialect, errors: vec![], decoded: 0, aliased: 0, alias_depth: 0, merge_depth: 0 }
    }

    fn finish(self) -> Result<(), Undecodable> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let mut message = "yaml: unmarshal errors:".to_owned();
        for error in &self.errors {
            let line = error.at.map_or(1, |at| at.line);
            message.push_str(&format!("\n  line {line}: {}", error.message));
        }
        Err(Undecodable { message, causes: self.errors })
    }

    /// Counts a node; refuses documents whose aliases blow up, as the reference compiler does.
    fn enter(&mut self, node: &Node) -> Result<(), String> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        if node.alias {
            self.alias_depth += 1;
        }
        if self.aliased > 100 && self.decoded > 1000 {
            let share = self.aliased as f64 / self.decoded as f64;
            let allowed = match self.decoded {
                ..=400_000 => 0.99,
                4_000_000.. => 0.10,
                n => 0.99 - 0.89 * (n - 400_000) as f64 / 3_600_000.0,
            };
            if share > allowed {
                return Err("yaml: document contains excessive aliasing".to_owned());
            }
        }
        Ok(())
    }

    fn leave(&mut self, node: &Node) {
        if node.alias {
            self.alias_depth -= 1;
        }
    }

    /// Decodes any node; `None` if it is null or of the wrong type.
    fn value(&mut self, node: &Node, kind: Type, at: &Path) -> Result<Option<Value>, String> {
        self.enter(node)?;
        let value = match kind {
            Type::Object(shape) => self.object(node, shape, at)?.map(Kind::Object),
            Type::Texts(_) | Type::Objects(..) => self.list(node, kind, at)?.map(Kind::List),
            Type::Text | Type::Int | Type::Bool => self.scalar(node, kind, primitive(kind))?,
            Type::Labels => self.labels(node)?.map(Kind::Labels),
        };
        self.leave(node);
        Ok(value.map(|kind| Value::new(at, kind)))
    }

    fn object(
        &mut self,
        node: &Node,
        shape: &'static Shape,
        at: &Path,
    ) -> Result<Option<Object>, String> {
        if node.is_null() {
            return Ok(None);
        }
        let Some(entries) = node.entries() else {
            let name = self.dialect.type_name(shape);
            return self.mismatch(node, &name).map(|()| None);
        };
        if self.report_duplicates(entries) {
            return Ok(None);
        }
        let mut object = empty(shape, self.dialect, at);
        self.entries(entries, &mut |decoder: &mut Self, name: &str, value: &Node| {
            decoder.field(&mut object, name, value, at)
        })?;
        object.shrink();
        Ok(Some(object))
    }

    /// Hands out the entries of a mapping, its own before those it merges.
    fn entries<F>(&mut self, entries: &[(Node, Node)], take: &mut F) -> Result<(), String>
    where
        F: FnMut(&mut Self, &str, &Node) -> Result<(), String>,
    {
        let mut done = HashSet::new();
        for (key, value) in entries.iter().filter(|(key, _)| !is_merge(key)) {
            let Some(name) = self.key(key) else { continue };
            take(self, &name, value)?;
            done.insert(name);
        }
        for (_, merged) in entries.iter().filter(|(key, _)| is_merge(key)) {
            self.merge(merged, &mut done, take)?;
        }
        Ok(())
    }

    /// Decodes one key of a mapping; unknown ones are passed over.
    fn field(
        &mut self,
        object: &mut Object,
        name: &str,
        node: &Node,
        at: &Path,
    ) -> Result<(), String> {
        let dialect = self.dialect;
        let mut fields = object.shape.fields.iter().filter(|field| dialect.has(field));
        let Some(field) = fields.find(|field| field.yaml == Some(name)) else { return Ok(()) };
        let at = at.key(field.yaml.unwrap_or_default());
        if let Some(value) = self.value(node, field.kind_in(dialect), &at)? {
            object.set(field.key(), value);
        }
        Ok(())
    }

    /// Applies a merge key (`<<`): its entries count where the mapping has none of its own.
    fn merge<F>(
        &mut self,
        node: &Node,
        done: &mut HashSet<String>,
        take: &mut F,
    ) -> Result<(), String>
    where
        F: FnMut(&mut Self, &str, &Node) -> Result<(), String>,
    {
        if self.merge_depth >= DEEPEST_MERGE {
            return Err(format!("yaml: merge keys are nested more than {DEEPEST_MERGE} deep"));
        }
        self.merge_depth += 1;
        let wanted = "yaml: map merge requires map or sequence of maps as the value";
        let sources = match &node.value {
            Yaml::Mapping(_) => std::slice::from_ref(node),
            // A list has to stand right here.
            Yaml::Sequence(items) if !node.alias => items.as_slice(),
            _ => return Err(wanted.to_owned()),
        };
        for source in sources {
            self.enter(source)?;
            let entries = source.entries().ok_or(wanted)?;
            if !self.report_duplicates(entries) {
                for (key, value) in entries.iter().filter(|(key, _)| !is_merge(key)) {
                    let Some(name) = self.key(key) else { continue };
                    if done.insert(name.clone()) {
                        take(self, &name, value)?;
                    }
                }
                for (_, merged) in entries.iter().filter(|(key, _)| is_merge(key)) {
                    self.merge(merged, done, take)?;
                }
            }
            self.leave(source);
        }
        self.merge_depth -= 1;
        Ok(())
    }

    fn list(&mut self, node: &Node, kind: Type, at: &Path) -> Result<Option<Vec<Value>>, String> {
        if node.is_null() {
            return Ok(None);
        }
        let Some(items) = node.items() else {
            let name = self.list_name(kind);
            return self.mismatch(node, &name).map(|()| None);
        };
        let mut values = vec![];
        for item in items {
            // Nulls are skipped, so later entries move up.
            let at = at.index(values.len());
            let value = match kind {
                Type::Objects(shape, _) => self.value(item, Type::Object(shape), &at)?,
                Type::Texts(one) => {
                    self.enter(item)?;
                    let name = self.text_name(one);
                    let kind = self.scalar(item, Type::Text, &name)?;
                    self.leave(item);
                    kind.map(|kind| Value::new(&at, kind))
                }
                _ => None,
            };
            values.extend(value);
        }
        values.shrink_to_fit();
        Ok(Some(values))
    }

    /// Decodes a mapping whose keys are up to the user.
    fn labels(&mut self, node: &Node) -> Result<Option<BTreeMap<String, String>>, String> {
        if node.is_null() {
            return Ok(None);
        }
        let Some(entries) = node.entries() else {
            return self.mismatch(node, "map[string]string").map(|()| None);
        };
        let mut labels = BTreeMap::new();
        if !self.report_duplicates(entries) {
            self.entries(entries, &mut |decoder: &mut Self, key: &str, value: &Node| {
                decoder.enter(value)?;
                let text = decoder.scalar(value, Type::Text, "string")?;
                decoder.leave(value);
                let text = match text {
                    Some(Kind::Text(text)) => text.as_ref().to_owned(),
                    _ => String::new(),
                };
                labels.insert(key.to_owned(), text);
                Ok(())
            })?;
        }
        Ok(Some(labels))
    }

    fn scalar(&mut self, node: &Node, kind: Type, into: &str) -> Result<Option<Kind>, String> {
        let Yaml::Scalar(scalar) = &node.value else {
            return if node.is_null() {
                Ok(None)
            } else {
                self.mismatch(node, into).map(|()| None)
            };
        };
        let resolved = scalar::resolve(scalar).map_err(|e| format!("yaml: {e}"))?;
        let value = match kind {
            Type::Int => scalar::as_int(&resolved).map(Kind::Int),
            Type::Bool => scalar::as_bool(&resolved, &scalar.text).map(Kind::Bool),
            _ => return Ok(Some(as_text(scalar, resolved))),
        };
        if value.is_none() {
            self.wrong_scalar(node, resolved.tag(), &scalar.text, into);
        }
        Ok(value)
    }

    /// Reports a node of the wrong kind.
    fn mismatch(&mut self, node: &Node, into: &str) -> Result<(), String> {
        match &node.value {
            Yaml::Mapping(_) => self.error(node, &format!("cannot unmarshal !!map into {into}")),
            Yaml::Sequence(_) => self.error(node, &format!("cannot unmarshal !!seq into {into}")),
            Yaml::Scalar(s) => {
                let tag = scalar::resolve(s).map_err(|e| format!("yaml: {e}"))?.tag();
                self.wrong_scalar(node, tag, &s.text, into);
            }
            Yaml::Null(_) => {}
        }
        Ok(())
    }

    fn wrong_scalar(&mut self, node: &Node, tag: &str, text: &str, into: &str) {
        let shown = if text.len() > 10 {
            let cut = (0..=7).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
            format!("{}...", &text[..cut])
        } else {
            text.to_owned()
        };
        self.error(node, &format!("cannot unmarshal {tag} `{shown}` into {into}"));
    }

    fn error(&mut self, node: &Node, message: &str) {
        if self.errors.len() < MOST_ERRORS {
            let (severity, at) = (Severity::Error, Some(node.start));
            self.errors.push(Entry::new(severity, None, at, message));
        }
    }

    fn report_duplicates(&mut self, entries: &[(Node, Node)]) -> bool {
        let pairs = duplicate_keys(entries);
        for (earlier, later) in &pairs {
            let key = later.key_text().unwrap_or_default();
            let line = earlier.start.line;
            self.error(later, &format!("mapping key {key:?} already defined at line {line}"));
        }
        !pairs.is_empty()
    }

    fn key(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Yaml::Scalar(scalar) => Some(scalar.text.to_string()),
            Yaml::Null(_) => None,
            Yaml::Sequence(_) | Yaml::Mapping(_) => {
                let tag = if node.items().is_some() { "!!seq" } else { "!!map" };
                self.error(node, &format!("cannot unmarshal {tag} into string"));
                None
            }
        }
    }

    fn text_name(&self, one: &str) -> String {
        // Plain strings of the reference compiler are not qualified.
        if one == "string" {
            return one.to_owned();
        }
        format!("{}.{one}", self.dialect.package(crate::schema::Layer::Base))
    }

    fn list_name(&self, kind: Type) -> String {
        match kind {
            Type::Objects(shape, Some(name)) => {
                format!("{}.{name}", self.dialect.package(shape.home))
            }
            Type::Objects(shape, None) => format!("[]{}", self.dialect.type_name(shape)),
            Type::Texts(one) => format!("[]{}", self.text_name(one)),
            _ => primitive(kind).to_owned(),
        }
    }
}

/// Returns whether a key stands for the entries of other mappings; in quotes it is a plain key.
fn is_merge(key: &Node) -> bool {
    let Yaml::Scalar(scalar) = &key.value else { return false };
    &*scalar.text == "<<"
        && match scalar.tag.as_deref() {
            None | Some("!") => scalar.style == Style::Plain,
            Some(tag) => tag == "tag:yaml.org,2002:merge",
        }
}

fn primitive(kind: Type) -> &'static str {
    match kind {
        Type::Int => "int",
        Type::Bool => "bool",
        _ => "string",
    }
}

fn as_text(scalar: &Scalar, resolved: Resolved) -> Kind {
    match resolved {
        Resolved::Binary(bytes) => {
            String::from_utf8(bytes).map_or_else(|e| Kind::Bytes(e.into_bytes()), Kind::from)
        }
        _ => Kind::Text(Arc::clone(&scalar.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{CONFIG, Dialect};

    /// Returns why a config is refused whose one file merges through a chain of mappings.
    fn through_merges(links: usize) -> Option<String> {
        let mut text = "variant: nestos\nversion: 1.0.0\nx0: &x0 {path: /z}\n".to_owned();
        for n in 1..links {
            text.push_str(&format!("x{n}: &x{n} {{<<: *x{}}}\n", n - 1));
        }
        text.push_str(&format!("storage:\n  files:\n    - {{<<: *x{}}}\n", links - 1));
        // Enough that is no alias, so that the share of aliases is not what is refused.
        text.extend((0..links / 2).map(|n| format!("    - path: /a{n}\n")));
        let root = nestos_formats::yaml::parse_lenient(text.as_bytes()).unwrap();
        config(&root, &CONFIG, Dialect::find("nestos", "1.0.0").unwrap()).err().map(|e| e.message)
    }

    #[test]
    fn a_long_chain_of_merge_keys_is_refused_before_the_stack_ends() {
        assert_eq!(through_merges(DEEPEST_MERGE as usize), None);
        for links in [DEEPEST_MERGE as usize + 1, 50_000] {
            let refused = through_merges(links);
            let message = "yaml: merge keys are nested more than 500 deep";
            assert_eq!(refused.as_deref(), Some(message), "{links}");
        }
    }
}
