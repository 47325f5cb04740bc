//! Scalars in single or double quotes.

use std::sync::Arc;

use super::super::cursor::{find, may_break};
use super::{Mark, Result, Scanner, Style, Token, TokenKind};

/// What ended a stretch of text inside quotes.
enum Stop {
    Quote,
    DoubledQuote,
    Escape,
    Break,
    End,
}

impl<'t> Scanner<'t> {
    pub(super) fn scan_quoted(&mut self) -> Result<Token<'t>> {
        let start = self.cursor.mark();
        let quote = self.cursor.byte(0);
        self.cursor.skip(1);
        let (first, stop) = self.take_quoted_text(quote);
        let text = if matches!(stop, Stop::Quote) {
            Arc::from(first)
        } else {
            self.scratch.clear();
            self.unquote(first, stop, (quote, start))?;
            Arc::from(self.scratch.as_str())
        };
        self.cursor.skip(1);
        let end = self.cursor.mark();
        Ok(Token { kind: TokenKind::Scalar { text, style: Style::Quoted }, start, end })
    }

    /// Takes text that stands for itself, and says what follows.
    fn take_quoted_text(&mut self, quote: u8) -> (&'t str, Stop) {
        let rest = self.cursor.rest();
        let ends = |byte| (byte == quote) | ((byte == b'\\') & (quote == b'"')) | may_break(byte);
        let mut len = 0;
        while let Some(found) = rest.as_bytes().get(len..).and_then(|bytes| find(bytes, ends)) {
            len += found;
            let stop = match self.cursor.byte(len) {
                b'\'' if self.cursor.byte(len + 1) == b'\'' => Stop::DoubledQuote,
                b'\'' | b'"' => Stop::Quote,
                b'\\' => Stop::Escape,
                _ if self.cursor.break_at(len).is_some() => Stop::Break,
                _ => {
                    len += 1;
                    continue;
                }
            };
            return (self.cursor.take(len), stop);
        }
        (self.cursor.take(rest.len()), Stop::End)
    }

    /// Puts the text into `scratch`, up to the closing quote.
    fn unquote(&mut self, first: &str, mut stop: Stop, (quote, start): (u8, Mark)) -> Result<()> {
        let mut text = first;
        loop {
            match stop {
                Stop::Quote => {
                    self.scratch.push_str(text);
                    return Ok(());
                }
                Stop::DoubledQuote => {
                    self.scratch.push_str(text);
                    self.scratch.push('\'');
                    self.cursor.skip(2);
                }
                Stop::Escape => {
                    self.scratch.push_str(text);
                    if self.cursor.break_at(1).is_some() {
                        self.cursor.skip(1);
                        self.cursor.take_break();
                        self.skip_quoted_breaks(start, None)?;
                    } else {
                        let c = self.scan_escape(start)?;
                        self.scratch.push(c);
                    }
                }
                Stop::Break => {
                    self.scratch.push_str(text.trim_end_matches([' ', '\t']));
                    let line_break = self.cursor.take_break();
                    self.skip_quoted_breaks(start, line_break)?;
                }
                Stop::End => return self.error(Some(start), "found unexpected end of stream"),
            }
            (text, stop) = self.take_quoted_text(quote);
        }
    }

    /// Skips the line breaks and blanks after a line break that counts, or one that was escaped.
    fn skip_quoted_breaks(&mut self, start: Mark, counts: Option<char>) -> Result<()> {
        loop {
            self.cursor.skip_blanks();
            match self.cursor.take_break() {
                Some(next) => self.breaks.push(next),
                None => break,
            }
        }
        self.join_lines(counts);
        if self.cursor.is_at_document_marker() {
            return self.error(Some(start), "found unexpected document indicator");
        }
        Ok(())
    }

    fn scan_escape(&mut self, start: Mark) -> Result<char> {
        let digits = match self.cursor.byte(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                let Some(c) = escaped(other) else {
                    return self.error(Some(start), "found unknown escape character");
                };
                self.cursor.skip(2);
                return Ok(c);
            }
        };
        self.cursor.skip(2);
        let mut code = 0;
        for n in 0..digits {
            let Some(digit) = char::from(self.cursor.byte(n)).to_digit(16) else {
                return self.error(Some(start), "did not find expected hexadecimal number");
            };
            code = code << 4 | digit;
        }
        let Some(c) = char::from_u32(code) else {
            return self.error(Some(start), "found invalid Unicode character escape code");
        };
        self.cursor.skip(digits);
        Ok(c)
    }
}

/// Returns what a backslash and this letter stand for. go-yaml knows `\'`, libyaml knows `\/`.
fn escaped(letter: u8) -> Option<char> {
    Some(match letter {
        b'0' => '\0',
        b'a' => '\x07',
        b'b' => '\x08',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\x0b',
        b'f' => '\x0c',
        b'r' => '\r',
        b'e' => '\x1b',
        b' ' | b'"' | b'\'' | b'/' | b'\\' => char::from(letter),
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
