//! Kernel arguments in the menus of boot loaders: areas of a fixed size, listed in `kargs.json`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most bytes of an area: the kernel reads no longer command line.
pub const MAX_AREA: u64 = 2048;

/// `kargs.json`: the areas for kernel arguments, all of which hold the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KargsInfo {
    /// The arguments of a medium that nobody customised.
    pub default: String,
    /// The areas.
    pub files: Vec<KargsFile>,
    /// Bytes of each area.
    pub size: u64,
}

/// One area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KargsFile {
    /// Path of the file in the ISO.
    pub path: String,
    /// Where the area begins in the file.
    pub offset: u64,
    /// What fills the area up; `#` if it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<String>,
    /// What ends the arguments; a line break if it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// Why arguments do not fit into an area, or cannot be read from it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AreaError {
    /// They are too long.
    #[error("kargs too large for area: {needed} vs {size}")]
    TooLong {
        /// Bytes of the arguments with what ends them.
        needed: usize,
        /// Bytes of the area.
        size: usize,
    },
    /// Padding or end is not one byte.
    #[error("{field} of the kernel argument area in {path} is not one ASCII character")]
    Filler {
        /// `pad` or `end`.
        field: &'static str,
        /// The file.
        path: String,
    },
    /// The arguments contain what would end them.
    #[error("kernel arguments cannot contain {0:?}")]
    Character(char),
    /// What is there is no text.
    #[error("the kernel argument area in {0} is not text")]
    Text(String),
}

impl KargsFile {
    /// Returns the bytes of the area when it holds `kargs`.
    pub fn fill(&self, kargs: &str, size: usize) -> Result<Vec<u8>, AreaError> {
        let (pad, end) = self.fillers()?;
        let forbidden = |c: &char| c.is_control() || *c == char::from(end);
        if let Some(found) = kargs.chars().find(forbidden) {
            return Err(AreaError::Character(found));
        }
        let needed = kargs.len() + 1;
        if needed > size {
            return Err(AreaError::TooLong { needed, size });
        }
        let mut bytes = kargs.as_bytes().to_vec();
        bytes.push(end);
        bytes.resize(size, pad);
        Ok(bytes)
    }

    /// Returns the arguments that an area holds.
    pub fn read(&self, area: &[u8]) -> Result<String, AreaError> {
        let (pad, end) = self.fillers()?;
        let text = str::from_utf8(area).map_err(|_not_utf8| AreaError::Text(self.path.clone()))?;
        let text = text.trim_end_matches(char::from(pad)).trim_end_matches(char::from(end));
        Ok(text.trim().to_owned())
    }

    fn fillers(&self) -> Result<(u8, u8), AreaError> {
        let one = |text: &Option<String>, default: u8, field: &'static str| match text
            .as_deref()
            .map(str::as_bytes)
        {
            None => Ok(default),
            Some([byte]) if byte.is_ascii() => Ok(*byte),
            Some(_) => Err(AreaError::Filler { field, path: self.path.clone() }),
        };
        Ok((one(&self.pad, b'#', "pad")?, one(&self.end, b'\n', "end")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn file(pad: Option<&str>, end: Option<&str>) -> KargsFile {
        let [pad, end] = [pad, end].map(|text| text.map(str::to_owned));
        KargsFile { path: "EFI/x/grub.cfg".to_owned(), offset: 9, pad, end }
    }

    #[test]
    fn an_area_is_filled_up_to_its_size() {
        let plain = file(None, None);
        assert_eq!(plain.fill("a b", 8).unwrap(), b"a b\n####");
        assert_eq!(file(Some("\0"), Some("\0")).fill("a", 3).unwrap(), b"a\0\0");
        assert_eq!(plain.fill("abcdefg", 8).unwrap(), b"abcdefg\n");
        let long = plain.fill("abcdefgh", 8).unwrap_err();
        assert_eq!(long.to_string(), "kargs too large for area: 9 vs 8");
        assert_eq!(plain.fill("a\nb", 8), Err(AreaError::Character('\n')));
        assert!(file(Some("##"), None).fill("a", 8).is_err());
    }

    #[test]
    fn arguments_read_back_whatever_fills_the_area() {
        assert_eq!(file(None, None).read(b" a b \n###").unwrap(), "a b");
        assert_eq!(file(Some("\0"), Some("\0")).read(b"a b\0\0").unwrap(), "a b");
        assert!(file(None, None).read(b"\xff").is_err());
    }

    #[test]
    fn kargs_json_is_that_of_the_ancestors() {
        let json = r##"{"default":"a","files":[{"path":"p","offset":970,"pad":"#","end":"\n"},{"path":"q","offset":1}],"size":1139}"##;
        let info: KargsInfo = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&info).unwrap(), json);
    }

    proptest! {
        #[test]
        fn what_is_filled_in_reads_back(kargs in "[a-z=.]{1,9}( [a-z=.]{1,9}){0,5}") {
            let file = file(None, None);
            prop_assert_eq!(file.read(&file.fill(&kargs, 100).unwrap()).unwrap(), kargs);
        }
    }
}
