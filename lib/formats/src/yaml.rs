//! A YAML tree that remembers where each node stood, for configs whose errors name line and column.
//!
//! Built on the events of `libyaml-safer`. Invariants: parsing never panics and never expands an
//! alias (it shares the node), so memory is linear in the input; nesting is bounded by
//! [`MAX_DEPTH`]. Scalars keep their text: what `0644` or `yes` means is decided by the reader,
//! which knows the type it wants. Only the first document of a stream is read.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use libyaml_safer::{ErrorKind, Event, EventData, Parser, ScalarStyle};

use text::{Chunks, Decoded, decode, refuse_scanner_panics};

mod text;

/// The deepest nesting that is read; deeper input is an error.
pub const MAX_DEPTH: usize = 10_000;

/// How many nodes [`parse`] lets aliases add to a document.
const MAX_ALIASED_NODES: u64 = 1_000_000;

/// The scanner looks at every open flow collection for each token. That is free at depths people
/// write, and quadratic beyond; this bounds the sum over all events.
const MOST_LEVELS_SEEN: usize = 110_000_000;
const FREE_LEVELS: usize = 100;

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
    let decoded = decode(text)?;
    refuse_scanner_panics(&decoded)?;
    catch_unwind(AssertUnwindSafe(|| Builder::default().document(&decoded))).unwrap_or_else(
        |_panic| Err(YamlError::new(Stage::Scanner, "the YAML scanner gave up on this text", None)),
    )
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

fn scan_error(error: &libyaml_safer::Error) -> YamlError {
    let stage = match error.kind() {
        ErrorKind::Scanner => Stage::Scanner,
        ErrorKind::Reader | ErrorKind::Io => Stage::Reader,
        _ => Stage::Parser,
    };
    let source = std::error::Error::source(error).map(ToString::to_string);
    let at = error.problem_mark().map(mark);
    let context = error.context_mark().map(mark);
    YamlError { problem: source.unwrap_or_else(|| error.problem().to_owned()), at, context, stage }
}

fn mark(mark: libyaml_safer::Mark) -> Mark {
    let from_zero = |n: u64| usize::try_from(n).unwrap_or(usize::MAX - 1) + 1;
    Mark { line: from_zero(mark.line), column: from_zero(mark.column) }
}

/// A collection whose end has not been read yet.
struct Open {
    start: Mark,
    anchor: Option<String>,
    kind: OpenKind,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>, Option<Node>),
}

/// Builds the tree from events, with its own stack.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<String, Node>,
    root: Option<Node>,
    levels_seen: usize,
}

impl Builder {
    fn document(mut self, decoded: &Decoded) -> Result<Node, YamlError> {
        let mut parser = Parser::new();
        parser.set_input(Chunks { rest: &decoded.text, stopped: decoded.stopped });
        loop {
            let mut event = parser.parse().map_err(|e| scan_error(&e))?;
            let at = mark(event.start_mark);
            self.levels_seen += self.open.len().saturating_sub(FREE_LEVELS);
            if self.levels_seen > MOST_LEVELS_SEEN {
                let problem = "too much text at too deep a nesting";
                return Err(YamlError::new(Stage::Scanner, problem, Some(at)));
            }
            match event.data {
                EventData::StreamStart { .. } => {}
                EventData::DocumentStart { version_directive: Some(v), .. } if v.minor != 1 => {
                    let problem = "found incompatible YAML document";
                    return Err(YamlError::new(Stage::Parser, problem, Some(at)));
                }
                EventData::DocumentStart { .. } => {}
                EventData::DocumentEnd { .. } | EventData::StreamEnd => break,
                EventData::Scalar { ref mut value, style, .. } => {
                    let ends = usize::try_from(event.end_mark.index) == Ok(decoded.text.len());
                    if decoded.completed && ends && is_block(style) && value.ends_with('\n') {
                        // The line end was not in the text.
                        value.pop();
                    }
                    self.event(event)?;
                }
                _ => self.event(event)?,
            }
        }
        let start = Mark { line: 1, column: 1 };
        let nothing = Node { start, end: start, alias: false, value: Value::Null("".into()) };
        Ok(self.root.unwrap_or(nothing))
    }

    fn event(&mut self, event: Event) -> Result<(), YamlError> {
        let (start, end) = (mark(event.start_mark), mark(event.end_mark));
        match event.data {
            EventData::Alias { anchor } => {
                let node = self.alias(&anchor, start, end)?;
                self.add(node);
            }
            EventData::Scalar { anchor, tag, value, style, .. } => {
                let value = scalar(value, tag, style);
                self.close(Node { start, end, alias: false, value }, anchor);
            }
            EventData::SequenceStart { anchor, .. } => {
                self.begin(start, anchor, OpenKind::Sequence(vec![]))?;
            }
            EventData::MappingStart { anchor, .. } => {
                self.begin(start, anchor, OpenKind::Mapping(vec![], None))?;
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.kind {
                    OpenKind::Sequence(items) => Value::Sequence(Arc::new(items)),
                    OpenKind::Mapping(entries, _) => Value::Mapping(Arc::new(entries)),
                };
                self.close(Node { start: open.start, end, alias: false, value }, open.anchor);
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        start: Mark,
        anchor: Option<String>,
        kind: OpenKind,
    ) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            let problem = format!("exceeded max depth of {MAX_DEPTH}");
            return Err(YamlError::new(Stage::Scanner, problem, Some(start)));
        }
        self.open.push(Open { start, anchor, kind });
        Ok(())
    }

    fn alias(&self, anchor: &str, start: Mark, end: Mark) -> Result<Node, YamlError> {
        let fail = |problem| Err(YamlError::new(Stage::Tree, problem, Some(start)));
        if self.open.iter().any(|open| open.anchor.as_deref() == Some(anchor)) {
            return fail(format!("anchor '{anchor}' value contains itself"));
        }
        match self.anchors.get(anchor) {
            Some(node) => Ok(Node { start, end, alias: true, value: node.value.clone() }),
            None => fail(format!("unknown anchor '{anchor}' referenced")),
        }
    }

    fn close(&mut self, node: Node, anchor: Option<String>) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node);
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::Sequence(items)) => items.push(node),
            Some(OpenKind::Mapping(entries, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
}

fn is_block(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
}

fn scalar(text: String, tag: Option<String>, style: ScalarStyle) -> Value {
    const NULL: &str = "tag:yaml.org,2002:null";
    let text: Arc<str> = text.into();
    let style = match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        _ if is_block(style) => Style::Block,
        _ => Style::Plain,
    };
    let plain = style == Style::Plain && tag.is_none();
    let null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
    if null && (plain || tag.as_deref() == Some(NULL)) {
        return Value::Null(text);
    }
    Value::Scalar(Scalar { text, style, tag: tag.map(Into::into) })
}

#[cfg(test)]
mod tests;
