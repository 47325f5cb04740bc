//! Entries of a layer with what extended headers say about them: pax(1), and long names as GNU tar
//! writes them. Values of attributes are bytes: a line feed in one ends nothing.

use std::io::Read;

use anyhow::{Context, Result, bail};
use nestos_formats::ostree::{FileHeader, Xattrs};
use tar::{Archive, EntryType, Header};

/// Largest extended header that is read: attributes have at most 64 KiB together on most file
/// systems.
const MAX_EXTENDED: u64 = 1024 * 1024;
/// Extended attributes in a pax header.
const PAX_XATTR: &str = "SCHILY.xattr.";
const PAX_SPARSE: &str = "GNU.sparse.";

/// What stands before the content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Path as it is in the layer.
    pub(super) path: String,
    /// Target of a link.
    link: Option<String>,
    /// What it is.
    pub(super) kind: EntryType,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// Permissions.
    pub(super) mode: u32,
    /// Length of the content.
    pub(super) size: u64,
    /// When it was changed, in seconds.
    pub(super) mtime: u64,
    /// Extended attributes by name.
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

/// Reads a layer to its end; `take` gets each entry and its content.
pub(super) fn read(
    stream: &mut dyn Read,
    mut take: impl FnMut(&Head, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut extended = Extended::default();
    for entry in Archive::new(stream).entries()?.raw(true) {
        let mut entry = entry.context("cannot read the layer")?;
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => {}
            EntryType::XHeader => {
                let bytes = whole(&mut entry)?;
                extended.add(&bytes).context("cannot read an extended header")?;
            }
            EntryType::GNULongName => extended.path = Some(whole(&mut entry)?),
            EntryType::GNULongLink => extended.link = Some(whole(&mut entry)?),
            _ => {
                let head = std::mem::take(&mut extended).complete(entry.header())?;
                take(&head, &mut entry)?;
            }
        }
    }
    Ok(())
}

impl Head {
    /// Returns what a link points to.
    pub(super) fn target(&self) -> Result<&str> {
        let target = self.link.as_deref().filter(|t| !t.is_empty() && !t.contains('\0'));
        target.context("a link has no target")
    }

    /// Describes the file object of the entry.
    pub(super) fn file(&self, xattrs: Xattrs) -> Result<FileHeader> {
        match self.kind {
            EntryType::Regular | EntryType::Continuous => {
                Ok(FileHeader::regular(self.uid, self.gid, self.mode, xattrs))
            }
            EntryType::Symlink => {
                Ok(FileHeader::symlink(self.uid, self.gid, self.target()?.to_owned(), xattrs))
            }
            other => bail!("an entry of type {other:?} cannot be in an image"),
        }
    }

    /// Returns the length of the file object's content.
    pub(super) fn content_size(&self) -> u64 {
        if self.kind == EntryType::Symlink { 0 } else { self.size }
    }
}

/// What extended headers say about the next entry.
#[derive(Debug, Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u64>,
    gid: Option<u64>,
    size: Option<u64>,
    mtime: Option<u64>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl Extended {
    /// Reads the records of a pax header, `LENGTH KEY=VALUE\n` each.
    fn add(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).context("it is malformed")?;
            self.set(key, value)?;
            bytes = rest;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<()> {
        // The time may have a fraction, and be before 1970.
        let number = || {
            let text = std::str::from_utf8(value).ok()?;
            text.split('.').next()?.parse().ok()
        };
        match key {
            "path" => self.path = Some(value.to_vec()),
            "linkpath" => self.link = Some(value.to_vec()),
            "uid" => self.uid = Some(number().context("uid is no number")?),
            "gid" => self.gid = Some(number().context("gid is no number")?),
            "size" => self.size = Some(number().context("size is no number")?),
            "mtime" => self.mtime = number(),
            _ if key.starts_with(PAX_SPARSE) => bail!("a sparse file cannot be in an image"),
            _ => {
                if let Some(name) = key.strip_prefix(PAX_XATTR) {
                    self.xattrs.push((name.to_owned(), value.to_vec()));
                }
            }
        }
        Ok(())
    }

    fn complete(self, header: &Header) -> Result<Head> {
        let path = text(self.path.unwrap_or_else(|| header.path_bytes().into_owned()))
            .context("a path in the layer is not UTF-8")?;
        let link = self.link.or_else(|| header.link_name_bytes().map(|l| l.into_owned()));
        let link = link.map(text).transpose().context("a link's target is not UTF-8")?;
        let size = header.entry_size()?;
        if let Some(longer) = self.size.filter(|s| *s != size) {
            bail!("entry {path:?} of {longer} bytes is too large");
        }
        let number = |extended: Option<u64>, plain: std::io::Result<u64>| match extended {
            Some(number) => Ok(number),
            None => plain,
        };
        Ok(Head {
            link,
            kind: header.entry_type(),
            uid: u32::try_from(number(self.uid, header.uid())?).context("an owner is too large")?,
            gid: u32::try_from(number(self.gid, header.gid())?).context("a group is too large")?,
            mode: header.mode()?,
            size,
            mtime: number(self.mtime, header.mtime())?,
            xattrs: self.xattrs,
            path,
        })
    }
}

/// Returns key and value of the first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|b| *b == b'=')?;
    let (key, value) = pair.split_at_checked(equals)?;
    Some((std::str::from_utf8(key).ok()?, value.get(1..)?, rest))
}

/// Names in headers of their own end with a NUL.
fn text(bytes: Vec<u8>) -> Result<String> {
    let mut bytes = bytes;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(String::from_utf8(bytes)?)
}

fn whole(entry: &mut tar::Entry<'_, &mut dyn Read>) -> Result<Vec<u8>> {
    if entry.size() > MAX_EXTENDED {
        bail!("an extended header has more than {MAX_EXTENDED} bytes");
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).context("cannot read the layer")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let mut extended = Extended::default();
        let records = [
            &b"12 uid=1234\n"[..],
            b"31 SCHILY.xattr.user.a=\n\nuid=7\n",
            b"12 path=a/b\n",
            b"22 mtime=1725321600.5\n",
        ];
        extended.add(&records.concat()).unwrap();
        assert_eq!((extended.uid, extended.mtime), (Some(1234), Some(1_725_321_600)));
        assert_eq!(extended.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(extended.xattrs, [("user.a".to_owned(), b"\n\nuid=7".to_vec())]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for bytes in [&b"x"[..], b"5 a=b\n", b"7 a=b\n", b"99 a=b\n", b"4 a\n", b"6 \xff=b\n"] {
            let said = Extended::default().add(bytes).map_err(|e| e.to_string());
            assert_eq!(said, Err("it is malformed".to_owned()), "{bytes:?}");
        }
        let sparse = Extended::default().add(b"22 GNU.sparse.major=1\n").unwrap_err();
        assert_eq!(sparse.to_string(), "a sparse file cannot be in an image");
    }
}
