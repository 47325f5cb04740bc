//! JSON text to nodes with places. Errors are worded as Ignition's own parser words them.

use std::sync::Arc;

use nestos_formats::yaml::{MAX_DEPTH, Mark, Node, Scalar, Style, Value};

/// Why a text is not JSON.
#[derive(Debug)]
pub(crate) struct JsonError {
    pub message: String,
    pub at: Mark,
}

/// Parses one JSON value and nothing after it. Strings become quoted scalars, numbers and booleans
/// plain ones.
pub(crate) fn parse(text: &[u8]) -> Result<Node, JsonError> {
    let text = String::from_utf8_lossy(text);
    let mut parser = Parser { rest: &text, at: Mark { line: 1, column: 1 }, open: vec![] };
    parser.document()
}

struct Open {
    start: Mark,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

struct Parser<'t> {
    rest: &'t str,
    at: Mark,
    open: Vec<Open>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Node, JsonError> {
        loop {
            self.space();
            let Some(mut value) = self.value()? else { continue };
            // A finished value may finish the collections around it.
            loop {
                let Some(open) = self.open.last_mut() else {
                    self.space();
                    return match self.peek() {
                        None => Ok(value),
                        Some(_) => self.unexpected("after top-level value"),
                    };
                };
                match &mut open.kind {
                    OpenKind::List(items) => items.push(value),
                    OpenKind::Map(entries, key) => {
                        entries.extend(key.take().map(|key| (key, value)));
                    }
                }
                match self.after_element()? {
                    None => break,
                    Some(closed) => value = closed,
                }
            }
        }
    }

    /// Reads a scalar or an empty collection; `None` if a collection was opened instead.
    fn value(&mut self) -> Result<Option<Node>, JsonError> {
        let start = self.at;
        match self.peek() {
            Some('{') => {
                self.open(OpenKind::Map(vec![], None))?;
                self.space();
                if self.peek() == Some('}') {
                    return Ok(self.close());
                }
                self.key()?;
                Ok(None)
            }
            Some('[') => {
                self.open(OpenKind::List(vec![]))?;
                self.space();
                Ok(if self.peek() == Some(']') { self.close() } else { None })
            }
            Some('"') => {
                let text = self.string()?;
                Ok(Some(self.scalar(start, &text, Style::Quoted)))
            }
            Some('-' | '0'..='9') => {
                let text = self.number()?;
                Ok(Some(self.scalar(start, &text, Style::Plain)))
            }
            Some('t') => self.literal("true").map(Some),
            Some('f') => self.literal("false").map(Some),
            Some('n') => self.literal("null").map(Some),
            _ => self.unexpected("looking for beginning of value"),
        }
    }

    /// Reads what follows an element; returns the collection if it ends.
    fn after_element(&mut self) -> Result<Option<Node>, JsonError> {
        self.space();
        let in_map = matches!(self.open.last().map(|o| &o.kind), Some(OpenKind::Map(..)));
        match (self.peek(), in_map) {
            (Some(','), true) => {
                self.skip();
                self.space();
                self.key()?;
                Ok(None)
            }
            (Some(','), false) => {
                self.skip();
                Ok(None)
            }
            (Some('}'), true) | (Some(']'), false) => Ok(self.close()),
            (_, true) => self.unexpected("after object key:value pair"),
            (_, false) => self.unexpected("after array element"),
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() != Some('"') {
            return self.unexpected("looking for beginning of object key string");
        }
        let text = self.string()?;
        let node = self.scalar(start, &text, Style::Quoted);
        self.space();
        if self.peek() != Some(':') {
            return self.unexpected("after object key");
        }
        self.skip();
        if let Some(OpenKind::Map(_, key)) = self.open.last_mut().map(|open| &mut open.kind) {
            *key = Some(node);
        }
        Ok(())
    }

    fn open(&mut self, kind: OpenKind) -> Result<(), JsonError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(JsonError { message: "exceeded max depth".to_owned(), at: self.at });
        }
        self.open.push(Open { start: self.at, kind });
        self.skip();
        Ok(())
    }

    fn close(&mut self) -> Option<Node> {
        self.skip();
        let open = self.open.pop()?;
        let value = match open.kind {
            OpenKind::List(items) => Value::Sequence(Arc::new(items)),
            OpenKind::Map(entries, _) => Value::Mapping(Arc::new(entries)),
        };
        Some(Node { start: open.start, end: self.at, alias: false, value })
    }

    fn scalar(&self, start: Mark, text: &str, style: Style) -> Node {
        let value = match (style, text) {
            (Style::Plain, "null") => Value::Null(text.into()),
            _ => Value::Scalar(Scalar { text: text.into(), style, tag: None }),
        };
        Node { start, end: self.at, alias: false, value }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.skip();
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('"') => {
                    self.skip();
                    return Ok(text);
                }
                Some('\\') => {
                    self.skip();
                    text.push(self.escape()?);
                }
                Some(c) if c >= ' ' => {
                    self.skip();
                    text.push(c);
                }
                _ => return self.unexpected("in string literal"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let c = match self.peek() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.skip();
                return self.unicode();
            }
            _ => return self.unexpected("in string escape code"),
        };
        self.skip();
        Ok(c)
    }

    /// Reads the digits of `\uXXXX`, and a second escape if the two are one character.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        let pair = self.rest.strip_prefix("\\u").and_then(|rest| rest.get(..4));
        let low = pair.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if let Some(low) = low
            && let Some(Ok(c)) = char::decode_utf16([first, low]).next()
            && c.len_utf16() == 2
        {
            for _ in 0.."\\uXXXX".len() {
                self.skip();
            }
            return Ok(c);
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u16, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|c| c.to_digit(16)).map(u16::try_from);
            let Some(Ok(digit)) = digit else {
                return self.unexpected("in \\u hexadecimal character escape");
            };
            value = value << 4 | digit;
            self.skip();
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let start = self.rest;
        if self.peek() == Some('-') {
            self.skip();
        }
        match self.peek() {
            Some('0') => self.skip(),
            Some('1'..='9') => self.digits(),
            _ => return self.unexpected("in numeric literal"),
        }
        if self.peek() == Some('.') {
            self.skip();
            if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
                return self.unexpected("after decimal point in numeric literal");
            }
            self.digits();
        }
        if let Some('e' | 'E') = self.peek() {
            self.skip();
            if let Some('+' | '-') = self.peek() {
                self.skip();
            }
            if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
                return self.unexpected("in exponent of numeric literal");
            }
            self.digits();
        }
        Ok(start[..start.len() - self.rest.len()].to_owned())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.skip();
        }
    }

    fn literal(&mut self, word: &str) -> Result<Node, JsonError> {
        let start = self.at;
        for expected in word.chars() {
            if self.peek() != Some(expected) {
                return self.unexpected(&format!("in literal {word} (expecting '{expected}')"));
            }
            self.skip();
        }
        Ok(self.scalar(start, word, Style::Plain))
    }

    fn space(&mut self) {
        while let Some(' ' | '\t' | '\r' | '\n') = self.peek() {
            self.skip();
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        let Some(c) = self.peek() else { return };
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.at = Mark { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, JsonError> {
        let message = match self.peek() {
            None => "unexpected end of JSON input".to_owned(),
            Some('\'') => format!("invalid character '\\'' {context}"),
            Some('"') => format!("invalid character '\"' {context}"),
            Some(c) => format!("invalid character '{}' {context}", c.escape_debug()),
        };
        Err(JsonError { message, at: self.at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    #[test]
    fn values_and_places_are_read() {
        let root = parse(br#" {"a": [1, "x\u00e9\ud834\udd1e\n", null, true], "b": {}} "#).unwrap();
        let items = root.get("a").unwrap().items().unwrap();
        assert_eq!(items[0].as_str(), Some("1"));
        assert_eq!(items[1].as_str(), Some("xé𝄞\n"));
        assert!(items[2].is_null());
        assert_eq!(items[3].as_bool(), Some(true));
        assert_eq!(root.get("b").unwrap().start, Mark { line: 1, column: 55 });
    }

    #[test]
    fn errors_are_worded_as_the_reference_words_them() {
        let cases = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("v", "invalid character 'v' looking for beginning of value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\": 1 2}", "invalid character '2' after object key:value pair"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("tru", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("01", "invalid character '1' after top-level value"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let text = "[".repeat(100_000);
        assert_eq!(parse(text.as_bytes()).unwrap_err().message, "exceeded max depth");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(parse(&bytes));
        }

        #[test]
        fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}\",:0-9eE.+a-z\\\\ -]{0,60}") {
            drop(parse(text.as_bytes()));
        }
    }
}
