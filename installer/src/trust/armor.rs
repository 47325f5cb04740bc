//! ASCII armour: binary OpenPGP as text that survives mail. See RFC 9580, section 6. The checksum
//! at the end of a block is not compared, as the RFC asks: it guards against nothing that the
//! signatures inside do not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// What a block is said to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Signature,
    PublicKey,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Signature => "PGP SIGNATURE",
            Self::PublicKey => "PGP PUBLIC KEY BLOCK",
        }
    }
}

/// What may stand before, between and behind the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// White space only.
    Nothing,
    /// Any text: people write into key files whose key it is.
    Text,
}

/// Why a text is not armour.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ArmorError {
    #[error("it is cut off: the line \"-----END {0}-----\" is missing")]
    Truncated(&'static str),
    #[error("there is garbage around the armoured block, in line {0}")]
    Garbage(usize),
    #[error("it holds a {0}")]
    OtherKind(String),
    #[error("its line {0} is not base64")]
    NotBase64(usize),
}

/// Returns whether the bytes hold an armoured block.
pub(crate) fn is_armored(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    bytes.starts_with(BEGIN) || bytes.windows(BEGIN.len() + 1).any(|w| w == b"\n-----BEGIN PGP ")
}

/// Returns the bytes of all blocks, one behind the other.
pub(crate) fn decode(text: &[u8], kind: Kind, around: Around) -> Result<Vec<u8>, ArmorError> {
    let mut lines = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).zip(1..);
    let mut bytes = Vec::new();
    while let Some((line, number)) = lines.next() {
        match label(line, "BEGIN ") {
            Some(label) if label == kind.label().as_bytes() => {
                decode_block(&mut lines, kind, &mut bytes)?;
            }
            Some(label) => {
                return Err(ArmorError::OtherKind(String::from_utf8_lossy(label).into_owned()));
            }
            None if line.is_empty() || around == Around::Text => {}
            None => return Err(ArmorError::Garbage(number)),
        }
    }
    Ok(bytes)
}

fn decode_block<'a>(
    lines: &mut impl Iterator<Item = (&'a [u8], usize)>,
    kind: Kind,
    bytes: &mut Vec<u8>,
) -> Result<(), ArmorError> {
    let truncated = ArmorError::Truncated(kind.label());
    // Headers: comments for people, ended by an empty line.
    loop {
        match lines.next() {
            None => return Err(truncated),
            Some(([], _)) => break,
            Some((line, _)) if line.contains(&b':') => {}
            Some((_, number)) => return Err(ArmorError::NotBase64(number)),
        }
    }
    let (mut digits, mut last) = (Vec::new(), 0);
    while let Some((line, number)) = lines.next() {
        if label(line, "END ").is_some_and(|label| label == kind.label().as_bytes()) {
            let block = STANDARD.decode(&digits).map_err(|_digits| ArmorError::NotBase64(last))?;
            bytes.extend(block);
            return Ok(());
        }
        if line.starts_with(b"-----") {
            // The last line may be cut off, too.
            let ends = lines.next().is_none();
            return Err(if ends { truncated } else { ArmorError::NotBase64(number) });
        }
        // A line that begins with = is the checksum.
        if !line.starts_with(b"=") {
            digits.extend(line);
            last = number;
        }
    }
    Err(truncated)
}

fn label<'a>(line: &'a [u8], verb: &str) -> Option<&'a [u8]> {
    let line = line.strip_prefix(b"-----")?.strip_suffix(b"-----")?;
    line.strip_prefix(verb.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN PGP SIGNATURE-----\r\nVersion: x\r\n\r\nYWJj\r\nZGU=\r\n=abcd\r\n-----END PGP SIGNATURE-----\r\n";

    fn decode_signature(text: &str) -> Result<Vec<u8>, ArmorError> {
        decode(text.as_bytes(), Kind::Signature, Around::Nothing)
    }

    #[test]
    fn blocks_are_joined() {
        assert_eq!(decode_signature(&format!("{BLOCK}\n{BLOCK}")).unwrap(), b"abcdeabcde");
        assert!(is_armored(BLOCK.as_bytes()) && !is_armored(b"-----BEGINNING"));
    }

    #[test]
    fn what_is_not_a_block_is_told() {
        let (begin, end) = BLOCK.split_at(50);
        for (text, wrong) in [
            (begin.to_owned(), ArmorError::Truncated("PGP SIGNATURE")),
            (format!("hello\n{BLOCK}"), ArmorError::Garbage(1)),
            (format!("{BLOCK}x"), ArmorError::Garbage(8)),
            (format!("{begin}!{end}"), ArmorError::NotBase64(5)),
            (BLOCK.replace("SIGNATURE", "MESSAGE"), ArmorError::OtherKind("PGP MESSAGE".into())),
        ] {
            assert_eq!(decode_signature(&text), Err(wrong), "{text}");
        }
        let text = format!("ours:\n{BLOCK}");
        assert!(decode(text.as_bytes(), Kind::Signature, Around::Text).is_ok());
    }
}
