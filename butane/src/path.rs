//! Where a value stands in a config: `$.storage.files.0.path`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A place in a config, as keys and list indexes from the root. Cheap to clone and to extend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Option<Arc<Step>>);

#[derive(Debug, PartialEq, Eq)]
struct Step {
    parent: Path,
    part: Part,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Into a mapping.
    Key(Cow<'static, str>),
    /// Into a list.
    Index(usize),
}

impl Path {
    /// Extends the path by a key.
    #[must_use]
    pub fn key(&self, key: impl Into<Cow<'static, str>>) -> Self {
        self.part(Part::Key(key.into()))
    }

    /// Extends the path by a list index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.part(Part::Index(index))
    }

    /// Returns the steps from the root.
    pub fn parts(&self) -> Vec<&Part> {
        let mut parts = vec![];
        let mut path = self;
        while let Some(step) = &path.0 {
            parts.push(&step.part);
            path = &step.parent;
        }
        parts.reverse();
        parts
    }

    /// Spells the keys of an Ignition config (`sizeMiB`) as Butane does (`size_mib`).
    #[must_use]
    pub(crate) fn snake_case(&self) -> Self {
        self.parts().into_iter().fold(Self::default(), |path, part| match part {
            Part::Key(key) => path.key(snake_case(key)),
            Part::Index(index) => path.index(*index),
        })
    }

    fn part(&self, part: Part) -> Self {
        Self(Some(Arc::new(Step { parent: self.clone(), part })))
    }
}

fn snake_case(key: &str) -> String {
    let mut out = String::new();
    let mut rest = key;
    while let Some(c) = rest.chars().next() {
        let unit = if rest.starts_with("MiB") { "MiB".len() } else { c.len_utf8() };
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push_str(&rest[..unit].to_ascii_lowercase());
        rest = &rest[unit..];
    }
    out
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for part in self.parts() {
            match part {
                Part::Key(key) => write!(f, ".{key}")?,
                Part::Index(index) => write!(f, ".{index}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_dotted_keys_and_indexes() {
        let path = Path::default().key("storage").key("files").index(0).key("path");
        assert_eq!(path.to_string(), "$.storage.files.0.path");
        assert_eq!(Path::default().to_string(), "$");
    }

    #[test]
    fn camel_case_turns_into_snake_case() {
        let path = Path::default().key("sizeMiB").key("httpHeaders").index(1).key("typeGuid");
        assert_eq!(path.snake_case().to_string(), "$.size_mib.http_headers.1.type_guid");
    }
}
