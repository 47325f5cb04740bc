//! Finds the translation of a message. All messages together are looked through once at most, so
//! the time is linear in the length of the message.

use std::borrow::Cow;
use std::collections::HashMap;

use super::chinese::words;
use super::pattern::{Parts, Pattern};

/// How deep messages may stand in messages; a deeper one is not translated.
const DEEPEST: usize = 8;

/// What the lines of type errors begin with.
const LINE: &str = "  line ";

/// Messages without blanks, and patterns of the others by how they begin.
#[derive(Debug)]
pub(super) struct Catalog {
    whole: HashMap<&'static str, &'static str>,
    beginning: HashMap<u8, Vec<Pattern>>,
    /// Those that begin with a blank.
    open: Vec<Pattern>,
}

impl Catalog {
    /// Takes tables of messages in English and another language. Of patterns that fit the same
    /// message the first counts, and those that begin with a blank come last.
    pub(super) fn new(tables: &[&[(&'static str, &'static str)]]) -> Self {
        let mut catalog =
            Self { whole: HashMap::new(), beginning: HashMap::new(), open: Vec::new() };
        for (english, other) in tables.iter().copied().flatten().copied() {
            if !english.contains('{') {
                catalog.whole.insert(english, other);
                continue;
            }
            let pattern = Pattern::new(english, other);
            match pattern.first_byte() {
                Some(byte) => catalog.beginning.entry(byte).or_default().push(pattern),
                None => catalog.open.push(pattern),
            }
        }
        catalog
    }

    /// Returns the translation of a message, or the message.
    pub(super) fn translated<'t>(&self, message: &'t str) -> Cow<'t, str> {
        self.message(message, DEEPEST)
    }

    fn message<'t>(&self, message: &'t str, deepest: usize) -> Cow<'t, str> {
        if let Some(other) = self.whole.get(message) {
            return Cow::Borrowed(other);
        }
        let Some(deepest) = deepest.checked_sub(1) else { return Cow::Borrowed(message) };
        match self.pattern(message) {
            Some((pattern, parts)) => {
                let part = |name, part| self.part(name, part, deepest);
                Cow::Owned(pattern.filled(&parts, part))
            }
            None => Cow::Borrowed(message),
        }
    }

    /// Returns the first pattern that fits a message, and what stands in its blanks.
    fn pattern<'t>(&self, message: &'t str) -> Option<(&Pattern, Parts<'t>)> {
        let begin = message.bytes().next().and_then(|byte| self.beginning.get(&byte));
        let candidates = begin.into_iter().flatten().chain(&self.open);
        candidates.into_iter().find_map(|pattern| Some((pattern, pattern.matched(message)?)))
    }

    /// Returns what stands in a blank. Its name says what it is; what the user wrote stays.
    fn part<'t>(&self, name: &str, part: &'t str, deepest: usize) -> Cow<'t, str> {
        match name {
            "message" => self.message(part, deepest),
            "lines" => {
                let lines = part.strip_prefix(LINE).unwrap_or(part).split("\n  line ");
                let lines = lines.map(|line| format!("line {line}"));
                let lines: Vec<String> =
                    lines.map(|line| format!("  {}", self.message(&line, deepest))).collect();
                Cow::Owned(lines.join("\n"))
            }
            "type" => words::type_name(part),
            "found" | "tag" => words::found(part),
            "list" => Cow::Owned(part.replace(", ", "、")),
            _ => Cow::Borrowed(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::chinese::TABLES;
    use super::super::pattern::{Piece, pieces};
    use super::*;

    fn blanks(pattern: &'static str) -> Vec<&'static str> {
        let pieces = pieces(pattern).into_iter();
        let names = pieces.filter_map(|piece| match piece {
            Piece::Blank(name) => Some(name),
            Piece::Text(_) => None,
        });
        names.collect()
    }

    /// Fills the blanks of a pattern with words that fit; returns the words by the blanks' names.
    fn sample(pattern: &'static str) -> (String, Vec<(&'static str, &'static str)>) {
        let mut parts = vec![];
        let mut text = String::new();
        for piece in pieces(pattern) {
            let word = match piece {
                Piece::Text(literal) => literal,
                Piece::Blank(name) => {
                    let word = match name {
                        "lines" => "  line 1: word",
                        "type" => "v0_4.File",
                        "found" | "tag" => "!!str",
                        "list" => "one, two",
                        _ => "word",
                    };
                    parts.push((name, word));
                    word
                }
            };
            text.push_str(word);
        }
        (text, parts)
    }

    #[test]
    fn both_languages_have_the_same_blanks() {
        for (english, chinese) in TABLES.iter().copied().flatten().copied() {
            let sorted = |pattern| {
                let mut names = blanks(pattern);
                names.retain(|name| *name != "_");
                names.sort_unstable();
                names
            };
            assert_eq!(sorted(english), sorted(chinese), "{english}");
            let names: HashSet<&str> = blanks(english).into_iter().collect();
            assert_eq!(names.len(), blanks(english).len(), "a blank occurs twice: {english}");
            assert!(!english.contains("}{"), "nothing between blanks: {english}");
        }
    }

    #[test]
    fn no_message_is_translated_twice() {
        let mut seen = HashSet::new();
        for (english, _) in TABLES.iter().copied().flatten() {
            assert!(seen.insert(english), "{english}");
        }
    }

    #[test]
    fn no_pattern_hides_another() {
        let catalog = Catalog::new(&TABLES);
        for (english, chinese) in TABLES.iter().copied().flatten().copied() {
            let (message, parts) = sample(english);
            if parts.is_empty() {
                assert_eq!(catalog.translated(&message), chinese);
                continue;
            }
            let want = Pattern::new(english, chinese);
            assert_eq!(want.matched(&message).as_ref(), Some(&parts), "{english}");
            let (found, _) = catalog.pattern(&message).unwrap();
            assert_eq!(format!("{found:?}"), format!("{want:?}"), "{message}");
            assert!(!catalog.whole.contains_key(message.as_str()), "{message}");
        }
    }

    #[test]
    fn every_translation_is_chinese() {
        let han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        for (english, chinese) in TABLES.iter().copied().flatten() {
            // What only passes on another message need not add words.
            let bare = chinese.starts_with("YAML：");
            assert!(bare || chinese.contains(han), "{english}");
            assert!(!chinese.ends_with(['。', '.']), "{chinese}");
        }
    }
}
