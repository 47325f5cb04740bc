//! What stands before a node: aliases, anchors and tags.

use std::borrow::Cow;

use super::{Mark, Result, Scanner, Tag, Token, TokenKind};

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a byte may stand for itself in a tag. YAML 1.1 and go-yaml include commas and brackets.
fn is_uri(byte: u8) -> bool {
    is_name(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte)
}

impl<'t> Scanner<'t> {
    pub(super) fn scan_property(&mut self) -> Result<Token<'t>> {
        let start = self.cursor.mark();
        let kind = match self.cursor.byte(0) {
            b'*' => TokenKind::Alias(self.scan_anchor_name(start)?),
            b'&' => TokenKind::Anchor(self.scan_anchor_name(start)?),
            _ => TokenKind::Tag(self.scan_tag(start)?),
        };
        Ok(Token { kind, start, end: self.cursor.mark() })
    }

    fn scan_anchor_name(&mut self, start: Mark) -> Result<&'t str> {
        self.cursor.skip(1);
        let name = self.cursor.take_while(is_name);
        let ends = self.cursor.word_ends_at(0) || b"?:,]}%@`".contains(&self.cursor.byte(0));
        if name.is_empty() || !ends {
            let problem = "did not find expected alphabetic or numeric character";
            return self.error(Some(start), problem);
        }
        Ok(name)
    }

    fn scan_tag(&mut self, start: Mark) -> Result<Tag<'t>> {
        let tag = if self.cursor.byte(1) == b'<' {
            self.cursor.skip(2);
            let suffix = self.scan_uri(start)?;
            if self.cursor.byte(0) != b'>' {
                return self.error(Some(start), "did not find the expected '>'");
            }
            self.cursor.skip(1);
            Tag { handle: "", suffix }
        } else {
            self.scan_short_tag(start)?
        };
        if !self.cursor.word_ends_at(0) {
            let problem = "did not find expected whitespace or line break";
            return self.error(Some(start), problem);
        }
        Ok(tag)
    }

    /// Scans `!suffix`, `!handle!suffix`, `!!suffix` or `!`.
    fn scan_short_tag(&mut self, start: Mark) -> Result<Tag<'t>> {
        let rest = self.cursor.rest();
        let name_len = rest.bytes().skip(1).take_while(|byte| is_name(*byte)).count();
        if self.cursor.byte(1 + name_len) == b'!' {
            let handle = self.cursor.take(name_len + 2);
            return Ok(Tag { handle, suffix: self.scan_uri(start)? });
        }
        let handle = self.cursor.take(1);
        if self.cursor.byte(0) != b'%' && !is_uri(self.cursor.byte(0)) {
            return Ok(Tag { handle: "", suffix: Cow::Borrowed(handle) });
        }
        Ok(Tag { handle, suffix: self.scan_uri(start)? })
    }

    /// Scans a part of a tag and decodes its `%` escapes; it must not be empty.
    pub(super) fn scan_uri(&mut self, start: Mark) -> Result<Cow<'t, str>> {
        let mut uri = Cow::Borrowed(self.cursor.take_while(is_uri));
        while self.cursor.byte(0) == b'%' {
            let c = self.scan_uri_escape(start)?;
            let text = uri.to_mut();
            text.push(c);
            text.push_str(self.cursor.take_while(is_uri));
        }
        if uri.is_empty() {
            return self.error(Some(start), "did not find expected tag URI");
        }
        Ok(uri)
    }

    /// Scans the escaped bytes of one character.
    fn scan_uri_escape(&mut self, start: Mark) -> Result<char> {
        const TRAILING: &str = "found an incorrect trailing UTF-8 octet";
        let mut octets = vec![self.scan_uri_octet(start)?];
        let width = match octets.first() {
            Some(0..=0x7f) => 1,
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => return self.error(Some(start), "found an incorrect leading UTF-8 octet"),
        };
        self.cursor.skip(3);
        for _ in 1..width {
            let octet = self.scan_uri_octet(start)?;
            if octet & 0xc0 != 0x80 {
                return self.error(Some(start), TRAILING);
            }
            octets.push(octet);
            self.cursor.skip(3);
        }
        match std::str::from_utf8(&octets).ok().and_then(|text| text.chars().next()) {
            Some(c) => Ok(c),
            None => self.error(Some(start), TRAILING),
        }
    }

    /// Returns the byte that a `%` and two digits stand for, and leaves them there.
    fn scan_uri_octet(&mut self, start: Mark) -> Result<u8> {
        let digits = (self.cursor.byte(0) == b'%')
            .then(|| self.cursor.rest().get(1..3))
            .flatten()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) => Ok(octet),
            None => self.error(Some(start), "did not find URI escaped octet"),
        }
    }
}
