//! From bytes to text the scanner can be given: encodings, and what the scanner must not see.

use std::collections::HashSet;
use std::io::{self, BufRead, Read};

use super::{Stage, YamlError, mark};

/// How much text the scanner is given at once.
const CHUNK: usize = 4096;

/// Text that decoded cleanly, and what stopped the decoding.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) stopped: Option<&'static str>,
    /// Whether a line end was added after the last line.
    pub(super) completed: bool,
}

impl Decoded {
    /// Ends the last line: the scanner panics on a block scalar or a backslash that ends the text.
    fn new(mut text: String, stopped: Option<&'static str>) -> Self {
        const BREAKS: [char; 5] = ['\r', '\n', '\u{85}', '\u{2028}', '\u{2029}'];
        // A last line of spaces says nothing.
        let lines_end = text.trim_end_matches(' ').len();
        if text[..lines_end].ends_with(BREAKS) {
            text.truncate(lines_end);
        }
        let completed = stopped.is_none() && !text.is_empty() && !text.ends_with(BREAKS);
        if completed {
            text.push('\n');
        }
        Self { text, stopped, completed }
    }
}

/// Turns bytes into text: UTF-8, or UTF-16 with a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, YamlError> {
    let refuse = |problem: &str| Err(YamlError::new(Stage::Reader, problem, None));
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(decode_utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Ok(decode_utf16(rest, u16::from_be_bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(decode_utf8(rest)),
        [0xfe | 0xff, ..] => refuse("invalid leading UTF-8 octet"),
        _ => Ok(decode_utf8(bytes)),
    }
}

fn decode_utf8(bytes: &[u8]) -> Decoded {
    let Err(error) = std::str::from_utf8(bytes) else {
        return Decoded::new(String::from_utf8_lossy(bytes).into_owned(), None);
    };
    let (good, bad) = bytes.split_at(error.valid_up_to());
    let stopped = Some(match bad {
        [0x80..=0xbf | 0xf8..=0xff, ..] => "invalid leading UTF-8 octet",
        _ if error.error_len().is_none() => "incomplete UTF-8 octet sequence",
        [0xc0 | 0xc1, 0x80..=0xbf, ..] | [0xe0, 0x80..=0x9f, 0x80..=0xbf, ..] => {
            "invalid length of a UTF-8 sequence"
        }
        [0xf0, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, ..] => "invalid length of a UTF-8 sequence",
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => "invalid Unicode character",
        [0xf4..=0xf7, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..] => "invalid Unicode character",
        _ => "invalid trailing UTF-8 octet",
    });
    Decoded::new(String::from_utf8_lossy(good).into_owned(), stopped)
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(c) = decoded else {
            return Decoded::new(text, Some("unexpected low surrogate area"));
        };
        text.push(c);
    }
    Decoded::new(text, (!odd.is_empty()).then_some("incomplete UTF-16 character"))
}

/// Feeds the scanner a chunk at a time: it would otherwise spread the whole text into characters.
pub(super) struct Chunks<'t> {
    pub(super) rest: &'t str,
    pub(super) stopped: Option<&'static str>,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let (true, Some(problem)) = (self.rest.is_empty(), self.stopped) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let mut end = self.rest.len().min(CHUNK);
        while !self.rest.is_char_boundary(end) {
            end -= 1;
        }
        Ok(&self.rest.as_bytes()[..end])
    }

    fn consume(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }
}

/// Finds an input that libyaml-safer 0.3 answers with a panic and refuses it as an error: a tag
/// that is followed by a comma inside a flow collection.
pub(super) fn refuse_scanner_panics(decoded: &Decoded) -> Result<(), YamlError> {
    let suspects = tags_before_commas(&decoded.text);
    if suspects.is_empty() {
        return Ok(());
    }
    // Where a suspect is a tag indeed, an anchor without a name is an error at once; anywhere
    // else, as in quoted text, it scans like the original.
    let mut probe = decoded.text.clone().into_bytes();
    for start in &suspects {
        probe[*start] = b'&';
        if let Some(second) = probe.get_mut(start + 1).filter(|byte| **byte != b',') {
            *second = b'!';
        }
    }
    let probe = String::from_utf8_lossy(&probe);
    let mut scanner = libyaml_safer::Scanner::new();
    scanner.set_input(Chunks { rest: &probe, stopped: decoded.stopped });
    let Some(error) = scanner.find_map(Result::err) else { return Ok(()) };
    let start =
        error.context_mark().filter(|_| error.context() == Some("while scanning an anchor"));
    match start {
        Some(start) if usize::try_from(start.index).is_ok_and(|n| suspects.contains(&n)) => {
            let problem = "did not find expected whitespace or line break";
            Err(YamlError::new(Stage::Scanner, problem, Some(mark(start))))
        }
        // Any other error is found again when the text itself is parsed.
        _ => Ok(()),
    }
}

/// Returns where a text has what would be a tag before a comma.
fn tags_before_commas(text: &str) -> HashSet<usize> {
    let is_tag = |c: char| c.is_ascii_alphanumeric() || "!-_;/?:@&=+$.~*'()%<>".contains(c);
    let mut suspects = HashSet::new();
    let mut from = 0;
    while let Some(n) = text[from..].find('!') {
        let start = from + n;
        let tail = text[start..].trim_start_matches(is_tag);
        if tail.starts_with(',') {
            suspects.insert(start);
        }
        from = text.len() - tail.len();
    }
    suspects
}
