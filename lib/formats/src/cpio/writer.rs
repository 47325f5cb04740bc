//! The writer: one archive, its members in the order of the calls.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use super::{DIRECTORY, HEADER, REGULAR, TRAILER, padding};

/// Permissions of parents that nobody asked for.
const PARENT_MODE: u32 = 0o755;

/// The content of a member: how long it is, and where it comes from.
#[derive(Debug)]
pub struct Content<R> {
    /// Bytes that `from` has to give.
    pub length: u64,
    /// The bytes; no more than `length` are read.
    pub from: R,
}

/// Writes one archive.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    at: u64,
    members: u32,
    directories: BTreeSet<String>,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, members: 0, directories: BTreeSet::new() }
    }

    /// Adds a directory and its parents, as far as they are not there.
    pub fn directory(&mut self, path: &str, permissions: u32) -> io::Result<()> {
        self.parents(path)?;
        if self.directories.insert(path.to_owned()) {
            self.header(path, DIRECTORY | permissions, 0)?;
        }
        Ok(())
    }

    /// Adds a regular file, and its parents as far as they are not there.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: &[u8]) -> io::Result<()> {
        self.stream(path, permissions, Content { length: bytes.len() as u64, from: bytes })
    }

    /// Adds a regular file that need not fit into memory; it fails if it is shorter than stated.
    pub fn stream<R: Read>(
        &mut self,
        path: &str,
        permissions: u32,
        content: Content<R>,
    ) -> io::Result<()> {
        self.parents(path)?;
        self.header(path, REGULAR | permissions, content.length)?;
        let copied = io::copy(&mut content.from.take(content.length), &mut self.out)?;
        self.at += copied;
        if copied != content.length {
            let text = format!("{path} has {copied} bytes instead of {}", content.length);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.pad()
    }

    /// Ends the archive, at a multiple of four bytes, and returns what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.members = 0;
        self.fields(TRAILER, 0, 0, 0)?;
        Ok(self.out)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            if !parent.is_empty() && self.directories.insert(parent.to_owned()) {
                self.header(parent, DIRECTORY | PARENT_MODE, 0)?;
            }
        }
        Ok(())
    }

    fn header(&mut self, path: &str, mode: u32, length: u64) -> io::Result<()> {
        if path.is_empty() || path.starts_with('/') || path.contains('\0') {
            return Err(io::Error::other(format!("{path:?} cannot name a member of an archive")));
        }
        let size = u32::try_from(length).map_err(|_too_large| {
            io::Error::other(format!(
                "{path} has {length} bytes; a cpio member has less than 4 GiB"
            ))
        })?;
        self.members += 1;
        let number = self.members;
        self.fields(path, mode, size, number)
    }

    /// Writes a header: number, mode, owner, links, time, size, devices, length of the name, sum.
    fn fields(&mut self, path: &str, mode: u32, size: u32, number: u32) -> io::Result<()> {
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let name = u32::try_from(path.len() + 1).map_err(io::Error::other)?;
        let mut header = String::with_capacity(HEADER);
        header.push_str("070701");
        for field in [number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name, 0] {
            header.push_str(&format!("{field:08x}"));
        }
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(path.as_bytes())?;
        self.out.write_all(&[0])?;
        self.at += HEADER as u64 + u64::from(name);
        self.pad()
    }

    fn pad(&mut self) -> io::Result<()> {
        let missing = padding(self.at);
        self.at += missing;
        io::copy(&mut io::repeat(0).take(missing), &mut self.out).map(drop)
    }
}

/// Returns an archive of files: paths, permissions and contents, in the given order.
pub fn archive<'a>(
    files: impl IntoIterator<Item = (&'a str, u32, &'a [u8])>,
) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    for (path, permissions, bytes) in files {
        writer.file(path, permissions, bytes)?;
    }
    writer.finish()
}
