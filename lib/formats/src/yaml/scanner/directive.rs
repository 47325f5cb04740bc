//! The directives before a document: `%YAML` and `%TAG`.

use super::node::is_name;
use super::{Mark, Result, Scanner, Token, TokenKind};

/// How many digits go-yaml reads of each part of a version.
const MOST_VERSION_DIGITS: usize = 2;

impl<'t> Scanner<'t> {
    pub(super) fn scan_directive(&mut self) -> Result<Token<'t>> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        let name = self.cursor.take_while(is_name);
        if name.is_empty() {
            return self.error(Some(start), "could not find expected directive name");
        }
        if !self.cursor.word_ends_at(0) {
            return self.error(Some(start), "found unexpected non-alphabetical character");
        }
        let kind = match name {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return self.error(Some(start), "found unknown directive name"),
        };
        let end = self.cursor.mark();
        self.skip_line_end(start)?;
        Ok(Token { kind, start, end })
    }

    fn scan_version(&mut self, start: Mark) -> Result<TokenKind<'t>> {
        self.cursor.skip_blanks();
        let major = self.scan_version_number(start)?;
        if self.cursor.byte(0) != b'.' {
            let problem = "did not find expected digit or '.' character";
            return self.error(Some(start), problem);
        }
        self.cursor.skip(1);
        let minor = self.scan_version_number(start)?;
        Ok(TokenKind::Version { major, minor })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8> {
        let rest = self.cursor.rest();
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.cursor.take(len.min(MOST_VERSION_DIGITS));
        if len > MOST_VERSION_DIGITS {
            return self.error(Some(start), "found extremely long version number");
        }
        match digits.parse() {
            Ok(number) => Ok(number),
            Err(_) => self.error(Some(start), "did not find expected version number"),
        }
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<TokenKind<'t>> {
        self.cursor.skip_blanks();
        let handle = self.scan_declared_handle(start)?;
        if !self.cursor.is_blank() {
            return self.error(Some(start), "did not find expected whitespace");
        }
        self.cursor.skip_blanks();
        let prefix = self.scan_uri(start)?;
        if !self.cursor.word_ends_at(0) {
            let problem = "did not find expected whitespace or line break";
            return self.error(Some(start), problem);
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    /// Scans `!`, `!!` or `!handle!`.
    fn scan_declared_handle(&mut self, start: Mark) -> Result<&'t str> {
        const PROBLEM: &str = "did not find expected '!'";
        let rest = self.cursor.rest();
        if !rest.starts_with('!') {
            return self.error(Some(start), PROBLEM);
        }
        let name_len = rest.bytes().skip(1).take_while(|byte| is_name(*byte)).count();
        let is_closed = self.cursor.byte(1 + name_len) == b'!';
        let handle = self.cursor.take(1 + name_len + usize::from(is_closed));
        if !is_closed && handle != "!" {
            return self.error(Some(start), PROBLEM);
        }
        Ok(handle)
    }
}
