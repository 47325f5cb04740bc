//! Objects of an ostree repository: file, directory and commit, as bytes and as checksums. See
//! `ostree-core.h` of libostree. Numbers in them are big endian, everything else is GVariant.

mod variant;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use variant::{Tuple, array, push_ends, split_array, text};

/// File type in a mode.
const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// Why bytes are no ostree object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectError {
    /// Not the serialized form.
    #[error("not a valid ostree object: {0}")]
    Malformed(&'static str),
    /// No SHA-256 in hexadecimal.
    #[error("{0:?} is no checksum of 64 hexadecimal digits")]
    Checksum(String),
    /// A name that no directory entry may have.
    #[error("not a valid ostree object: {0:?} is no name of a file")]
    Name(String),
}

/// The SHA-256 that names an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// Returns the checksum of `bytes`, which is how objects other than files are named.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn read(bytes: &[u8]) -> Result<Self, ObjectError> {
        bytes.try_into().map(Self).map_err(|_size| ObjectError::Malformed("a checksum is cut"))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Checksum {
    type Err = ObjectError;

    fn from_str(hex: &str) -> Result<Self, ObjectError> {
        let wrong = || ObjectError::Checksum(hex.to_owned());
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(wrong()),
        };
        let mut out = [0; 32];
        if hex.len() != 2 * out.len() {
            return Err(wrong());
        }
        for (to, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            if let [high, low] = pair {
                *to = digit(*high)? << 4 | digit(*low)?;
            }
        }
        Ok(Self(out))
    }
}

/// Extended attributes, sorted by name: `a(ayay)`. Names end with a NUL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Xattrs(Vec<(Vec<u8>, Vec<u8>)>);

impl Xattrs {
    /// Sorts attributes given as name (without NUL) and value; of one name the last counts.
    pub fn new<N: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, Vec<u8>)>) -> Self {
        let named = pairs.into_iter().map(|(name, value)| {
            let mut name = name.as_ref().to_vec();
            name.push(0);
            (name, value)
        });
        Self(named.collect::<BTreeMap<_, _>>().into_iter().collect())
    }

    /// Returns names (without NUL) and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(n, v)| (n.strip_suffix(&[0]).unwrap_or(n), v.as_slice()))
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        array(&self.0, |(name, value), out| {
            let mut item = name.clone();
            item.extend_from_slice(value);
            push_ends(&mut item, &[name.len()]);
            out.append(&mut item);
        })
    }

    /// Reads the serialized form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let mut pairs = Vec::new();
        for item in split_array(bytes, 1)? {
            let mut item = Tuple::new(item, 1)?;
            let name = item.sized(1)?;
            if name.len() < 2 || name.iter().position(|b| *b == 0) != Some(name.len() - 1) {
                return Err(ObjectError::Malformed("an attribute has no name"));
            }
            pairs.push((name.to_vec(), item.last(1)?.to_vec()));
        }
        Ok(Self(pairs))
    }
}

/// What a file object has besides its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileHeader {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Type and permissions (`S_IFREG` or `S_IFLNK`).
    pub mode: u32,
    /// Target of a symbolic link, else empty.
    pub target: String,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl FileHeader {
    /// Describes a regular file by its permissions.
    pub fn regular(uid: u32, gid: u32, permissions: u32, xattrs: Xattrs) -> Self {
        Self { uid, gid, mode: S_IFREG | permissions & !S_IFMT, target: String::new(), xattrs }
    }

    /// Describes a symbolic link.
    pub fn symlink(uid: u32, gid: u32, target: String, xattrs: Xattrs) -> Self {
        Self { uid, gid, mode: S_IFLNK | 0o777, target, xattrs }
    }

    /// Returns whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.mode & S_IFMT == S_IFLNK
    }

    /// Begins the checksum of the file object; the content of a regular file follows.
    pub fn hasher(&self) -> Sha256 {
        let mut header = Vec::with_capacity(64);
        for number in [self.uid, self.gid, self.mode, 0] {
            header.extend_from_slice(&number.to_be_bytes());
        }
        header.extend_from_slice(self.target.as_bytes());
        header.push(0);
        let end = header.len();
        header.extend_from_slice(&self.xattrs.to_bytes());
        push_ends(&mut header, &[end]);
        let size = u32::try_from(header.len()).unwrap_or(u32::MAX);
        Sha256::new().chain_update(size.to_be_bytes()).chain_update([0; 4]).chain_update(header)
    }

    /// Returns the checksum of the object with this content (empty for a link).
    pub fn checksum(&self, content: &[u8]) -> Checksum {
        Checksum(self.hasher().chain_update(content).finalize().into())
    }
}

/// A dirmeta object: `(uuua(ayay))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirMeta {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Type and permissions (`S_IFDIR`).
    pub mode: u32,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl DirMeta {
    /// Describes a directory by its permissions.
    pub fn new(uid: u32, gid: u32, permissions: u32, xattrs: Xattrs) -> Self {
        Self { uid, gid, mode: S_IFDIR | permissions & !S_IFMT, xattrs }
    }

    /// Returns the serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.uid, self.gid, self.mode] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.xattrs.to_bytes());
        bytes
    }

    /// Reads the serialized form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let mut tuple = Tuple::new(bytes, 0)?;
        let (uid, gid) = (tuple.big_endian_u32()?, tuple.big_endian_u32()?);
        let mode = tuple.big_endian_u32()?;
        if mode & S_IFMT != S_IFDIR {
            return Err(ObjectError::Malformed("a directory's mode is that of something else"));
        }
        Ok(Self { uid, gid, mode, xattrs: Xattrs::parse(tuple.last(1)?)? })
    }
}

/// A dirtree object: `(a(say)a(sayay))`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirTree {
    /// Files and symbolic links by name.
    pub files: BTreeMap<String, Checksum>,
    /// Directories by name: their dirtree and their dirmeta.
    pub dirs: BTreeMap<String, (Checksum, Checksum)>,
}

impl DirTree {
    /// Returns the serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files: Vec<_> = self.files.iter().collect();
        let mut bytes = array(&files, |(name, sum), out| entry(out, name, &[sum]));
        let end = bytes.len();
        let dirs: Vec<_> = self.dirs.iter().collect();
        bytes.extend(array(&dirs, |(name, (tree, meta)), out| entry(out, name, &[tree, meta])));
        push_ends(&mut bytes, &[end]);
        bytes
    }

    /// Reads the serialized form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let mut tuple = Tuple::new(bytes, 1)?;
        let mut tree = Self::default();
        for item in split_array(tuple.sized(1)?, 1)? {
            let mut item = Tuple::new(item, 1)?;
            let name = valid_name(item.text()?)?;
            tree.files.insert(name, Checksum::read(item.last(1)?)?);
        }
        for item in split_array(tuple.last(1)?, 1)? {
            let mut item = Tuple::new(item, 2)?;
            let name = valid_name(item.text()?)?;
            let contents = Checksum::read(item.sized(1)?)?;
            tree.dirs.insert(name, (contents, Checksum::read(item.last(1)?)?));
        }
        Ok(tree)
    }
}

/// A commit object, `(a{sv}aya(say)sstayay)`, as far as it is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Those metadata that are texts.
    pub texts: BTreeMap<String, String>,
    /// Its parent.
    pub parent: Option<Checksum>,
    /// First line of its description.
    pub subject: String,
    /// Seconds since 1970-01-01 UTC.
    pub timestamp: u64,
    /// dirtree of its root.
    pub root: Checksum,
    /// dirmeta of its root.
    pub root_meta: Checksum,
}

impl Commit {
    /// Reads the serialized form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        let mut tuple = Tuple::new(bytes, 6)?;
        let metadata = tuple.sized(8)?;
        let parent = match tuple.sized(1)? {
            [] => None,
            parent => Some(Checksum::read(parent)?),
        };
        let _related = tuple.sized(1)?;
        let (subject, _body) = (tuple.text()?.to_owned(), tuple.text()?);
        let time = tuple.fixed(8)?.try_into();
        let time = time.map_err(|_size| ObjectError::Malformed("the time is cut"))?;
        let root = Checksum::read(tuple.sized(1)?)?;
        Ok(Self {
            texts: texts(metadata)?,
            parent,
            subject,
            timestamp: u64::from_be_bytes(time),
            root,
            root_meta: Checksum::read(tuple.last(1)?)?,
        })
    }
}

/// Returns whether a name may be an entry of a directory.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn valid_name(name: &str) -> Result<String, ObjectError> {
    let fine = is_file_name(name).then(|| name.to_owned());
    fine.ok_or_else(|| ObjectError::Name(name.to_owned()))
}

/// Writes `(say)` or `(sayay)`; the end of the last member is not stored, the others backwards.
fn entry(out: &mut Vec<u8>, name: &str, sums: &[&Checksum]) {
    let mut item = name.as_bytes().to_vec();
    item.push(0);
    let mut ends = Vec::new();
    for sum in sums {
        ends.insert(0, item.len());
        item.extend_from_slice(&sum.0);
    }
    push_ends(&mut item, &ends);
    out.append(&mut item);
}

/// Returns the members of an `a{sv}` that are of type `s`.
fn texts(bytes: &[u8]) -> Result<BTreeMap<String, String>, ObjectError> {
    let mut found = BTreeMap::new();
    for item in split_array(bytes, 8)? {
        let mut item = Tuple::new(item, 1)?;
        let key = item.text()?.to_owned();
        if let Some(value) = item.last(8)?.strip_suffix(b"\0s") {
            found.insert(key, text(value)?.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
