//! A YAML tree that remembers where each node stood, for configs whose errors name line and column.
//!
//! Bytes become text (`text`), tokens (`scanner`), events (`parser`) and a tree (`builder`),
//! by YAML 1.1 (<https://yaml.org/spec/1.1/>) with the limits and errors of libyaml and go-yaml.
//! Invariants: parsing never panics, takes time linear in the input, and never expands an alias
//! (it shares the node), so memory is linear too; nesting is bounded by [`MAX_DEPTH`]. Scalars keep
//! their text: what `0644` or `yes` means is decided by the reader, which knows the type it wants.
//! Only the first document of a stream is read.

use std::collections::HashMap;
use std::sync::Arc;

mod builder;
mod cursor;
mod parser;
mod scanner;
mod text;

/// The deepest nesting that is read; deeper input is an error.
pub const MAX_DEPTH: usize = 10_000;

/// How many nodes [`parse`] lets aliases add to a document.
const MAX_ALIASED_NODES: u64 = 1_000_000;

/// A position in the text: line and column count from 1, columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value with the place it was read from.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where the value starts (a block mapping: at its first key; an alias: at the `*`).
    pub start: Mark,
    /// Where the value ends.
    pub end: Mark,
    /// Whether this is an alias; its children keep the positions they were written at.
    pub alias: bool,
    /// What was read.
    pub value: Value,
}

/// What a [`Node`] holds; collections are shared between a node and its aliases.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing, `~` or `null`; with the text as written.
    Null(Arc<str>),
    /// Text.
    Scalar(Scalar),
    /// A list.
    Sequence(Arc<Vec<Node>>),
    /// Keys and values in the order of the file; duplicates are kept (see [`duplicate_keys`]).
    Mapping(Arc<Vec<(Node, Node)>>),
}

/// A scalar as written, without a guess at its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text after unquoting, unescaping and folding.
    pub text: Arc<str>,
    /// How it was written.
    pub style: Style,
    /// An explicit tag, such as `tag:yaml.org,2002:str`.
    pub tag: Option<Arc<str>>,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes; only this style may mean a number or a boolean.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a literal `|` or folded `>` block.
    Block,
}

/// Why a text is not usable YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", self.place())]
pub struct YamlError {
    /// What is wrong.
    pub problem: String,
    /// Where it was noticed.
    pub at: Option<Mark>,
    /// Where the construct began that is wrong, such as an opening quote.
    pub context: Option<Mark>,
    /// Which stage noticed.
    pub stage: Stage,
}

/// The stage of reading that an error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Bytes to characters.
    Reader,
    /// Characters to tokens.
    Scanner,
    /// Tokens to nodes.
    Parser,
    /// The finished tree: anchors, duplicate keys.
    Tree,
}

impl YamlError {
    fn new(stage: Stage, problem: impl Into<String>, at: Option<Mark>) -> Self {
        Self { problem: problem.into(), at, context: None, stage }
    }

    fn place(&self) -> String {
        self.at.map(|m| format!("line {} column {}: ", m.line, m.column)).unwrap_or_default()
    }
}

/// Reads the first document for a reader that walks all of it: refuses duplicate keys and
/// documents that aliases blow up. An empty text is a null.
pub fn parse(text: &[u8]) -> Result<Node, YamlError> {
    let root = parse_lenient(text)?;
    let mut budget = MAX_ALIASED_NODES;
    check(&root, Reached::Written, &mut budget)?;
    Ok(root)
}

/// Reads the first document as it stands. The reader must look for duplicate keys itself, and must
/// not walk through aliases without a bound.
pub fn parse_lenient(text: &[u8]) -> Result<Node, YamlError> {
    builder::document(&text::decode(text)?)
}

/// Returns each pair of equal keys in a mapping, earlier first.
pub fn duplicate_keys(entries: &[(Node, Node)]) -> Vec<(&Node, &Node)> {
    let mut seen: HashMap<&str, Vec<&Node>> = HashMap::new();
    let mut pairs = Vec::new();
    for (key, _) in entries {
        let Some(text) = key.key_text() else { continue };
        let same = seen.entry(text).or_default();
        pairs.extend(same.iter().map(|earlier| (*earlier, key)));
        // A key written thousands of times need not be reported as millions of pairs.
        if same.len() < 8 {
            same.push(key);
        }
    }
    pairs.sort_by_key(|(earlier, later)| (earlier.start, later.start));
    pairs
}

impl Node {
    /// Returns the text of a scalar, whatever it looks like.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Returns the boolean that a plain `true` or `false` stands for.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar(s) if s.style == Style::Plain && s.tag.is_none() => s.text.parse().ok(),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of a mapping in the order of the file.
    pub fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|(k, _)| k.key_text() == Some(key)).map(|(_, v)| v)
    }

    /// Returns the text of a node used as a key; `None` for lists and mappings.
    pub fn key_text(&self) -> Option<&str> {
        match &self.value {
            Value::Null(text) => Some(text),
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Returns whether this is a null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null(_))
    }

    /// Empties the texts of more than `longest` bytes, once whoever reads them has taken them: the
    /// tree is then what says where everything stands. Texts behind aliases may stay.
    pub fn forget_texts(&mut self, longest: usize) {
        let mut pending = vec![&mut self.value];
        while let Some(value) = pending.pop() {
            match value {
                Value::Scalar(scalar) if scalar.text.len() > longest => scalar.text = "".into(),
                Value::Null(_) | Value::Scalar(_) => {}
                Value::Sequence(items) => {
                    let items = Arc::get_mut(items).into_iter().flatten();
                    pending.extend(items.map(|item| &mut item.value));
                }
                Value::Mapping(entries) => {
                    let entries = Arc::get_mut(entries).into_iter().flatten();
                    pending.extend(entries.flat_map(|(key, v)| [&mut key.value, &mut v.value]));
                }
            }
        }
    }

    /// Names the kind of value, for messages such as "expected a list, found a mapping".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null(_) => "nothing",
            Value::Scalar(_) => "a scalar",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

impl Drop for Value {
    /// Frees deep trees without recursion: the default would need a stack as deep as the input.
    fn drop(&mut self) {
        let mut pending = vec![];
        take_children(self, &mut pending);
        while let Some(mut node) = pending.pop() {
            take_children(&mut node.value, &mut pending);
        }
    }
}

fn take_children(value: &mut Value, pending: &mut Vec<Node>) {
    match value {
        Value::Sequence(items) => {
            if let Some(items) = Arc::get_mut(items) {
                pending.append(items);
            }
        }
        Value::Mapping(entries) => {
            if let Some(entries) = Arc::get_mut(entries) {
                pending.extend(entries.drain(..).flat_map(|(k, v)| [k, v]));
            }
        }
        Value::Null(_) | Value::Scalar(_) => {}
    }
}

/// Whether a node stands in the text or was reached through an alias.
#[derive(Clone, Copy)]
enum Reached {
    Written,
    ByAlias,
}

fn check(root: &Node, reached: Reached, budget: &mut u64) -> Result<(), YamlError> {
    let mut pending = vec![(root, reached)];
    while let Some((node, reached)) = pending.pop() {
        let reached = if node.alias { Reached::ByAlias } else { reached };
        if matches!(reached, Reached::ByAlias) {
            *budget = budget.checked_sub(1).ok_or_else(|| {
                YamlError::new(Stage::Tree, "document contains excessive aliasing", None)
            })?;
        }
        if let Some(items) = node.items() {
            pending.extend(items.iter().rev().map(|item| (item, reached)));
        }
        let Some(entries) = node.entries() else { continue };
        if let Some((earlier, later)) = duplicate_keys(entries).first() {
            let problem = format!(
                "key \"{}\" was already given on line {}",
                later.key_text().unwrap_or_default(),
                earlier.start.line
            );
            let context = Some(earlier.start);
            return Err(YamlError {
                context,
                ..YamlError::new(Stage::Tree, problem, Some(later.start))
            });
        }
        pending.extend(entries.iter().rev().flat_map(|(k, v)| [(v, reached), (k, reached)]));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
