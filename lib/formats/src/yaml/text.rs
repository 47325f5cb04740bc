//! From bytes to text the scanner can be given: encodings, and characters that are refused.
//!
//! The reference reads ahead in windows of 512 bytes and refuses a window as a whole. So the text
//! is cut before a window with something unreadable in it, and the scanner reports what stopped
//! the decoding when it gets there; a document that ends earlier is read.

use std::borrow::Cow;

use super::cursor::find;
use super::{Stage, YamlError};

/// How many bytes the reference reads at once.
const READ_AHEAD: usize = 512;

const CONTROL_CHARACTER: &str = "control characters are not allowed";

/// Text that decoded cleanly, and what stopped the decoding.
#[derive(Debug)]
pub(super) struct Decoded<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) stopped: Option<&'static str>,
}

/// Turns bytes into text: UTF-8, or UTF-16 with a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, YamlError> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(decode_utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Ok(decode_utf16(rest, u16::from_be_bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(decode_utf8(rest, 3)),
        [0xfe | 0xff, ..] => {
            Err(YamlError::new(Stage::Reader, "invalid leading UTF-8 octet", None))
        }
        _ => Ok(decode_utf8(bytes, 0)),
    }
}

/// The window that the reference would be reading.
struct Window {
    /// Where it ends in the file.
    end: usize,
    /// Where it starts in the text.
    text_start: usize,
}

impl Window {
    /// Moves on when a character, which has these bytes in the file, does not fit.
    fn reach(&mut self, (from, to): (usize, usize), text_len: usize) {
        if to > self.end {
            *self = Self { end: from + READ_AHEAD, text_start: text_len };
        }
    }
}

fn decode_utf8(bytes: &[u8], mark_len: usize) -> Decoded<'_> {
    let (mut text, mut stop) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(good).unwrap_or_default(), Some(invalid_utf8(bad)))
        }
    };
    if let Some((at, c)) = first_refused(text) {
        text = text.get(..at).unwrap_or_default();
        stop = Some((c.len_utf8(), CONTROL_CHARACTER));
    }
    let Some((width, problem)) = stop else {
        return Decoded { text: Cow::Borrowed(text), stopped: None };
    };
    let mut window = Window { end: READ_AHEAD, text_start: 0 };
    let end = (text.len(), width);
    for (at, width) in text.char_indices().map(|(at, c)| (at, c.len_utf8())).chain([end]) {
        window.reach((mark_len + at, mark_len + at + width), at);
    }
    let kept = if problem == INCOMPLETE { text.len() } else { window.text_start };
    Decoded { text: Cow::Borrowed(text.get(..kept).unwrap_or_default()), stopped: Some(problem) }
}

const INCOMPLETE: &str = "incomplete UTF-8 octet sequence";

/// Says how many bytes the sequence claims that `bad` starts with, and what is wrong with it.
fn invalid_utf8(bad: &[u8]) -> (usize, &'static str) {
    let width = match bad {
        [0xc0..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf7, ..] => 4,
        _ => return (1, "invalid leading UTF-8 octet"),
    };
    let problem = match (bad, bad.get(1..width)) {
        (_, None) => INCOMPLETE,
        (_, Some(tail)) if tail.iter().any(|byte| byte & 0xc0 != 0x80) => {
            "invalid trailing UTF-8 octet"
        }
        ([0xc0 | 0xc1, ..] | [0xe0, 0x80..=0x9f, ..] | [0xf0, 0x80..=0x8f, ..], _) => {
            "invalid length of a UTF-8 sequence"
        }
        _ => "invalid Unicode character",
    };
    (width, problem)
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded<'static> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut window = Window { end: READ_AHEAD, text_start: 0 };
    // The byte order mark comes first.
    let mut from = 2;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let is_last = from == bytes.len() - odd.len();
        let (width, problem) = match &decoded {
            Ok(c) => (c.len_utf16() * 2, refuses(*c).then_some(CONTROL_CHARACTER)),
            Err(e) if e.unpaired_surrogate() >= 0xdc00 => {
                (2, Some("unexpected low surrogate area"))
            }
            Err(_) if is_last => return stopped_at(text, "incomplete UTF-16 surrogate pair"),
            Err(_) => (4, Some("expected low surrogate area")),
        };
        window.reach((from, from + width), text.len());
        if let Some(problem) = problem {
            text.truncate(window.text_start);
            return stopped_at(text, problem);
        }
        text.extend(decoded);
        from += width;
    }
    let stopped = (!odd.is_empty()).then_some("incomplete UTF-16 character");
    Decoded { text: Cow::Owned(text), stopped }
}

fn stopped_at(text: String, problem: &'static str) -> Decoded<'static> {
    Decoded { text: Cow::Owned(text), stopped: Some(problem) }
}

fn first_refused(text: &str) -> Option<(usize, char)> {
    let suspect = |byte: u8| {
        ((byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r'))
            | (byte == 0x7f)
            | (byte == 0xc2)
            | (byte == 0xef)
    };
    let mut from = 0;
    loop {
        let at = from + find(text.as_bytes().get(from..)?, suspect)?;
        let c = text.get(at..)?.chars().next()?;
        if refuses(c) {
            return Some((at, c));
        }
        from = at + c.len_utf8();
    }
}

/// Whether YAML has no place for a character: a control character or no character at all.
fn refuses(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}
