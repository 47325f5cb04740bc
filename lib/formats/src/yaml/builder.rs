//! From events to the tree, with a stack of its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::parser::{Event, EventKind, Parser};
use super::text::Decoded;
use super::{MAX_DEPTH, Mark, Node, Scalar, Stage, Style, Value, YamlError};

/// Reads the first document.
pub(super) fn document(decoded: &Decoded<'_>) -> Result<Node, YamlError> {
    let mut parser = Parser::new(decoded);
    let mut builder = Builder::default();
    loop {
        let event = parser.next()?;
        if let EventKind::DocumentEnd = event.kind {
            break;
        }
        builder.event(event)?;
    }
    let start = Mark { line: 1, column: 1 };
    let nothing = Node { start, end: start, alias: false, value: Value::Null("".into()) };
    Ok(builder.root.unwrap_or(nothing))
}

/// A collection whose end has not been read yet.
struct Open<'t> {
    start: Mark,
    anchor: Option<&'t str>,
    kind: OpenKind,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>, Option<Node>),
}

/// What an anchor stands for: the last node that was given the name.
enum Anchored {
    /// The collection at this depth, which is not complete.
    Open(usize),
    Complete(Node),
}

#[derive(Default)]
struct Builder<'t> {
    open: Vec<Open<'t>>,
    anchors: HashMap<&'t str, Anchored>,
    root: Option<Node>,
}

impl<'t> Builder<'t> {
    fn event(&mut self, event: Event<'t>) -> Result<(), YamlError> {
        let Event { kind, start, end } = event;
        match kind {
            EventKind::Alias(anchor) => {
                let node = self.alias(anchor, start, end)?;
                self.add(node);
            }
            EventKind::Scalar { anchor, tag, text, style } => {
                let node = Node { start, end, alias: false, value: scalar(text, tag, style) };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, Anchored::Complete(node.clone()));
                }
                self.add(node);
            }
            EventKind::SequenceStart { anchor } => {
                self.begin(Open { start, anchor, kind: OpenKind::Sequence(vec![]) })?;
            }
            EventKind::MappingStart { anchor } => {
                self.begin(Open { start, anchor, kind: OpenKind::Mapping(vec![], None) })?;
            }
            EventKind::CollectionEnd => self.finish(end),
            EventKind::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, open: Open<'t>) -> Result<(), YamlError> {
        let depth = self.open.len();
        if depth >= MAX_DEPTH {
            let problem = format!("exceeded max depth of {MAX_DEPTH}");
            return Err(YamlError::new(Stage::Scanner, problem, Some(open.start)));
        }
        if let Some(anchor) = open.anchor {
            self.anchors.insert(anchor, Anchored::Open(depth));
        }
        self.open.push(open);
        Ok(())
    }

    fn finish(&mut self, end: Mark) {
        let Some(Open { start, anchor, kind }) = self.open.pop() else { return };
        // Most collections are small, and there are many.
        let value = match kind {
            OpenKind::Sequence(mut items) => {
                items.shrink_to_fit();
                Value::Sequence(Arc::new(items))
            }
            OpenKind::Mapping(mut entries, _) => {
                entries.shrink_to_fit();
                Value::Mapping(Arc::new(entries))
            }
        };
        let node = Node { start, end, alias: false, value };
        let depth = self.open.len();
        if let Some(Entry::Occupied(mut entry)) = anchor.map(|name| self.anchors.entry(name)) {
            // The name may have been given to another node in between.
            if matches!(entry.get(), Anchored::Open(opened) if *opened == depth) {
                entry.insert(Anchored::Complete(node.clone()));
            }
        }
        self.add(node);
    }

    fn alias(&self, anchor: &str, start: Mark, end: Mark) -> Result<Node, YamlError> {
        let problem = match self.anchors.get(anchor) {
            Some(Anchored::Complete(node)) => {
                return Ok(Node { start, end, alias: true, value: node.value.clone() });
            }
            Some(Anchored::Open(_)) => format!("anchor '{anchor}' value contains itself"),
            None => format!("unknown anchor '{anchor}' referenced"),
        };
        Err(YamlError::new(Stage::Tree, problem, Some(start)))
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

fn scalar(text: Arc<str>, tag: Option<Arc<str>>, style: Style) -> Value {
    const NULL: &str = "tag:yaml.org,2002:null";
    let plain = style == Style::Plain && tag.is_none();
    let null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
    if null && (plain || tag.as_deref() == Some(NULL)) {
        return Value::Null(text);
    }
    Value::Scalar(Scalar { text, style, tag })
}
