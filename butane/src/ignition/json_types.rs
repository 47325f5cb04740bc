//! JSON nodes to values of the schema: exact types, keys in any case, the last duplicate counts.

use nestos_formats::yaml::{Mark, Node, Style, Value as Json};

use crate::decode;
use crate::path::Path;
use crate::report::{Entry, Report, Severity};
use crate::schema::{Dialect, Shape, Type};
use crate::value::{Kind, Object, Value};

/// Decodes a config; returns it with warnings about unknown keys, or the first type error and its
/// place.
pub(crate) fn decode(
    root: &Node,
    shape: &'static Shape,
    dialect: &Dialect,
) -> Result<(Object, Report), (Mark, String)> {
    let mut types = Types { dialect, error: None, unused: Report::default(), keys: vec![] };
    let value = types.value(root, Type::Object(shape), shape.name, &Path::default());
    if let Some(error) = types.error {
        return Err(error);
    }
    let config = match value.map(|value| value.kind) {
        Some(Kind::Object(config)) => config,
        _ => decode::empty(shape, dialect, &Path::default()),
    };
    Ok((config, types.unused))
}

struct Types<'d> {
    dialect: &'d Dialect,
    error: Option<(Mark, String)>,
    unused: Report,
    keys: Vec<&'static str>,
}

impl Types<'_> {
    fn value(&mut self, node: &Node, kind: Type, owner: &str, at: &Path) -> Option<Value> {
        let kind = match (kind, &node.value) {
            (_, Json::Null(_)) => return None,
            (Type::Object(shape), Json::Mapping(entries)) => {
                Kind::Object(self.object(entries, shape, at))
            }
            (Type::Objects(shape, _), Json::Sequence(items)) => {
                let items = items.iter().enumerate();
                // A null in a list is an empty entry, as in Go.
                let empty = |at: &Path| Value::new(at, decode::empty(shape, self.dialect, at));
                let blank: Vec<Value> = items.clone().map(|(n, _)| empty(&at.index(n))).collect();
                let items = items.zip(blank).map(|((n, item), blank)| {
                    let found = self.value(item, Type::Object(shape), owner, &at.index(n));
                    found.unwrap_or(blank)
                });
                Kind::List(items.collect())
            }
            (Type::Texts(_), Json::Sequence(items)) => {
                let items = items.iter().enumerate().map(|(n, item)| {
                    let at = at.index(n);
                    let found = self.value(item, Type::Text, owner, &at);
                    found.unwrap_or_else(|| Value::new(&at, ""))
                });
                Kind::List(items.collect())
            }
            (Type::Text, Json::Scalar(s)) if s.style == Style::Quoted => {
                Kind::Text(std::sync::Arc::clone(&s.text))
            }
            (Type::Bool, _) if node.as_bool().is_some() => Kind::Bool(node.as_bool()?),
            (Type::Int, Json::Scalar(s))
                if s.style == Style::Plain && s.text.parse::<i64>().is_ok() =>
            {
                Kind::Int(s.text.parse().ok()?)
            }
            _ => {
                self.mismatch(node, kind, owner);
                return None;
            }
        };
        Some(Value::new(at, kind))
    }

    fn object(&mut self, entries: &[(Node, Node)], shape: &'static Shape, at: &Path) -> Object {
        let mut object = decode::empty(shape, self.dialect, at);
        let dialect = self.dialect;
        for (key, node) in entries {
            let name = key.key_text().unwrap_or_default();
            let known = || shape.fields.iter().filter(|f| f.json.is_some() && dialect.has(f));
            let exact = known().find(|field| field.json == Some(name));
            if exact.is_none() {
                self.unused.entries.push(Entry::new(
                    Severity::Warning,
                    Some(at.key(name.to_owned())),
                    Some(key.start),
                    format!("unused key {name}"),
                ));
            }
            let folded = || known().find(|field| field.key().eq_ignore_ascii_case(name));
            let Some(field) = exact.or_else(folded) else { continue };
            self.keys.push(field.key());
            if let Some(value) =
                self.value(node, field.kind_in(dialect), shape.name, &at.key(field.key()))
            {
                object.set(field.key(), value);
            }
            self.keys.pop();
        }
        object
    }

    /// Notes the first type error, in the words of the reference.
    fn mismatch(&mut self, node: &Node, kind: Type, owner: &str) {
        let wanted = match kind {
            Type::Text => "string".to_owned(),
            Type::Int => "int".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Labels => "map[string]string".to_owned(),
            Type::Object(shape) => format!("types.{}", shape.name),
            Type::Objects(shape, _) => format!("[]types.{}", shape.name),
            Type::Texts("string") => "[]string".to_owned(),
            Type::Texts(one) => format!("[]types.{one}"),
        };
        let found = match &node.value {
            Json::Mapping(_) => "object".to_owned(),
            Json::Sequence(_) => "array".to_owned(),
            Json::Scalar(s) if s.style == Style::Quoted => "string".to_owned(),
            Json::Scalar(_) if node.as_bool().is_some() => "bool".to_owned(),
            Json::Scalar(s) if matches!(kind, Type::Int) => format!("number {}", s.text),
            Json::Scalar(_) | Json::Null(_) => "number".to_owned(),
        };
        let field = match self.keys.as_slice() {
            [] => "value".to_owned(),
            keys => format!("struct field {owner}.{}", keys.join(".")),
        };
        let message = format!("json: cannot unmarshal {found} into Go {field} of type {wanted}");
        self.error.get_or_insert((node.start, message));
    }
}
