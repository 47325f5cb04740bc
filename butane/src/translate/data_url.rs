//! Puts bytes into a data URL, in the shortest of the encodings that Ignition reads.

use std::io::Write;

use base64::Engine;
use flate2::{Compression, GzBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

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

const SCHEME: &str = "data:";
const BASE64: &str = ";base64,";

/// The value of `compression` for gzip; its length counts against compressing.
pub(crate) const GZIP: &str = "gzip";

/// The reference's deflate ends a stream with an empty block, which costs it this much; counted
/// so that the choice for short texts is the same.
const REFERENCE_TRAILER: usize = 3;

/// A data URL and whether the bytes in it are compressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DataUrl {
    pub url: String,
    pub gzipped: bool,
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

/// Encodes `bytes`.
pub(crate) fn encode(bytes: &[u8], compress: Compress) -> DataUrl {
    let percent = percent_length(bytes);
    let plain = match compress {
        Compress::PercentOnly => percent,
        _ => percent.min(base64_length(bytes.len())),
    };
    if compress == Compress::IfShorter
        && let Some(zipped) = gzip_below(bytes, plain)
    {
        return DataUrl { url: base64(&zipped), gzipped: true };
    }
    let url = if plain < percent { base64(bytes) } else { percent_encoded(bytes, percent) };
    DataUrl { url, gzipped: false }
}

/// Compresses, if the result as base64 is shorter than `limit` characters.
fn gzip_below(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    gzip(bytes)
        .filter(|zipped| base64_length(zipped.len() + REFERENCE_TRAILER) + GZIP.len() < limit)
}

/// Returns the length of the percent-encoded bytes with what goes before them.
fn percent_length(bytes: &[u8]) -> usize {
    let escaped = bytes.iter().filter(|byte| !is_unreserved(**byte)).count();
    ",".len() + bytes.len() + 2 * escaped
}

fn percent_encoded(bytes: &[u8], length: usize) -> String {
    let mut url = String::with_capacity(SCHEME.len() + length);
    url.push_str(SCHEME);
    url.push(',');
    url.extend(percent_encode(bytes, UNRESERVED));
    url
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

fn base64(bytes: &[u8]) -> String {
    let mut url = String::with_capacity(SCHEME.len() + base64_length(bytes.len()));
    url.push_str(SCHEME);
    url.push_str(BASE64);
    base64::engine::general_purpose::STANDARD.encode_string(bytes, &mut url);
    url
}

fn base64_length(bytes: usize) -> usize {
    BASE64.len() + bytes.div_ceil(3) * 4
}

/// Compresses as the reference does: best level, no name, no time, unknown system.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let mut writer =
        GzBuilder::new().operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    // Writing to memory does not fail; if it did, the text would stay uncompressed.
    writer.write_all(bytes).ok()?;
    writer.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_shortest_encoding_is_chosen() {
        let url = |bytes: &[u8]| encode(bytes, Compress::IfShorter).url;
        assert_eq!(url(b""), "data:,");
        assert_eq!(url(b"a b'(x)!"), "data:,a%20b'(x)!");
        assert_eq!(url("é".as_bytes()), "data:,%C3%A9");
        assert_eq!(url(&[0xff, 0xfe, 0xfd, 0xfc]), "data:,%FF%FE%FD%FC");
        assert_eq!(url(&[0xff; 9]), "data:;base64,////////////");
        assert!(!encode(&[b'a'; 47], Compress::IfShorter).gzipped);
        assert!(!encode(&[b'a'; 500], Compress::Never).gzipped);
    }

    #[test]
    fn long_text_is_compressed_and_can_be_read_back() {
        let text = "a".repeat(50);
        let encoded = encode(text.as_bytes(), Compress::IfShorter);
        assert!(encoded.gzipped);
        let body = encoded.url.strip_prefix("data:;base64,").unwrap();
        assert!(body.starts_with("H4sIAAAAAAAC/"), "{body}");
        let zipped = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        let mut back = String::new();
        flate2::read::GzDecoder::new(zipped.as_slice()).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
    }
}
