//! From bytes to text the scanner can be given: encodings, and what the scanner must not see.

use std::io::{self, BufRead, Read};

use super::{Mark, Stage, YamlError, mark, scan_error};

/// How much text the scanner is given at once.
const CHUNK: usize = 4096;

/// Text that decoded cleanly, and what stopped the decoding.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) stopped: Option<&'static str>,
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
        return Decoded { text: String::from_utf8_lossy(bytes).into_owned(), stopped: None };
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
    Decoded { text: String::from_utf8_lossy(good).into_owned(), stopped }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(c) = decoded else {
            return Decoded { text, stopped: Some("unexpected low surrogate area") };
        };
        text.push(c);
    }
    Decoded { text, stopped: (!odd.is_empty()).then_some("incomplete UTF-16 character") }
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

/// Finds the two inputs that libyaml-safer 0.3 answers with a panic and refuses them as errors: a
/// backslash as the last character of an open double-quoted scalar, and a tag that is followed by
/// a comma inside a flow collection.
pub(super) fn refuse_scanner_panics(decoded: &Decoded) -> Result<(), YamlError> {
    let text = decoded.text.as_str();
    if text.ends_with('\\') {
        tokens_end(&format!("{text}\n"))?;
    }
    /// Each suspect costs a scan, and there is a net below this check.
    const MOST_SUSPECTS: usize = 16;
    let suspects = text.match_indices('!').filter_map(|(start, _)| {
        let opener = text[..start].chars().next_back().is_none_or(|c| " \t\r\n,[{:".contains(c));
        let length = text[start..].find(|c: char| !c.is_ascii_graphic() || c == ',')?;
        (opener && text[start + length..].starts_with(',')).then_some(start + length)
    });
    for comma in suspects.take(MOST_SUSPECTS) {
        let prefix = &text[..comma];
        if let Ok(Some(at)) = tokens_end(prefix) {
            return Err(YamlError::new(
                Stage::Scanner,
                "did not find expected whitespace or line break",
                Some(at),
            ));
        }
    }
    Ok(())
}

/// Scans `text`; returns the start of its last token if that is a tag ending the text.
fn tokens_end(text: &str) -> Result<Option<Mark>, YamlError> {
    let mut scanner = libyaml_safer::Scanner::new();
    scanner.set_input(Chunks { rest: text, stopped: None });
    let mut last = None;
    for token in scanner {
        let token = token.map_err(|e| scan_error(&e))?;
        match token.data {
            libyaml_safer::TokenData::Tag { .. } => {
                let ends = usize::try_from(token.end_mark.index).is_ok_and(|i| i == text.len());
                last = ends.then(|| mark(token.start_mark));
            }
            libyaml_safer::TokenData::StreamEnd | libyaml_safer::TokenData::BlockEnd => {}
            _ => last = None,
        }
    }
    Ok(last)
}
