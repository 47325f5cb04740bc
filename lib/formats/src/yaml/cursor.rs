//! The scanner's place in the text: it only moves forward, over whole characters.
//!
//! Columns are counted when somebody asks for them, so lines that nobody asks about, such as those
//! of a block scalar, cost nothing. The text has no NUL, so a zero byte means its end.

use super::Mark;

/// A line break: what it stands for, and how many bytes it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineBreak {
    pub(super) stands_for: char,
    len: usize,
}

#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    line_start: usize,
    /// How many bytes between `line_start` and `counted` do not start a character.
    continuations: usize,
    counted: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, offset: 0, line: 1, line_start: 0, continuations: 0, counted: 0 }
    }

    /// Returns the text that is not read yet.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.offset >= self.text.len()
    }

    pub(super) fn is_at_line_start(&self) -> bool {
        self.offset == self.line_start
    }

    /// Returns the byte that is `ahead` bytes away; zero after the end.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t')
    }

    pub(super) fn break_at(&self, ahead: usize) -> Option<LineBreak> {
        let found = |stands_for, len| Some(LineBreak { stands_for, len });
        match self.byte(ahead) {
            b'\n' => found('\n', 1),
            b'\r' if self.byte(ahead + 1) == b'\n' => found('\n', 2),
            b'\r' => found('\n', 1),
            0xc2 if self.byte(ahead + 1) == 0x85 => found('\n', 2),
            0xe2 if self.byte(ahead + 1) == 0x80 => match self.byte(ahead + 2) {
                0xa8 => found('\u{2028}', 3),
                0xa9 => found('\u{2029}', 3),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether a word ends here: at a blank, a line break or the end of the text.
    pub(super) fn word_ends_at(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | 0) || self.break_at(ahead).is_some()
    }

    /// Returns whether a line starts here that is `---` or `...`.
    pub(super) fn is_at_document_marker(&self) -> bool {
        self.is_at_line_start()
            && (self.rest().starts_with("---") || self.rest().starts_with("..."))
            && self.word_ends_at(3)
    }

    /// Moves on by a number of bytes, none of them a line break.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.offset = (self.offset + bytes).min(self.text.len());
    }

    /// Moves on by a number of bytes and returns them.
    pub(super) fn take(&mut self, bytes: usize) -> &'t str {
        let taken = self.rest().get(..bytes).unwrap_or_default();
        self.skip(taken.len());
        taken
    }

    /// Takes the ASCII characters that `wanted` accepts.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let len = rest.bytes().position(|byte| !wanted(byte)).unwrap_or(rest.len());
        self.take(len)
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Takes the line up to its break.
    pub(super) fn take_line(&mut self) -> &'t str {
        let rest = self.rest();
        let mut len = 0;
        while let Some(found) = rest.as_bytes().get(len..).and_then(|b| find(b, may_break)) {
            len += found;
            if self.break_at(len).is_some() {
                return self.take(len);
            }
            len += 1;
        }
        self.take(rest.len())
    }

    /// Moves behind the line break that is here, if there is one.
    pub(super) fn take_break(&mut self) -> Option<char> {
        let found = self.break_at(0)?;
        self.offset += found.len;
        self.start_line();
        Some(found.stands_for)
    }

    /// Moves to the start of a line at the end of the text.
    pub(super) fn end_last_line(&mut self) {
        if !self.is_at_line_start() {
            self.start_line();
        }
    }

    fn start_line(&mut self) {
        self.line += 1;
        self.line_start = self.offset;
        self.counted = self.offset;
        self.continuations = 0;
    }

    /// Returns the column of a place that has only spaces and tabs before it on its line.
    pub(super) fn indentation_column(&self) -> usize {
        self.offset - self.line_start + 1
    }

    pub(super) fn column(&mut self) -> usize {
        if self.counted == self.offset {
            return self.offset - self.line_start - self.continuations + 1;
        }
        let uncounted = self.text.as_bytes().get(self.counted..self.offset).unwrap_or_default();
        self.continuations += uncounted.iter().filter(|byte| (**byte & 0xc0) == 0x80).count();
        self.counted = self.offset;
        self.offset - self.line_start - self.continuations + 1
    }

    pub(super) fn mark(&mut self) -> Mark {
        Mark { line: self.line, column: self.column() }
    }
}

/// Whether a byte may be the first of a line break.
pub(super) fn may_break(byte: u8) -> bool {
    (byte == b'\n') | (byte == b'\r') | (byte == 0xc2) | (byte == 0xe2)
}

/// Finds the first wanted byte; a block at a time, which compilers turn into vector instructions.
pub(super) fn find(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<32>();
    let has_one = |block: &[u8; 32]| block.iter().fold(false, |any, byte| any | wanted(*byte));
    let from = blocks.iter().position(has_one).unwrap_or(blocks.len()) * 32;
    let found = bytes.get(from..)?.iter().position(|byte| wanted(*byte))?;
    Some(from + found)
}
