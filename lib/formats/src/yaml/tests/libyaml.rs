//! Compares our events with those of `libyaml-safer`, a port of libyaml to Rust.
//!
//! Where the two may differ, `is_known_difference` says why: the port panics on a few texts, and
//! go-yaml, which the reference compiler reads with, has some rules of its own.

use std::panic::catch_unwind;

use libyaml_safer::{EventData, Parser as Port, ScalarStyle};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::super::parser::{Event, EventKind, Parser};
use super::super::text::Decoded;
use super::super::{Mark, Stage, Style, YamlError};

/// Events as text, and the error that ended them.
type Reading = (Vec<String>, Option<YamlError>);

fn ours(text: &str) -> Reading {
    let decoded = Decoded { text: text.into(), stopped: None };
    let mut parser = Parser::new(&decoded);
    let mut events = vec![];
    loop {
        match parser.next() {
            Ok(Event { kind: EventKind::DocumentEnd, .. }) => return (events, None),
            Ok(Event { kind, start, end }) => events.push(format!("{kind:?} {start:?} {end:?}")),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn theirs(text: &str) -> Reading {
    // A mark at the start is for the decoder, which is ours in both cases.
    let marked = format!("\u{feff}{text}");
    let mut input = marked.as_bytes();
    let mut port = Port::new();
    port.set_input(&mut input);
    let mut events = vec![];
    loop {
        let event = match port.parse() {
            Ok(event) => event,
            Err(error) => return (events, Some(translate_error(&error))),
        };
        let (start, end) = (mark(event.start_mark), mark(event.end_mark));
        let kind = match &event.data {
            EventData::DocumentEnd { .. } | EventData::StreamEnd => return (events, None),
            EventData::DocumentStart { version_directive: Some(v), .. } if v.minor != 1 => {
                let problem = "found incompatible YAML document";
                let error = YamlError::new(Stage::Parser, problem, Some(start));
                return (events, Some(error));
            }
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => continue,
            EventData::Alias { anchor } => EventKind::Alias(anchor),
            EventData::Scalar { anchor, tag, value, style, .. } => EventKind::Scalar {
                anchor: anchor.as_deref(),
                tag: tag.as_deref().map(Into::into),
                text: value.as_str().into(),
                style: translate_style(*style),
            },
            EventData::SequenceStart { anchor, .. } => {
                EventKind::SequenceStart { anchor: anchor.as_deref() }
            }
            EventData::MappingStart { anchor, .. } => {
                EventKind::MappingStart { anchor: anchor.as_deref() }
            }
            EventData::SequenceEnd | EventData::MappingEnd => EventKind::CollectionEnd,
        };
        events.push(format!("{kind:?} {start:?} {end:?}"));
    }
}

fn mark(mark: libyaml_safer::Mark) -> Mark {
    let from_zero = |n: u64| usize::try_from(n).unwrap() + 1;
    Mark { line: from_zero(mark.line), column: from_zero(mark.column) }
}

fn translate_style(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        _ => Style::Plain,
    }
}

fn translate_error(error: &libyaml_safer::Error) -> YamlError {
    let stage = match error.kind() {
        libyaml_safer::ErrorKind::Scanner => Stage::Scanner,
        libyaml_safer::ErrorKind::Parser => Stage::Parser,
        _ => Stage::Reader,
    };
    let problem = error.problem().replace("hexdecimal", "hexadecimal");
    let at = error.problem_mark().map(mark);
    YamlError { problem, at, context: error.context_mark().map(mark), stage }
}

/// Returns the text at a place.
fn text_at(text: &str, at: Option<Mark>) -> &str {
    let Some(at) = at else { return "" };
    let is_break = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let (mut line, mut column, mut last) = (1, 1, ' ');
    for (n, c) in text.char_indices() {
        let is_second_half = (last, c) == ('\r', '\n');
        last = c;
        if is_second_half {
            continue;
        }
        if (line, column) == (at.line, at.column) {
            return &text[n..];
        }
        (line, column) = if is_break(c) { (line + 1, 1) } else { (line, column + 1) };
    }
    ""
}

fn is_known_difference(text: &str, ours: &Reading, theirs: &Reading) -> bool {
    let problem = theirs.1.as_ref().map_or("", |error| &error.problem);
    let there = text_at(text, theirs.1.as_ref().and_then(|error| error.at));
    match problem {
        // In YAML 1.1 and in go-yaml these belong to the tag.
        "did not find expected whitespace or line break"
        | "did not find the expected '>'"
        | "did not find expected tag URI" => there.starts_with([',', '[', ']']),
        // Only libyaml minds; for go-yaml the colon belongs to the scalar.
        "found unexpected ':'" => true,
        // go-yaml knows this one.
        "found unknown escape character" => there.starts_with("\\'"),
        // go-yaml reads two digits only, and refuses a version where it stands.
        _ if text.contains("%YAML") => ours.1.as_ref().is_some_and(|error| {
            error.problem.contains("version number") || error.problem.contains("incompatible")
        }),
        // The port counts the bytes of a key, libyaml its characters.
        "could not find expected ':'" | "mapping values are not allowed in this context" => {
            text.lines().any(|line| line.len() > 1024 && !line.is_ascii())
        }
        // The port takes each escaped byte of a tag for a character.
        _ => text.contains('!') && text.split('%').skip(1).any(is_high_octet),
    }
}

/// Whether a text starts with the digits of a byte that is not ASCII.
fn is_high_octet(text: &str) -> bool {
    let digits = text.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    digits.is_some_and(|octet| octet >= 0x80)
}

fn compare(text: &str) {
    let Ok(theirs) = catch_unwind(|| theirs(text)) else {
        // It must not make us panic too.
        ours(text);
        return;
    };
    let ours = ours(text);
    let same = ours == theirs || is_known_difference(text, &ours, &theirs);
    assert!(same, "{text:?}\nours:   {ours:#?}\ntheirs: {theirs:#?}");
}

/// Pieces that make up documents, correct and broken ones.
const PIECES: &[&str] = &[
    "- ",
    "-",
    "a",
    "b: ",
    "k:",
    ": ",
    ":",
    "? ",
    "?",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\n\n",
    " ",
    "  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "|\n",
    "|-\n  ",
    "|+\n",
    ">\n  ",
    ">-\n",
    "|2\n",
    ">1+\n",
    "|0\n",
    "'",
    "''",
    "\"",
    "'x'",
    "\"y\"",
    "\\n",
    "\\x41",
    "\\u00e9",
    "\\",
    "\\\n",
    "&a ",
    "*a ",
    "*a",
    "&b",
    "! ",
    "!t ",
    "!!str ",
    "!<x:y> ",
    "!e!s ",
    "%TAG !e! tag:e:\n",
    "%YAML 1.1\n",
    "%X\n",
    "---\n",
    "--- ",
    "...\n",
    "\n---\n",
    "\n...\n",
    "# c",
    " # c\n",
    "é",
    "中",
    "𝄞",
    "\r",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "@",
    "`",
    "%",
    "text text",
    "~",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece = (0..PIECES.len()).prop_map(|n| PIECES[n]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const CONFIG: &str = "variant: nestos\nversion: 1.0.0\n# comment\nstorage:\n  files:\n  - path: /a\n    \
    mode: 0644\n    contents:\n      inline: |\n        x y\n\n          z\n  - {path: \"/b\\t\", \
    contents: {inline: 'it''s'}}\n  links: [a, &x b, *x]\nlong: one\n  two\n\n  three\n\
    folded: >-\n  a\n  b\n\n  c\n";

/// The config above with pieces in place of some stretches.
fn edited() -> impl Strategy<Value = String> {
    let piece = (0..PIECES.len()).prop_map(|n| PIECES[n]);
    let edit = (0..CONFIG.len(), 0..6_usize, prop_oneof![piece, Just("")]);
    prop::collection::vec(edit, 1..5).prop_map(|edits| {
        edits.into_iter().fold(CONFIG.to_owned(), |mut text, (at, len, piece)| {
            let boundary = |most: usize| (0..=most).rev().find(|n| text.is_char_boundary(*n));
            let (at, end) = (boundary(at).unwrap(), boundary(at + len).unwrap());
            text.replace_range(at..end, piece);
            text
        })
    })
}

proptest! {
    #[test]
    fn texts_made_of_pieces_read_as_with_libyaml(text in pieces()) {
        compare(&text);
    }

    #[test]
    fn edited_configs_read_as_with_libyaml(text in edited()) {
        compare(&text);
    }

    #[test]
    fn random_characters_read_as_with_libyaml(
        text in "[-a:{}\\[\\], \n\"'!&*|>%#?\\\\~0.\t]{0,60}", end in any::<bool>(),
    ) {
        compare(&if end { text + "\n" } else { text });
    }
}
