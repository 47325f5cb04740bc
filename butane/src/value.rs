//! The config between parsing and printing: values that know which source path they came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data_url::DataUrl;
use crate::path::Path;
use crate::schema::{Field, Identity, Shape};

/// A value and the place in the source that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// The path that reports about this value name.
    pub origin: Path,
    /// The value itself.
    pub kind: Kind,
}

/// What a [`Value`] holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Text.
    Text(Arc<str>),
    /// Text that is not UTF-8 (YAML's `!!binary`).
    Bytes(Vec<u8>),
    /// A number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A list.
    List(Vec<Value>),
    /// A mapping with a known shape.
    Object(Object),
    /// A data URL.
    Data(DataUrl),
    /// A mapping with keys of the user.
    Labels(BTreeMap<String, String>),
}

/// A mapping whose keys are in the order of its shape.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Which keys there may be.
    pub shape: &'static Shape,
    fields: Vec<(usize, Value)>,
}

impl Value {
    pub(crate) fn new(origin: &Path, kind: impl Into<Kind>) -> Self {
        Self { origin: origin.clone(), kind: kind.into() }
    }

    /// Returns the text, if that is what it is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the mapping, if that is what it is.
    pub(crate) fn as_object(&self) -> Option<&Object> {
        match &self.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns what tells this list entry from others; empty if nothing does.
    pub(crate) fn identity(&self) -> String {
        match &self.kind {
            Kind::Text(text) => text.as_ref().to_owned(),
            Kind::Data(url) => url.to_url(),
            Kind::Object(object) => object.identity(),
            _ => String::new(),
        }
    }
}

impl Object {
    pub(crate) fn new(shape: &'static Shape) -> Self {
        Self { shape, fields: vec![] }
    }

    /// Adds a field while building; see [`Object::set`].
    pub(crate) fn with(mut self, key: &str, origin: &Path, kind: impl Into<Kind>) -> Self {
        self.set(key, Value::new(origin, kind));
        self
    }

    /// Sets a field; keys that the shape does not have are a mistake of the caller and dropped.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        let known = self.shape.position(key);
        debug_assert!(known.is_some(), "{} has no field {key}", self.shape.name);
        let Some(position) = known else { return };
        match self.fields.binary_search_by_key(&position, |(p, _)| *p) {
            Ok(at) => self.fields[at].1 = value,
            Err(at) => self.fields.insert(at, (position, value)),
        }
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.index(key)?;
        Some(self.fields.remove(at).1)
    }

    /// Gives back room that building took: there are many mappings in a large config.
    pub(crate) fn shrink(&mut self) {
        self.fields.shrink_to_fit();
    }

    /// Returns the fields that are set, in the order of the shape.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.fields.iter().map(|(position, value)| (&self.shape.fields[*position], value))
    }

    /// Returns the fields that are set, to change their values.
    pub(crate) fn fields_mut(&mut self) -> impl Iterator<Item = (&'static Field, &mut Value)> {
        let shape = self.shape;
        self.fields.iter_mut().map(move |(position, value)| (&shape.fields[*position], value))
    }

    /// Keeps the fields that `keep` approves.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&'static Field) -> bool) {
        let shape = self.shape;
        self.fields.retain(|(position, _)| keep(&shape.fields[*position]));
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.index(key).map(|at| &self.fields[at].1)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.index(key).map(|at| &mut self.fields[at].1)
    }

    /// Returns a text field, if set.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Returns a text field, if set and not empty.
    pub(crate) fn filled(&self, key: &str) -> Option<&str> {
        self.text(key).filter(|text| !text.is_empty())
    }

    /// Returns whether a field holds a text or data URL that is not empty.
    pub(crate) fn is_filled(&self, key: &str) -> bool {
        match self.get(key).map(|value| &value.kind) {
            Some(Kind::Text(text)) => !text.is_empty(),
            Some(Kind::Data(_)) => true,
            _ => false,
        }
    }

    /// Returns a number field, if set.
    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        match self.get(key)?.kind {
            Kind::Int(n) => Some(n),
            _ => None,
        }
    }

    /// Returns a boolean field, if set.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// Returns the entries of a list field; none if unset.
    pub(crate) fn list(&self, key: &str) -> &[Value] {
        match self.get(key).map(|value| &value.kind) {
            Some(Kind::List(items)) => items,
            _ => &[],
        }
    }

    /// Returns the mappings of a list field with their positions.
    pub(crate) fn objects(&self, key: &str) -> impl Iterator<Item = (usize, &Value, &Object)> {
        let items = self.list(key).iter().enumerate();
        items.filter_map(|(n, value)| Some((n, value, value.as_object()?)))
    }

    /// Returns a mapping field, if set.
    pub(crate) fn object(&self, key: &str) -> Option<&Object> {
        self.get(key)?.as_object()
    }

    /// Returns a list field to change it, creating it empty if needed.
    pub(crate) fn list_mut(&mut self, key: &str, origin: &Path) -> Option<&mut Vec<Value>> {
        if self.get(key).is_none() {
            self.set(key, Value::new(origin, vec![]));
        }
        match &mut self.get_mut(key)?.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns a mapping field to change it, creating it empty if needed.
    pub(crate) fn object_mut(
        &mut self,
        key: &str,
        shape: &'static Shape,
        origin: &Path,
    ) -> Option<&mut Self> {
        if self.get(key).is_none() {
            self.set(key, Value::new(origin, Self::new(shape)));
        }
        match &mut self.get_mut(key)?.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    fn identity(&self) -> String {
        match self.shape.identity {
            Identity::None => String::new(),
            Identity::Field(key) => self.get(key).map(Value::identity).unwrap_or_default(),
            Identity::Partition => match (self.int("number"), self.text("label")) {
                (Some(n), _) if n != 0 => format!("number:{n}"),
                (_, Some(label)) => format!("label:{label}"),
                _ => String::new(),
            },
        }
    }

    fn index(&self, key: &str) -> Option<usize> {
        let position = self.shape.position(key)?;
        self.fields.binary_search_by_key(&position, |(p, _)| *p).ok()
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<DataUrl> for Kind {
    fn from(url: DataUrl) -> Self {
        Self::Data(url)
    }
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Kind {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Kind {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<Vec<Value>> for Kind {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}

impl From<Object> for Kind {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}
