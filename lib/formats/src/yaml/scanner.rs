//! From text to tokens, by the rules of YAML 1.1 as libyaml and go-yaml read them.
//!
//! A key is known by the `:` behind it, so tokens wait in a queue while one of them may be a key;
//! a key has at most 1024 characters on one line, which bounds the queue. Each rule looks at the
//! text once, so the work is linear in the input, however deep its flow collections are.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::cursor::Cursor;
use super::text::Decoded;
use super::{Mark, Stage, Style, YamlError};

mod block;
mod directive;
mod node;
mod plain;
mod quoted;

pub(super) type Result<T> = std::result::Result<T, YamlError>;

/// How far a `:` may be from the start of its key.
const MOST_KEY_CHARACTERS: usize = 1024;

#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug)]
pub(super) enum TokenKind<'t> {
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagDirective { handle: &'t str, prefix: Cow<'t, str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    Tag(Tag<'t>),
    Scalar { text: Arc<str>, style: Style },
}

/// A tag as written; without a handle the suffix is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Tag<'t> {
    pub(super) handle: &'t str,
    pub(super) suffix: Cow<'t, str>,
}

/// A token that turns out to be a key if a `:` follows.
#[derive(Debug)]
struct KeyCandidate {
    flow_level: usize,
    /// Whether there is nothing else it could be.
    required: bool,
    /// The number of the token, counted from the start of the text.
    token: usize,
    start: Mark,
}

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    stopped: Option<&'static str>,
    tokens: VecDeque<Token<'t>>,
    /// How many tokens have left the queue.
    taken: usize,
    /// Whether the first token in the queue is known not to be a key.
    settled: bool,
    /// The column of the innermost block collection; 0 outside of all.
    indent: usize,
    outer_indents: Vec<usize>,
    flow_level: usize,
    key_allowed: bool,
    /// At most one for each flow level, outermost and so earliest first.
    keys: VecDeque<KeyCandidate>,
    /// The text of a scalar that cannot be sliced, and the line breaks that may belong to it.
    scratch: String,
    breaks: String,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(decoded: &'t Decoded<'_>) -> Self {
        Self {
            cursor: Cursor::new(&decoded.text),
            stopped: decoded.stopped,
            tokens: VecDeque::new(),
            taken: 0,
            settled: false,
            indent: 0,
            outer_indents: Vec::new(),
            flow_level: 0,
            key_allowed: true,
            keys: VecDeque::new(),
            scratch: String::new(),
            breaks: String::new(),
        }
    }

    /// Returns the next token and leaves it there.
    pub(super) fn peek(&mut self) -> Result<&Token<'t>> {
        while !self.settled {
            if self.tokens.is_empty() || self.may_first_be_key()? {
                self.fetch()?;
            } else {
                self.settled = true;
            }
        }
        self.tokens.front().ok_or_else(|| YamlError::new(Stage::Scanner, "no token", None))
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Token<'t>> {
        self.peek()?;
        self.settled = false;
        self.taken += 1;
        let token = self.tokens.pop_front();
        token.ok_or_else(|| YamlError::new(Stage::Scanner, "no token", None))
    }

    fn may_first_be_key(&mut self) -> Result<bool> {
        self.drop_stale_keys()?;
        Ok(self.keys.front().is_some_and(|key| key.token == self.taken))
    }

    fn error<T>(&mut self, context: Option<Mark>, problem: &str) -> Result<T> {
        let at = Some(self.cursor.mark());
        Err(YamlError { context, ..YamlError::new(Stage::Scanner, problem, at) })
    }

    /// Reads on until there is one more token. Who gets to the end of a text that could not be
    /// decoded further learns why, whatever it looked like to the scanner.
    fn fetch(&mut self) -> Result<()> {
        let result = self.fetch_token();
        match self.stopped {
            Some(problem) if self.cursor.is_at_end() => {
                Err(YamlError::new(Stage::Reader, problem, None))
            }
            _ => result,
        }
    }

    fn fetch_token(&mut self) -> Result<()> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        let column = self.cursor.column();
        self.close_blocks_right_of(column);
        if self.stopped.is_some() && self.cursor.rest().chars().nth(3).is_none() {
            // A token is told by up to four characters.
            self.cursor.skip(self.cursor.rest().len());
            return Ok(());
        }
        let in_flow = self.flow_level > 0;
        match self.cursor.byte(0) {
            0 => self.fetch_stream_end(),
            b'%' if self.cursor.is_at_line_start() => self.fetch_directive(),
            first @ (b'-' | b'.') if self.cursor.is_at_document_marker() => {
                self.end_blocks()?;
                let start = first == b'-';
                let marker = if start { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
                self.push_indicator(marker, 3);
                Ok(())
            }
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.cursor.word_ends_at(1) => self.fetch_block_entry(),
            b'?' if in_flow || self.cursor.word_ends_at(1) => self.fetch_key(),
            b':' if in_flow || self.cursor.word_ends_at(1) => self.fetch_value(),
            b'*' | b'&' | b'!' => self.fetch_property(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_key_scalar(Self::scan_quoted),
            b'%' | b'@' | b'`' | b'|' | b'>' | b'#' | b'\t' => {
                let context = Some(self.cursor.mark());
                self.error(context, "found character that cannot start any token")
            }
            _ => self.fetch_key_scalar(Self::scan_plain),
        }
    }

    /// Skips blanks, comments and line breaks. A tab must not indent where a block may start.
    fn skip_to_token(&mut self) {
        loop {
            if self.cursor.is_at_line_start() && self.cursor.rest().starts_with('\u{feff}') {
                self.cursor.skip('\u{feff}'.len_utf8());
            }
            let tabs = self.flow_level > 0 || !self.key_allowed;
            self.cursor.take_while(|byte| byte == b' ' || (byte == b'\t' && tabs));
            if self.cursor.byte(0) == b'#' {
                self.cursor.take_line();
            }
            if self.cursor.take_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn push(&mut self, kind: TokenKind<'t>, start: Mark, end: Mark) {
        self.tokens.push_back(Token { kind, start, end });
    }

    /// Reads an indicator of so many bytes.
    fn push_indicator(&mut self, kind: TokenKind<'t>, len: usize) {
        let start = self.cursor.mark();
        self.cursor.skip(len);
        let end = self.cursor.mark();
        self.push(kind, start, end);
    }

    // Keys

    /// Forgets the candidates whose line or length is over. They are the outermost ones.
    fn drop_stale_keys(&mut self) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let Mark { line, column } = self.cursor.mark();
        while let Some(key) = self.keys.front() {
            if key.start.line == line && key.start.column + MOST_KEY_CHARACTERS >= column {
                break;
            }
            if key.required {
                let start = Some(key.start);
                return self.error(start, "could not find expected ':'");
            }
            self.keys.pop_front();
        }
        Ok(())
    }

    /// Notes that the next token may be a key.
    fn save_key(&mut self) -> Result<()> {
        if !self.key_allowed {
            return Ok(());
        }
        self.remove_key()?;
        let start = self.cursor.mark();
        self.keys.push_back(KeyCandidate {
            flow_level: self.flow_level,
            required: self.flow_level == 0 && self.indent == start.column,
            token: self.taken + self.tokens.len(),
            start,
        });
        Ok(())
    }

    /// Forgets the candidate of this flow level.
    fn remove_key(&mut self) -> Result<()> {
        match self.take_key() {
            Some(key) if key.required => self.error(Some(key.start), "could not find expected ':'"),
            _ => Ok(()),
        }
    }

    fn take_key(&mut self) -> Option<KeyCandidate> {
        let level = self.flow_level;
        self.keys.back().filter(|key| key.flow_level == level)?;
        self.keys.pop_back()
    }

    // Blocks

    /// Opens a block collection where one starts; `before` is a token number.
    fn open_block(&mut self, kind: TokenKind<'t>, start: Mark, before: Option<usize>) {
        if self.flow_level > 0 || self.indent >= start.column {
            return;
        }
        self.outer_indents.push(self.indent);
        self.indent = start.column;
        self.insert(Token { kind, start, end: start }, before);
    }

    fn insert(&mut self, token: Token<'t>, before: Option<usize>) {
        let index = before.map_or(self.tokens.len(), |number| number.saturating_sub(self.taken));
        self.tokens.insert(index.min(self.tokens.len()), token);
    }

    fn close_blocks_right_of(&mut self, column: usize) {
        if self.flow_level > 0 || self.indent <= column {
            return;
        }
        let here = self.cursor.mark();
        while self.indent > column {
            self.push(TokenKind::BlockEnd, here, here);
            self.indent = self.outer_indents.pop().unwrap_or(0);
        }
    }

    /// Ends all blocks, as a new document or the end of the text does.
    fn end_blocks(&mut self) -> Result<()> {
        self.close_blocks_right_of(0);
        self.remove_key()?;
        self.key_allowed = false;
        Ok(())
    }

    // Tokens

    fn fetch_stream_end(&mut self) -> Result<()> {
        self.cursor.end_last_line();
        self.end_blocks()?;
        self.push_indicator(TokenKind::StreamEnd, 0);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<()> {
        self.end_blocks()?;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'t>) -> Result<()> {
        self.save_key()?;
        self.flow_level += 1;
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'t>) -> Result<()> {
        self.remove_key()?;
        self.flow_level = self.flow_level.saturating_sub(1);
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<()> {
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<()> {
        const REFUSED: &str = "block sequence entries are not allowed in this context";
        // In a flow collection the parser refuses it, which can name the collection.
        self.open_block_here(TokenKind::BlockSequenceStart, REFUSED)?;
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<()> {
        const REFUSED: &str = "mapping keys are not allowed in this context";
        self.open_block_here(TokenKind::BlockMappingStart, REFUSED)?;
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<()> {
        const REFUSED: &str = "mapping values are not allowed in this context";
        if let Some(KeyCandidate { token, start, .. }) = self.take_key() {
            self.insert(Token { kind: TokenKind::Key, start, end: start }, Some(token));
            self.open_block(TokenKind::BlockMappingStart, start, Some(token));
            self.key_allowed = false;
        } else {
            self.open_block_here(TokenKind::BlockMappingStart, REFUSED)?;
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }

    fn open_block_here(&mut self, kind: TokenKind<'t>, refused: &str) -> Result<()> {
        if self.flow_level > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return self.error(None, refused);
        }
        let start = self.cursor.mark();
        self.open_block(kind, start, None);
        Ok(())
    }

    /// Reads an alias, an anchor or a tag.
    fn fetch_property(&mut self) -> Result<()> {
        self.save_key()?;
        self.key_allowed = false;
        let token = self.scan_property()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self) -> Result<()> {
        self.remove_key()?;
        self.key_allowed = true;
        let token = self.scan_block_scalar()?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// Reads a scalar that may be a key.
    fn fetch_key_scalar(&mut self, scan: fn(&mut Self) -> Result<Token<'t>>) -> Result<()> {
        self.save_key()?;
        self.key_allowed = false;
        let token = scan(self)?;
        self.tokens.push_back(token);
        Ok(())
    }

    // Folding, which plain and quoted scalars share

    /// Reads line breaks and the blanks around them: returns the first break, keeps the others.
    fn fold_breaks(&mut self, first: Option<char>, next: char) -> Option<char> {
        if first.is_some() {
            self.breaks.push(next);
        }
        first.or(Some(next))
    }

    /// Adds what line breaks between two lines come to: a space for one, one less for more.
    fn join_lines(&mut self, first: Option<char>) {
        match first {
            Some('\n') if self.breaks.is_empty() => self.scratch.push(' '),
            Some('\n') | None => self.scratch.push_str(&self.breaks),
            Some(kept) => {
                self.scratch.push(kept);
                self.scratch.push_str(&self.breaks);
            }
        }
        self.breaks.clear();
    }
}
