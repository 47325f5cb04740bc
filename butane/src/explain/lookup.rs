//! Finds keys by their path, in either spelling.

use crate::schema::{CONFIG, DIALECTS, Dialect, Field, Shape, Type};

/// The keys of a path, without list indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps(Vec<String>);

/// A key that a dialect has, with those above it.
#[derive(Debug)]
pub(super) struct Found {
    /// The key itself.
    pub field: &'static Field,
    above: Vec<(&'static Field, Type)>,
    kind: Type,
}

impl Steps {
    /// Reads `storage.files.mode`, `$.storage.files.0.mode` or `storage.files[0].mode`.
    pub(super) fn parse(path: &str) -> Self {
        let parts = path.trim().split(['.', '[', ']']);
        let is_index = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) || part == "*";
        let keys = parts.filter(|part| !is_index(part) && *part != "$");
        Self(keys.map(str::to_owned).collect())
    }

    /// Returns whether the path is that of the config as a whole.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path with one more key.
    pub(super) fn join(&self, key: &str) -> String {
        self.0.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
    }
}

impl Found {
    /// Returns the path in the spelling of Butane.
    pub(super) fn path(&self) -> String {
        let fields = self.above.iter().map(|(field, _)| *field).chain([self.field]);
        fields.map(|field| field.yaml.unwrap_or(field.key())).collect::<Vec<_>>().join(".")
    }

    /// Returns the path in an Ignition config, with `[]` after lists; `None` for sugar and what is
    /// below it.
    pub(super) fn ignition_path(&self) -> Option<String> {
        let mut path = String::new();
        for (field, kind) in &self.above {
            let list = if matches!(kind, Type::Objects(..)) { "[]" } else { "" };
            path.push_str(&format!("{}{list}.", field.json?));
        }
        Some(path + self.field.json?)
    }

    /// Returns the keys below this one.
    pub(super) fn children(&self, dialect: &Dialect) -> Vec<&'static Field> {
        shape_of(self.kind).map(|shape| fields(shape, dialect)).unwrap_or_default()
    }
}

/// Finds a key that a dialect has.
pub(super) fn find(steps: &Steps, dialect: &Dialect) -> Option<Found> {
    let mut shape = Some(&CONFIG);
    let mut above = vec![];
    let (last, before) = steps.0.split_last()?;
    for step in before {
        let field = field(shape?, step, dialect)?;
        let kind = field.kind_in(dialect);
        // The names of labels are up to the user: the key is that of all labels.
        if matches!(kind, Type::Labels) {
            return Some(Found { field, above, kind });
        }
        shape = shape_of(kind);
        above.push((field, kind));
    }
    let field = field(shape?, last, dialect)?;
    Some(Found { field, above, kind: field.kind_in(dialect) })
}

/// Returns the outermost keys of a dialect.
pub(super) fn outermost(dialect: &Dialect) -> Vec<&'static Field> {
    fields(&CONFIG, dialect)
}

/// Returns the first version of a variant that has a key.
pub(super) fn first_version(steps: &Steps, variant: &str) -> Option<&'static str> {
    let mut versions = DIALECTS.iter().filter(|d| d.variant == variant);
    versions.find(|d| find(steps, d).is_some()).map(|d| d.version)
}

/// Returns each variant that has a key, with the first version that does.
pub(super) fn since(steps: &Steps) -> Vec<String> {
    let mut variants: Vec<&str> = DIALECTS.iter().map(|d| d.variant).collect();
    variants.dedup();
    let first = |variant: &&str| {
        first_version(steps, variant).map(|version| format!("{variant} {version}"))
    };
    variants.iter().filter_map(first).collect()
}

/// Splits a path before the first key that neither the dialect nor another has there.
pub(super) fn split_at_unknown(steps: &Steps, dialect: &Dialect) -> (Steps, String) {
    let known = |n: &usize| {
        let start = Steps(steps.0[..*n].to_vec());
        find(&start, dialect).is_some() || DIALECTS.iter().any(|d| find(&start, d).is_some())
    };
    let good = (1..steps.0.len()).take_while(known).last().unwrap_or(0);
    (Steps(steps.0[..good].to_vec()), steps.0.get(good).cloned().unwrap_or_default())
}

/// Returns the keys below a path, of the dialect or else of the first that has the path.
pub(super) fn keys_below(steps: &Steps, dialect: &Dialect) -> Vec<&'static str> {
    let below = |dialect: &Dialect| {
        if steps.is_empty() {
            return Some(outermost(dialect));
        }
        find(steps, dialect).map(|found| found.children(dialect))
    };
    let fields = below(dialect).or_else(|| DIALECTS.iter().find_map(below)).unwrap_or_default();
    fields.into_iter().filter_map(|field| field.yaml).collect()
}

/// Returns the paths of all keys of this name, if they are few enough to be told.
pub(super) fn paths_to(name: &str, dialect: &Dialect) -> Vec<String> {
    let mut paths = vec![];
    collect(&CONFIG, name, dialect, &Steps::default(), &mut paths);
    if paths.len() <= MOST_PATHS { paths } else { vec![] }
}

const MOST_PATHS: usize = 3;

fn collect(
    shape: &'static Shape,
    name: &str,
    dialect: &Dialect,
    at: &Steps,
    paths: &mut Vec<String>,
) {
    for field in fields(shape, dialect) {
        let key = field.yaml.unwrap_or_default();
        if is_named(field, name) {
            paths.push(at.join(key));
        }
        if let Some(below) = shape_of(field.kind_in(dialect)) {
            let mut at = at.clone();
            at.0.push(key.to_owned());
            collect(below, name, dialect, &at, paths);
        }
    }
}

fn fields(shape: &'static Shape, dialect: &Dialect) -> Vec<&'static Field> {
    let fields = shape.fields.iter().filter(|f| f.yaml.is_some_and(|key| !key.is_empty()));
    fields.filter(|field| dialect.has(field)).collect()
}

fn field(shape: &'static Shape, name: &str, dialect: &Dialect) -> Option<&'static Field> {
    let mut fields = shape.fields.iter().filter(|field| dialect.has(field));
    fields.find(|field| is_named(field, name))
}

fn is_named(field: &Field, name: &str) -> bool {
    field.yaml == Some(name) || field.json == Some(name)
}

fn shape_of(kind: Type) -> Option<&'static Shape> {
    match kind {
        Type::Object(shape) | Type::Objects(shape, _) => Some(shape),
        _ => None,
    }
}
