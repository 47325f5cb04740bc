//! The names that a downloaded file has.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use nestos_host::term::WithHint;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::fetch::shown;

/// Endings of compressed files that are decompressed on demand.
const ENDINGS: [&str; 3] = [".gz", ".xz", ".zst"];

/// How a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it was downloaded, with its signature.
    AsStored,
    /// Decompressed if it is compressed; archives are not.
    Decompressed,
}

/// Where a file and what belongs to it are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file as it was downloaded.
    pub(super) stored: PathBuf,
    /// The same while it is not complete.
    pub(super) partial: PathBuf,
    /// Its signature.
    pub(super) signature: PathBuf,
    /// What it decompresses to, if it is to be decompressed.
    pub(super) unpacked: Option<PathBuf>,
    /// How it is kept.
    pub(super) form: Form,
}

impl Place {
    /// Names the file after the last part of its URL.
    pub(super) fn of(url: &Url, directory: &Path, form: Form) -> Result<Self> {
        let name = file_name(url)?;
        let unpacked = match form {
            Form::AsStored => None,
            Form::Decompressed => without_ending(&name).map(|name| directory.join(name)),
        };
        Ok(Self {
            stored: directory.join(&name),
            partial: directory.join(format!("{name}.partial")),
            signature: directory.join(format!("{name}.sig")),
            unpacked,
            form,
        })
    }
}

fn file_name(url: &Url) -> Result<String> {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
    let odd = |c: char| c == '/' || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    // A leading dot would hide the file, or be the directory itself.
    if name.is_empty() || name.starts_with('.') || name.contains(odd) || name.len() > 240 {
        return Err(anyhow!("{} does not end with the name of a file", shown(url)))
            .hint("give the URL of the file itself");
    }
    Ok(name)
}

fn without_ending(name: &str) -> Option<&str> {
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
    (!stem.is_empty() && !stem.ends_with(".tar")).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_their_urls() {
        let name = |url: &str| file_name(&url.parse().unwrap()).ok();
        assert_eq!(name("http://h/a/x.raw.xz?key=k#f").as_deref(), Some("x.raw.xz"));
        assert_eq!(name("http://h/a%20b").as_deref(), Some("a b"));
        for odd in ["http://h", "http://h/a/", "http://h/..%2fx", "http://h/.x", "http://h/a%0a"] {
            assert_eq!(name(odd), None, "{odd}");
        }
    }

    #[test]
    fn archives_are_not_decompressed() {
        for (name, unpacked) in [
            ("x.raw.xz", Some("x.raw")),
            ("x.raw.gz", Some("x.raw")),
            ("x.raw.zst", Some("x.raw")),
            ("x.tar.gz", None),
            ("x.tar.xz", None),
            ("x.raw", None),
            ("x.iso", None),
            (".xz", None),
        ] {
            assert_eq!(without_ending(name), unpacked, "{name}");
        }
    }
}
