//! A message with blanks, `{name}`, in two languages.

use std::borrow::Cow;

/// A message in English and how to say it otherwise.
#[derive(Debug)]
pub(super) struct Pattern {
    english: Vec<Piece>,
    other: Vec<Piece>,
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// What is always the same.
    Text(&'static str),
    /// What varies, by its name.
    Blank(&'static str),
}

/// What stands in the blanks of a message, by their names.
pub(super) type Parts<'t> = Vec<(&'static str, &'t str)>;

impl Pattern {
    pub(super) fn new(english: &'static str, other: &'static str) -> Self {
        Self { english: pieces(english), other: pieces(other) }
    }

    /// Returns the byte that all messages of this pattern begin with, if there is one.
    pub(super) fn first_byte(&self) -> Option<u8> {
        match self.english.first() {
            Some(Piece::Text(text)) => text.bytes().next(),
            _ => None,
        }
    }

    /// Returns what the blanks of a message hold, if it is one of this pattern. A blank ends where
    /// the text that follows it in the pattern first occurs; a path or text where it last does.
    pub(super) fn matched<'t>(&self, message: &'t str) -> Option<Parts<'t>> {
        let mut rest = message;
        let mut parts = vec![];
        let mut blank = None;
        for (n, piece) in self.english.iter().enumerate() {
            let text = match (piece, blank.take()) {
                (Piece::Blank(name), _) => {
                    blank = Some(*name);
                    continue;
                }
                (Piece::Text(text), None) => {
                    rest = rest.strip_prefix(text)?;
                    continue;
                }
                (Piece::Text(text), Some(name)) => {
                    let at = match (n + 1 == self.english.len(), name) {
                        (true, _) => rest.strip_suffix(text)?.len(),
                        (false, "path" | "text") => rest.rfind(text)?,
                        (false, _) => rest.find(text)?,
                    };
                    parts.push((name, &rest[..at]));
                    rest = &rest[at..];
                    text
                }
            };
            rest = &rest[text.len()..];
        }
        if let Some(name) = blank {
            parts.push((name, rest));
            rest = "";
        }
        rest.is_empty().then_some(parts)
    }

    /// Returns the message in the other language; `translated` says what a part becomes.
    pub(super) fn filled<'t>(
        &self,
        parts: &Parts<'t>,
        translated: impl Fn(&'static str, &'t str) -> Cow<'t, str>,
    ) -> String {
        let mut out = String::new();
        for piece in &self.other {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Blank(wanted) => {
                    for (name, part) in parts.iter().filter(|(name, _)| name == wanted) {
                        out.push_str(&translated(name, part));
                    }
                }
            }
        }
        out
    }
}

/// Splits a pattern into what is always the same and what varies.
pub(super) fn pieces(pattern: &'static str) -> Vec<Piece> {
    let mut pieces = vec![];
    let mut rest = pattern;
    while let Some((before, name, after)) = next_blank(rest) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Blank(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn next_blank(pattern: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (before, rest) = pattern.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_what_varies() {
        let cases: [(&str, &str, Option<&[&str]>); 9] = [
            ("unused key {key}", "unused key x y", Some(&["x y"])),
            ("a {b} b {c} c", "a 1 b 2 c", Some(&["1", "2"])),
            ("{a}: {b}", "1: 2: 3", Some(&["1", "2: 3"])),
            ("{path}: {b}", "1: 2: 3", Some(&["1: 2", "3"])),
            ("{a} b", "a b b", Some(&["a b"])),
            ("a {b} c", "a 1", None),
            ("a {b} c", "a c", None),
            ("plain", "plain", Some(&[])),
            ("plain", "plainer", None),
        ];
        for (pattern, text, want) in cases {
            let parts = Pattern::new(pattern, "").matched(text);
            let parts: Option<Vec<_>> =
                parts.map(|parts| parts.into_iter().map(|(_, part)| part).collect());
            assert_eq!(parts.as_deref(), want, "{pattern}: {text}");
        }
    }

    #[test]
    fn a_translation_may_have_another_order() {
        let pattern = Pattern::new("{a} of {b}", "{b}'s {a}");
        let parts = pattern.matched("x of y").unwrap();
        assert_eq!(pattern.filled(&parts, |_, part| part.into()), "y's x");
    }
}
