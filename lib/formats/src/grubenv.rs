//! GRUB's environment block (grub-core/lib/envblk.c): a file of fixed size with a signature, lines
//! `key=value` in which `\` stands before a line feed or another `\`, and `#` up to the end. Lines that
//! are not ours are kept byte for byte.

use thiserror::Error;

const SIGNATURE: &[u8] = b"# GRUB Environment Block\n";
/// The size that grub-editenv gives a new file.
const SIZE: usize = 1024;

/// Why bytes are no environment block, or cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrubenvError {
    /// The first line is another one.
    #[error("it does not begin with \"# GRUB Environment Block\"")]
    Signature,
    /// The lines take more room than the block has.
    #[error("there is no room for {0} bytes in a block of {1}")]
    Full(usize, usize),
}

/// An environment block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grubenv {
    /// As in the file, without the line feed; comments too.
    lines: Vec<Vec<u8>>,
    size: usize,
}

impl Default for Grubenv {
    fn default() -> Self {
        Self { lines: Vec::new(), size: SIZE }
    }
}

impl Grubenv {
    /// Reads a block from its bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, GrubenvError> {
        let body = bytes.strip_prefix(SIGNATURE).ok_or(GrubenvError::Signature)?;
        let mut lines = Vec::new();
        let mut rest = body;
        // What has no line feed is padding, or was cut off: GRUB reads neither.
        while let Some(end) = line_end(rest) {
            lines.push(rest[..end].to_vec());
            rest = &rest[end + 1..];
        }
        Ok(Self { lines, size: bytes.len().max(SIZE) })
    }

    /// Returns the bytes of the block, filled up to its size.
    pub fn to_bytes(&self) -> Result<Vec<u8>, GrubenvError> {
        let mut bytes = SIGNATURE.to_vec();
        for line in &self.lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        if bytes.len() > self.size {
            return Err(GrubenvError::Full(bytes.len(), self.size));
        }
        bytes.resize(self.size, b'#');
        Ok(bytes)
    }

    /// Returns the value of a key; the last line counts, as in GRUB.
    pub fn get(&self, key: &str) -> Option<String> {
        let value = self.lines.iter().rev().find_map(|line| value_of(line, key))?;
        let mut bytes = Vec::with_capacity(value.len());
        let mut escaped = false;
        for &byte in value {
            escaped = byte == b'\\' && !escaped;
            if !escaped {
                bytes.push(byte);
            }
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Sets a key. It stays where it was; a new one comes last.
    pub fn set(&mut self, key: &str, value: &str) {
        let mut line = format!("{key}=").into_bytes();
        for byte in value.bytes() {
            if matches!(byte, b'\\' | b'\n') {
                line.push(b'\\');
            }
            line.push(byte);
        }
        let first = self.lines.iter().position(|l| value_of(l, key).is_some());
        self.unset(key);
        self.lines.insert(first.unwrap_or(self.lines.len()), line);
    }

    /// Removes a key.
    pub fn unset(&mut self, key: &str) {
        self.lines.retain(|line| value_of(line, key).is_none());
    }
}

fn value_of<'a>(line: &'a [u8], key: &str) -> Option<&'a [u8]> {
    line.strip_prefix(key.as_bytes())?.strip_prefix(b"=")
}

/// Returns where the first line ends: at a line feed without `\` before it.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|&byte| {
        let end = byte == b'\n' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn block(text: &str) -> Vec<u8> {
        let mut bytes = format!("# GRUB Environment Block\n{text}").into_bytes();
        bytes.resize(1024, b'#');
        bytes
    }

    #[test]
    fn other_keys_and_comments_stay_as_they_are() {
        let text = "# WARNING: do not edit\nsaved_entry=a\\\\b\nboot_counter=2\nx=1\\\ny=2\n";
        let mut env = Grubenv::parse(&block(text)).unwrap();
        assert_eq!(env.get("saved_entry").as_deref(), Some("a\\b"));
        assert_eq!(env.get("x").as_deref(), Some("1\ny=2"));
        assert_eq!(env.get("y"), None);
        env.set("boot_counter", "1");
        env.set("boot_success", "0");
        let edited = text.replace("=2\nx", "=1\nx") + "boot_success=0\n";
        assert_eq!(env.to_bytes().unwrap(), block(&edited));
        env.unset("boot_counter");
        env.unset("boot_success");
        assert_eq!(env.to_bytes().unwrap(), block(&text.replace("boot_counter=2\n", "")));
    }

    #[test]
    fn a_full_block_and_a_foreign_file_are_refused() {
        let mut env = Grubenv::default();
        env.set("x", &"y".repeat(1024));
        assert_eq!(env.to_bytes(), Err(GrubenvError::Full(1052, 1024)));
        assert_eq!(Grubenv::parse(b"saved_entry=1\n"), Err(GrubenvError::Signature));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = SIGNATURE.to_vec();
            file.extend(bytes);
            let env = Grubenv::parse(&file).unwrap();
            prop_assert_eq!(Grubenv::parse(&env.to_bytes().unwrap()).unwrap(), env);
        }

        #[test]
        fn what_is_set_is_read_back(value in "[ -~\\n\\\\é]{0,40}", other in "[a-z\\n\\\\]{0,20}") {
            let mut env = Grubenv::default();
            env.set("other", &other);
            env.set("key", &value);
            let again = Grubenv::parse(&env.to_bytes().unwrap()).unwrap();
            prop_assert_eq!(again.get("key"), Some(value));
            prop_assert_eq!(again.get("other"), Some(other));
        }
    }
}
