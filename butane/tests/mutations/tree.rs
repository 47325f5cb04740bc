//! A YAML document without the way it was written, to change and to write again.

use nestos_formats::yaml::{self, Node, Style, Value};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Nothing.
    Null,
    /// Text, or what looks like it.
    Scalar(Scalar),
    /// A list.
    List(Vec<Tree>),
    /// A mapping; keys are written as they were, where they could be numbers.
    Map(Vec<(Scalar, Tree)>),
}

/// A scalar and what its meaning depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text.
    pub(crate) text: String,
    /// Whether it was written without quotes, so that it may be more than text.
    pub(crate) plain: bool,
    /// Its tag, such as `!!binary`.
    pub(crate) tag: Option<String>,
}

/// Reads the document of a case. `None` if it is not a document whose meaning is independent of
/// how and in which order it is written: unreadable, or with aliases, merge keys, repeated keys,
/// or keys that are not plain words.
pub(crate) fn read(text: &[u8]) -> Option<Tree> {
    of(&yaml::parse(text).ok()?)
}

fn of(node: &Node) -> Option<Tree> {
    if node.alias {
        return None;
    }
    Some(match &node.value {
        Value::Null(_) => Tree::Null,
        Value::Scalar(_) => Tree::Scalar(scalar(node)?),
        Value::Sequence(items) => Tree::List(items.iter().map(of).collect::<Option<_>>()?),
        Value::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                let key = scalar(key).filter(|key| key.tag.is_none() && key.text != "<<")?;
                (!key.text.is_empty() && key.text.len() < 100 && !key.text.contains('\n'))
                    .then_some(())?;
                Some((key, of(value)?))
            };
            Tree::Map(entries.iter().map(entry).collect::<Option<_>>()?)
        }
    })
}

fn scalar(node: &Node) -> Option<Scalar> {
    let Value::Scalar(scalar) = &node.value else { return None };
    let tag = scalar.tag.as_deref().map(|tag| match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(name) => format!("!!{name}"),
        None if tag == "!" => tag.to_owned(),
        None => format!("!<{tag}>"),
    });
    let plain = scalar.style == Style::Plain;
    (!node.alias).then(|| Scalar { text: scalar.text.to_string(), plain, tag })
}

impl Tree {
    /// Returns whether a list somewhere holds a null: it is skipped, and the places of what follows
    /// shift.
    pub(crate) fn has_null_items(&self) -> bool {
        match self {
            Self::List(items) => items.iter().any(|i| *i == Self::Null || i.has_null_items()),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.has_null_items()),
            _ => false,
        }
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(k, _)| k.text == key).map(|(_, value)| value)
    }

    /// Applies a function to all values at a path; `*` stands for every item of a list.
    pub(crate) fn each(&mut self, path: &[&str], change: &mut impl FnMut(&mut Self)) {
        let Some((first, rest)) = path.split_first() else { return change(self) };
        match self {
            Self::List(items) if *first == "*" => {
                items.iter_mut().for_each(|item| item.each(rest, change));
            }
            Self::Map(entries) => {
                let mut found = entries.iter_mut().filter(|(key, _)| key.text == *first);
                if let Some((_, value)) = found.next() {
                    value.each(rest, change);
                }
            }
            _ => {}
        }
    }

    /// Returns how many keys and items there are, at all depths.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::List(items) => items.iter().map(|item| 1 + item.size()).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| 1 + value.size()).sum(),
            _ => 0,
        }
    }

    /// Removes the key or item that is `n`th in the order of the document; returns whether there
    /// is one, and else subtracts how many there are.
    pub(crate) fn remove(&mut self, n: &mut usize) -> bool {
        let mut here = |value: &mut Self| {
            if *n == 0 {
                return Some(true);
            }
            *n -= 1;
            value.remove(n).then_some(false)
        };
        match self {
            Self::List(items) => {
                let found = items.iter_mut().enumerate().find_map(|(i, v)| Some((i, here(v)?)));
                if let Some((i, true)) = found {
                    items.remove(i);
                }
                found.is_some()
            }
            Self::Map(entries) => {
                let mut values = entries.iter_mut().map(|(_, value)| value).enumerate();
                let found = values.find_map(|(i, value)| Some((i, here(value)?)));
                if let Some((i, true)) = found {
                    entries.remove(i);
                }
                found.is_some()
            }
            _ => false,
        }
    }
}
