//! Literal and folded block scalars.

use std::sync::Arc;

use super::{Mark, Result, Scanner, Style, Token, TokenKind};

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Clip,
    Strip,
    Keep,
}

/// The first line of a block scalar.
struct Header {
    start: Mark,
    chomping: Chomping,
    /// The column of the content, if it is given.
    column: Option<usize>,
}

impl<'t> Scanner<'t> {
    pub(super) fn scan_block_scalar(&mut self) -> Result<Token<'t>> {
        let is_folded = self.cursor.byte(0) == b'>';
        let Header { start, chomping, column } = self.scan_block_header()?;
        self.scratch.clear();
        self.breaks.clear();
        let (column, mut end) = self.skip_block_breaks(start, column)?;
        let mut line_break = None;
        let mut was_indented = false;
        while !self.cursor.is_at_end() && self.cursor.indentation_column() == column {
            let is_indented = self.cursor.is_blank();
            if is_folded && line_break == Some('\n') && !was_indented && !is_indented {
                if self.breaks.is_empty() {
                    self.scratch.push(' ');
                }
            } else {
                self.scratch.extend(line_break);
            }
            self.scratch.push_str(&self.breaks);
            self.breaks.clear();
            was_indented = is_indented;
            let line = self.cursor.take_line();
            self.scratch.push_str(line);
            line_break = self.cursor.take_break();
            (_, end) = self.skip_block_breaks(start, Some(column))?;
        }
        if chomping != Chomping::Strip {
            self.scratch.extend(line_break);
        }
        if chomping == Chomping::Keep {
            self.scratch.push_str(&self.breaks);
        }
        self.breaks.clear();
        let text = Arc::from(self.scratch.as_str());
        Ok(Token { kind: TokenKind::Scalar { text, style: Style::Block }, start, end })
    }

    fn scan_block_header(&mut self) -> Result<Header> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        let (mut chomping, mut increment) = (None, None);
        // Each of the two indicators once, in any order.
        for _ in 0..2 {
            match self.cursor.byte(0) {
                sign @ (b'+' | b'-') if chomping.is_none() => {
                    chomping = Some(if sign == b'+' { Chomping::Keep } else { Chomping::Strip });
                }
                b'0' if increment.is_none() => {
                    let problem = "found an indentation indicator equal to 0";
                    return self.error(Some(start), problem);
                }
                digit @ b'1'..=b'9' if increment.is_none() => {
                    increment = Some(usize::from(digit - b'0'));
                }
                _ => break,
            }
            self.cursor.skip(1);
        }
        self.skip_line_end(start)?;
        let column = increment.map(|n| self.indent.max(1) + n);
        Ok(Header { start, chomping: chomping.unwrap_or(Chomping::Clip), column })
    }

    /// Skips blanks and a comment up to the next line.
    pub(super) fn skip_line_end(&mut self, start: Mark) -> Result<()> {
        self.cursor.skip_blanks();
        if self.cursor.byte(0) == b'#' {
            self.cursor.take_line();
        }
        if self.cursor.take_break().is_none() && !self.cursor.is_at_end() {
            return self.error(Some(start), "did not find expected comment or line break");
        }
        Ok(())
    }

    /// Skips empty lines and the indentation of the next, which may tell the column of the
    /// content; returns that and where the last empty line ended.
    fn skip_block_breaks(&mut self, start: Mark, column: Option<usize>) -> Result<(usize, Mark)> {
        let mut end = self.cursor.mark();
        let mut widest = 0;
        loop {
            let here = self.cursor.indentation_column();
            let most = column.map_or(usize::MAX, |column| column.saturating_sub(here));
            let spaces = self.cursor.rest().bytes().take(most).take_while(|byte| *byte == b' ');
            let spaces = spaces.count();
            self.cursor.skip(spaces);
            widest = widest.max(here + spaces);
            if column.is_none_or(|column| here + spaces < column) && self.cursor.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return self.error(Some(start), problem);
            }
            let Some(line_break) = self.cursor.take_break() else { break };
            self.breaks.push(line_break);
            end = self.cursor.mark();
        }
        Ok((column.unwrap_or(widest.max(self.indent + 1).max(2)), end))
    }
}
