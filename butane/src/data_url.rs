//! Puts bytes into a data URL, in the shortest of the encodings that Ignition reads. The URL itself
//! is only written out at the very end: contents may be large, and are in memory once.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use gzip::Gzip;

pub(crate) mod gzip;

/// What stays as it is in a data URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The value of `compression` for gzip; its length counts against compressing.
pub(crate) const GZIP: &str = "gzip";

const SCHEME: &str = "data:";
const BASE64: &str = ";base64,";

/// Bytes and how they stand in a URL.
#[derive(Debug, Clone)]
pub(crate) struct DataUrl {
    body: Body,
    encoding: Encoding,
}

/// What a data URL holds.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Text of the config.
    Text(Arc<str>),
    /// Other bytes.
    Bytes(Vec<u8>),
}

/// How the bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Not decided yet.
    Open(Compress),
    Percent,
    Base64,
    /// In base64, of the compressed bytes, which are those that are stored.
    GzipInBase64,
}

/// Whether the bytes may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compress {
    /// If that is shorter.
    IfShorter,
    /// No.
    Never,
    /// No: the config says how they are compressed.
    Given,
    /// No, nor may they become base64.
    PercentOnly,
}

impl DataUrl {
    /// Takes bytes whose encoding [`DataUrl::settle`] decides.
    pub(crate) fn new(body: Body, compress: Compress) -> Self {
        Self { body, encoding: Encoding::Open(compress) }
    }

    /// Returns how many bytes are stored.
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Returns whether the encoding is still to be decided.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.encoding, Encoding::Open(_))
    }

    /// Decides the encoding; returns what `compression` must say about it, if it must be said.
    pub(crate) fn settle(&mut self, gzip: &mut Gzip) -> Option<&'static str> {
        let Encoding::Open(compress) = self.encoding else { return None };
        let (percent, base64) = (percent_length(self.bytes()), base64_length(self.len()));
        let shortest =
            if compress == Compress::PercentOnly { percent } else { percent.min(base64) };
        self.encoding = if shortest < percent { Encoding::Base64 } else { Encoding::Percent };
        match compress {
            Compress::IfShorter => {
                let room = shortest.saturating_sub(GZIP.len() + 1);
                if let Some(zipped) =
                    longest_in(room).and_then(|most| gzip.below(self.bytes(), most))
                {
                    self.body = Body::Bytes(zipped);
                    self.encoding = Encoding::GzipInBase64;
                    return Some(GZIP);
                }
                // Always explicit, so that merging configs cannot inherit another compression.
                Some("")
            }
            Compress::Never => Some(""),
            Compress::Given | Compress::PercentOnly => None,
        }
    }

    /// Returns the length of the URL.
    pub(crate) fn url_length(&self) -> usize {
        let opaque = match self.encoding {
            Encoding::Percent | Encoding::Open(_) => percent_length(self.bytes()),
            Encoding::Base64 | Encoding::GzipInBase64 => base64_length(self.len()),
        };
        SCHEME.len() + opaque
    }

    /// Appends the URL to a text.
    pub(crate) fn write_to(&self, out: &mut String) {
        out.push_str(SCHEME);
        match self.encoding {
            Encoding::Percent | Encoding::Open(_) => {
                out.push(',');
                out.extend(percent_encode(self.bytes(), UNRESERVED));
            }
            Encoding::Base64 | Encoding::GzipInBase64 => {
                out.push_str(BASE64);
                STANDARD.encode_string(self.bytes(), out);
            }
        }
    }

    /// Returns the URL as a text.
    pub(crate) fn to_url(&self) -> String {
        let mut url = String::with_capacity(self.url_length());
        self.write_to(&mut url);
        url
    }

    /// Returns what is stored: compressed bytes, if that is how they are written.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Text(text) => text.as_bytes(),
            Body::Bytes(bytes) => bytes,
        }
    }
}

/// Returns the bytes that a data URL holds; `None` if it is none, or broken.
pub(crate) fn decode(url: &str) -> Option<Vec<u8>> {
    let (kind, text) = url.strip_prefix(SCHEME)?.split_once(',')?;
    if kind.ends_with(";base64") {
        return STANDARD.decode(text).ok();
    }
    Some(percent_decode_str(text).collect())
}

/// Returns the length of the percent-encoded bytes with what goes before them.
fn percent_length(bytes: &[u8]) -> usize {
    let lengths = bytes.iter().map(|byte| usize::from(PERCENT_LENGTHS[usize::from(*byte)]));
    ",".len() + lengths.sum::<usize>()
}

/// How many characters each byte takes.
const PERCENT_LENGTHS: [u8; 256] = {
    let mut lengths = [3; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            lengths[byte as usize] = 1;
        }
        byte += 1;
    }
    let mut kept = b"-_.!~*'()".as_slice();
    while let [byte, rest @ ..] = kept {
        lengths[*byte as usize] = 1;
        kept = rest;
    }
    lengths
};

fn base64_length(bytes: usize) -> usize {
    BASE64.len() + bytes.div_ceil(3) * 4
}

/// Returns how many bytes fit as base64 into `room` characters.
fn longest_in(room: usize) -> Option<usize> {
    Some(room.checked_sub(BASE64.len())? / 4 * 3)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn encode(bytes: &[u8], compress: Compress) -> (String, Option<&'static str>) {
        let mut url = DataUrl::new(Body::Bytes(bytes.to_vec()), compress);
        let compression = url.settle(&mut Gzip::new());
        assert_eq!(url.to_url().len(), url.url_length());
        (url.to_url(), compression)
    }

    #[test]
    fn the_shortest_encoding_is_chosen() {
        let url = |bytes: &[u8]| encode(bytes, Compress::IfShorter).0;
        assert_eq!(url(b""), "data:,");
        assert_eq!(url(b"a b'(x)!"), "data:,a%20b'(x)!");
        assert_eq!(url("é".as_bytes()), "data:,%C3%A9");
        assert_eq!(url(&[0xff, 0xfe, 0xfd, 0xfc]), "data:,%FF%FE%FD%FC");
        assert_eq!(url(&[0xff; 9]), "data:;base64,////////////");
        assert_eq!(encode(&[0xff; 9], Compress::PercentOnly).0.len(), "data:,".len() + 27);
        assert_eq!(encode(&[b'a'; 47], Compress::IfShorter).1, Some(""));
        assert_eq!(encode(&[b'a'; 500], Compress::Never).1, Some(""));
        assert_eq!(encode(&[b'a'; 500], Compress::Given).1, None);
    }

    #[test]
    fn long_text_is_compressed_and_can_be_read_back() {
        let text = "a".repeat(50);
        let (url, compression) = encode(text.as_bytes(), Compress::IfShorter);
        assert_eq!(compression, Some(GZIP));
        let body = url.strip_prefix("data:;base64,").unwrap();
        assert!(body.starts_with("H4sIAAAAAAAC/"), "{body}");
        let zipped = STANDARD.decode(body).unwrap();
        let mut back = String::new();
        flate2::read::GzDecoder::new(zipped.as_slice()).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
    }
}
