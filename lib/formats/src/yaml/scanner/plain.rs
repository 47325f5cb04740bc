//! Scalars without quotes.

use std::sync::Arc;

use super::{Result, Scanner, Style, Token, TokenKind};

impl<'t> Scanner<'t> {
    pub(super) fn scan_plain(&mut self) -> Result<Token<'t>> {
        let start = self.cursor.mark();
        let first = self.take_plain_line();
        let mut end = self.cursor.mark();
        let mut is_folded = false;
        let mut line_break = None;
        loop {
            self.cursor.skip_blanks();
            if self.cursor.break_at(0).is_none() {
                break;
            }
            line_break = self.skip_plain_breaks(start)?;
            let is_outside =
                self.flow_level == 0 && self.cursor.indentation_column() <= self.indent;
            if is_outside || self.cursor.is_at_document_marker() {
                break;
            }
            let line = self.take_plain_line();
            if line.is_empty() {
                break;
            }
            if !is_folded {
                self.scratch.clear();
                self.scratch.push_str(first);
                is_folded = true;
            }
            self.join_lines(line_break.take());
            self.scratch.push_str(line);
            end = self.cursor.mark();
        }
        self.breaks.clear();
        if line_break.is_some() {
            self.key_allowed = true;
        }
        let text: &str = if is_folded { &self.scratch } else { first };
        let text = Arc::from(text);
        Ok(Token { kind: TokenKind::Scalar { text, style: Style::Plain }, start, end })
    }

    /// Takes what belongs to the scalar on this line, without the blanks after it.
    fn take_plain_line(&mut self) -> &'t str {
        let in_flow = self.flow_level > 0;
        let bytes = self.cursor.rest().as_bytes();
        let (mut at, mut end) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            let goes_on = match byte {
                b' ' | b'\t' => {
                    at += 1;
                    continue;
                }
                b'\n' | b'\r' => false,
                0xc2 | 0xe2 => self.cursor.break_at(at).is_none(),
                b':' => !self.cursor.word_ends_at(at + 1),
                b',' | b'[' | b']' | b'{' | b'}' => !in_flow,
                // A comment starts a line or follows a blank.
                b'#' => at == end && at > 0,
                _ => true,
            };
            if !goes_on {
                break;
            }
            at += 1;
            end = at;
        }
        self.cursor.take(end)
    }

    /// Skips line breaks and the blanks of the lines after them.
    fn skip_plain_breaks(&mut self, start: super::Mark) -> Result<Option<char>> {
        let mut first = None;
        loop {
            if let Some(next) = self.cursor.take_break() {
                first = self.fold_breaks(first, next);
            } else if self.cursor.byte(0) == b'\t'
                && self.cursor.indentation_column() <= self.indent
            {
                return self.error(Some(start), "found a tab character that violates indentation");
            } else if self.cursor.is_blank() {
                self.cursor.skip(1);
            } else {
                return Ok(first);
            }
        }
    }
}
