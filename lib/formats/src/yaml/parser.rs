//! From tokens to events: what starts and ends a node, by the grammar of YAML 1.1.
//!
//! The grammar's rules that are not finished stand on a stack, so nesting costs no recursion.

use std::collections::HashMap;
use std::sync::Arc;

use super::scanner::{Result, Scanner, Tag, Token, TokenKind};
use super::text::Decoded;
use super::{Mark, Stage, Style, YamlError};

/// How much text resolved tags may have together: a long prefix may be written once and used often.
const MAX_TAG_TEXT: usize = 1 << 26;

#[derive(Debug)]
pub(super) struct Event<'t> {
    pub(super) kind: EventKind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug)]
pub(super) enum EventKind<'t> {
    Alias(&'t str),
    Scalar { anchor: Option<&'t str>, tag: Option<Arc<str>>, text: Arc<str>, style: Style },
    SequenceStart { anchor: Option<&'t str> },
    MappingStart { anchor: Option<&'t str> },
    CollectionEnd,
    DocumentEnd,
}

/// The rule that reads the next token.
#[derive(Debug, Clone, Copy)]
enum State {
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceEntry(Place),
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingKey(Place),
    FlowMappingValue,
    FlowMappingNoValue,
}

/// Whether an entry of a flow collection comes after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

/// Which nodes may stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Flow,
    Block,
    /// Also a list that is not indented more than the key it is the value of.
    BlockOrIndentless,
}

#[derive(Debug)]
pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    state: State,
    /// What to go on with after the current node.
    pending: Vec<State>,
    /// Where the open collections start.
    starts: Vec<Mark>,
    prefixes: HashMap<&'t str, String>,
    /// The tags resolved so far: equal ones share their text.
    tags: HashMap<Tag<'t>, Arc<str>>,
    tag_text: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn new(decoded: &'t Decoded<'_>) -> Self {
        Self {
            scanner: Scanner::new(decoded),
            state: State::DocumentStart,
            pending: Vec::new(),
            starts: Vec::new(),
            prefixes: HashMap::new(),
            tags: HashMap::new(),
            tag_text: 0,
        }
    }

    /// Returns the next event of the first document.
    pub(super) fn next(&mut self) -> Result<Event<'t>> {
        match self.state {
            State::DocumentStart => self.document_start(),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => {
                let (start, end) = self.place()?;
                Ok(Event { kind: EventKind::DocumentEnd, start, end })
            }
            State::BlockNode => self.node(Allowed::Block),
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry(place) => self.flow_sequence_entry(place),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_value(State::FlowPairEnd),
            State::FlowPairEnd => {
                self.state = State::FlowSequenceEntry(Place::Later);
                let (start, end) = self.place()?;
                Ok(Event { kind: EventKind::CollectionEnd, start, end })
            }
            State::FlowMappingKey(place) => self.flow_mapping_key(place),
            State::FlowMappingValue => self.flow_value(State::FlowMappingKey(Place::Later)),
            State::FlowMappingNoValue => {
                let (start, _) = self.place()?;
                Ok(self.nothing(start, State::FlowMappingKey(Place::Later)))
            }
        }
    }

    fn kind(&mut self) -> Result<&TokenKind<'t>> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn place(&mut self) -> Result<(Mark, Mark)> {
        let token = self.scanner.peek()?;
        Ok((token.start, token.end))
    }

    fn error<T>(&mut self, context: Option<Mark>, problem: &str) -> Result<T> {
        let (at, _) = self.place()?;
        Err(YamlError { context, ..YamlError::new(Stage::Parser, problem, Some(at)) })
    }

    fn finish_node(&mut self) {
        self.state = self.pending.pop().unwrap_or(State::DocumentEnd);
    }

    /// Stands for a node that is not written.
    fn nothing(&mut self, at: Mark, next: State) -> Event<'t> {
        self.state = next;
        let (text, style) = (Arc::from(""), Style::Plain);
        let kind = EventKind::Scalar { anchor: None, tag: None, text, style };
        Event { kind, start: at, end: at }
    }

    fn node_then(&mut self, next: State, allowed: Allowed) -> Result<Event<'t>> {
        self.pending.push(next);
        self.node(allowed)
    }

    fn end_collection(&mut self) -> Result<Event<'t>> {
        let Token { start, end, .. } = self.scanner.take()?;
        self.starts.pop();
        self.finish_node();
        Ok(Event { kind: EventKind::CollectionEnd, start, end })
    }

    // Documents

    fn document_start(&mut self) -> Result<Event<'t>> {
        let is_explicit = self.directives()?;
        match self.kind()? {
            TokenKind::StreamEnd if !is_explicit => {
                self.state = State::DocumentEnd;
                self.next()
            }
            TokenKind::DocumentStart => {
                self.scanner.take()?;
                self.state = State::DocumentContent;
                self.next()
            }
            _ if is_explicit => self.error(None, "did not find expected <document start>"),
            _ => {
                self.state = State::BlockNode;
                self.pending.push(State::DocumentEnd);
                self.next()
            }
        }
    }

    /// Reads the directives; returns whether there are any.
    fn directives(&mut self) -> Result<bool> {
        let mut version_seen = false;
        while let TokenKind::Version { .. } | TokenKind::TagDirective { .. } = self.kind()? {
            let Token { kind, start, .. } = self.scanner.take()?;
            let problem = match kind {
                TokenKind::Version { .. } if version_seen => "found duplicate %YAML directive",
                TokenKind::Version { major: 1, minor: 1 } => {
                    version_seen = true;
                    continue;
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.prefixes.insert(handle, prefix.into_owned()).is_none() {
                        continue;
                    }
                    "found duplicate %TAG directive"
                }
                _ => "found incompatible YAML document",
            };
            return Err(YamlError::new(Stage::Parser, problem, Some(start)));
        }
        let any = version_seen || !self.prefixes.is_empty();
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.prefixes.entry(handle).or_insert_with(|| prefix.to_owned());
        }
        Ok(any)
    }

    fn document_content(&mut self) -> Result<Event<'t>> {
        use TokenKind::{DocumentEnd, DocumentStart, StreamEnd, TagDirective, Version};
        if let Version { .. } | TagDirective { .. } | DocumentStart | DocumentEnd | StreamEnd =
            self.kind()?
        {
            let (start, _) = self.place()?;
            return Ok(self.nothing(start, State::DocumentEnd));
        }
        self.node_then(State::DocumentEnd, Allowed::Block)
    }

    // Nodes

    fn node(&mut self, allowed: Allowed) -> Result<Event<'t>> {
        let (mut anchor, mut tag) = (None, None);
        let (start, _) = self.place()?;
        let mut end = start;
        while anchor.is_none() || tag.is_none() {
            let is_property = match self.kind()? {
                TokenKind::Alias(_) => anchor.is_none() && tag.is_none(),
                TokenKind::Anchor(_) => anchor.is_none(),
                TokenKind::Tag(_) => tag.is_none(),
                _ => false,
            };
            if !is_property {
                break;
            }
            let token = self.scanner.take()?;
            end = token.end;
            match token.kind {
                TokenKind::Alias(name) => {
                    self.finish_node();
                    return Ok(Event { kind: EventKind::Alias(name), start, end });
                }
                TokenKind::Anchor(name) => anchor = Some(name),
                TokenKind::Tag(written) => tag = Some((written, token.start)),
                _ => {}
            }
        }
        let tag = tag.map(|(tag, at)| self.resolve(tag, start, at)).transpose()?;
        self.content(Properties { anchor, tag, start, end }, allowed)
    }

    fn content(&mut self, node: Properties<'t>, allowed: Allowed) -> Result<Event<'t>> {
        let Properties { anchor, tag, start, end } = node;
        let is_block = allowed != Allowed::Flow;
        let (inner, inner_end) = self.place()?;
        let (kind, first) = match self.kind()? {
            TokenKind::BlockEntry if allowed == Allowed::BlockOrIndentless => {
                self.state = State::IndentlessSequenceEntry;
                let kind = EventKind::SequenceStart { anchor };
                return Ok(Event { kind, start, end: inner_end });
            }
            TokenKind::FlowSequenceStart => {
                (EventKind::SequenceStart { anchor }, State::FlowSequenceEntry(Place::First))
            }
            TokenKind::FlowMappingStart => {
                (EventKind::MappingStart { anchor }, State::FlowMappingKey(Place::First))
            }
            TokenKind::BlockSequenceStart if is_block => {
                (EventKind::SequenceStart { anchor }, State::BlockSequenceEntry)
            }
            TokenKind::BlockMappingStart if is_block => {
                (EventKind::MappingStart { anchor }, State::BlockMappingKey)
            }
            TokenKind::Scalar { text, style } => {
                let (text, style) = (Arc::clone(text), *style);
                self.scanner.take()?;
                self.finish_node();
                let kind = EventKind::Scalar { anchor, tag, text, style };
                return Ok(Event { kind, start, end: inner_end });
            }
            _ if anchor.is_some() || tag.is_some() => {
                self.finish_node();
                let (text, style) = (Arc::from(""), Style::Plain);
                let kind = EventKind::Scalar { anchor, tag, text, style };
                return Ok(Event { kind, start, end });
            }
            _ => return self.error(Some(start), "did not find expected node content"),
        };
        self.scanner.take()?;
        self.starts.push(inner);
        self.state = first;
        Ok(Event { kind, start, end: inner_end })
    }

    fn resolve(&mut self, tag: Tag<'t>, node: Mark, at: Mark) -> Result<Arc<str>> {
        if let Some(known) = self.tags.get(&tag) {
            return Ok(Arc::clone(known));
        }
        let fail = |problem| {
            let error = YamlError::new(Stage::Parser, problem, Some(at));
            Err(YamlError { context: Some(node), ..error })
        };
        let prefix = match tag.handle {
            "" => "",
            handle => match self.prefixes.get(handle) {
                Some(prefix) => prefix,
                None => return fail("found undefined tag handle"),
            },
        };
        self.tag_text += prefix.len() + tag.suffix.len();
        if self.tag_text > MAX_TAG_TEXT {
            return fail("document contains too much text in tags");
        }
        let resolved: Arc<str> = format!("{prefix}{}", tag.suffix).into();
        self.tags.insert(tag, Arc::clone(&resolved));
        Ok(resolved)
    }

    // Block collections

    fn block_sequence_entry(&mut self) -> Result<Event<'t>> {
        match self.kind()? {
            TokenKind::BlockEntry => {
                let after = self.scanner.take()?.end;
                if let TokenKind::BlockEntry | TokenKind::BlockEnd = self.kind()? {
                    return Ok(self.nothing(after, State::BlockSequenceEntry));
                }
                self.node_then(State::BlockSequenceEntry, Allowed::Block)
            }
            TokenKind::BlockEnd => self.end_collection(),
            _ => {
                let start = self.starts.last().copied();
                self.error(start, "did not find expected '-' indicator")
            }
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event<'t>> {
        use TokenKind::{BlockEnd, BlockEntry, Key, Value};
        if !matches!(self.kind()?, BlockEntry) {
            let (start, end) = self.place()?;
            self.finish_node();
            return Ok(Event { kind: EventKind::CollectionEnd, start, end });
        }
        let after = self.scanner.take()?.end;
        if let BlockEntry | Key | Value | BlockEnd = self.kind()? {
            return Ok(self.nothing(after, State::IndentlessSequenceEntry));
        }
        self.node_then(State::IndentlessSequenceEntry, Allowed::Block)
    }

    fn block_mapping_key(&mut self) -> Result<Event<'t>> {
        match self.kind()? {
            TokenKind::Key => self.block_mapping_node(State::BlockMappingValue),
            TokenKind::BlockEnd => self.end_collection(),
            _ => {
                let start = self.starts.last().copied();
                self.error(start, "did not find expected key")
            }
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event<'t>> {
        if let TokenKind::Value = self.kind()? {
            return self.block_mapping_node(State::BlockMappingKey);
        }
        let (start, _) = self.place()?;
        Ok(self.nothing(start, State::BlockMappingKey))
    }

    /// Reads the node behind the indicator of a key or a value.
    fn block_mapping_node(&mut self, next: State) -> Result<Event<'t>> {
        let after = self.scanner.take()?.end;
        if let TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd = self.kind()? {
            return Ok(self.nothing(after, next));
        }
        self.node_then(next, Allowed::BlockOrIndentless)
    }

    // Flow collections

    fn flow_sequence_entry(&mut self, place: Place) -> Result<Event<'t>> {
        const PROBLEM: &str = "did not find expected ',' or ']'";
        if let TokenKind::FlowSequenceEnd = self.kind()? {
            return self.end_collection();
        }
        self.flow_separator(place, PROBLEM)?;
        match self.kind()? {
            TokenKind::FlowSequenceEnd => self.end_collection(),
            TokenKind::Key => {
                let Token { start, end, .. } = self.scanner.take()?;
                self.state = State::FlowPairKey;
                Ok(Event { kind: EventKind::MappingStart { anchor: None }, start, end })
            }
            _ => self.node_then(State::FlowSequenceEntry(Place::Later), Allowed::Flow),
        }
    }

    /// Reads the comma before an entry that is not the first.
    fn flow_separator(&mut self, place: Place, problem: &str) -> Result<()> {
        match self.kind()? {
            _ if place == Place::First => {}
            TokenKind::FlowEntry => {
                self.scanner.take()?;
            }
            _ => {
                let start = self.starts.last().copied();
                return self.error(start, problem);
            }
        }
        Ok(())
    }

    fn flow_pair_key(&mut self) -> Result<Event<'t>> {
        use TokenKind::{FlowEntry, FlowSequenceEnd, Value};
        if let Value | FlowEntry | FlowSequenceEnd = self.kind()? {
            // libyaml drops this token, so a pair without a key has no value either.
            let after = self.scanner.take()?.end;
            return Ok(self.nothing(after, State::FlowPairValue));
        }
        self.node_then(State::FlowPairValue, Allowed::Flow)
    }

    fn flow_mapping_key(&mut self, place: Place) -> Result<Event<'t>> {
        const PROBLEM: &str = "did not find expected ',' or '}'";
        use TokenKind::{FlowEntry, FlowMappingEnd, Key, Value};
        if let FlowMappingEnd = self.kind()? {
            return self.end_collection();
        }
        self.flow_separator(place, PROBLEM)?;
        match self.kind()? {
            FlowMappingEnd => return self.end_collection(),
            Key => self.scanner.take()?,
            _ => return self.node_then(State::FlowMappingNoValue, Allowed::Flow),
        };
        if let Value | FlowEntry | FlowMappingEnd = self.kind()? {
            let (start, _) = self.place()?;
            return Ok(self.nothing(start, State::FlowMappingValue));
        }
        self.node_then(State::FlowMappingValue, Allowed::Flow)
    }

    /// Reads the value of a flow mapping's entry, or of a pair in a flow sequence.
    fn flow_value(&mut self, next: State) -> Result<Event<'t>> {
        let is_pair = matches!(next, State::FlowPairEnd);
        if let TokenKind::Value = self.kind()? {
            self.scanner.take()?;
            let is_missing = match self.kind()? {
                TokenKind::FlowEntry => true,
                TokenKind::FlowSequenceEnd => is_pair,
                TokenKind::FlowMappingEnd => !is_pair,
                _ => false,
            };
            if !is_missing {
                return self.node_then(next, Allowed::Flow);
            }
        }
        let (start, _) = self.place()?;
        Ok(self.nothing(start, next))
    }
}

/// What stands before the content of a node.
struct Properties<'t> {
    anchor: Option<&'t str>,
    tag: Option<Arc<str>>,
    start: Mark,
    end: Mark,
}
