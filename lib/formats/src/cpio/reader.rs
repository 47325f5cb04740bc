//! The reader: one archive, member by member.

use std::io::{self, Read};

use super::{CpioError, HEADER, LONGEST_NAME, REGULAR, TRAILER, TYPE_MASK, padding};

const FIELDS: usize = 13;

/// What a header says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path, without a leading `./`.
    pub path: String,
    /// Type and permissions.
    pub mode: u32,
    /// Bytes of its content.
    pub size: u64,
}

impl Member {
    /// Returns whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & TYPE_MASK == REGULAR
    }
}

/// Reads one archive. Between calls of [`Reader::next_member`] it gives the content of the member
/// that was returned last.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    at: u64,
    content: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Begins at the first header.
    pub fn new(from: R) -> Self {
        Self { from, at: 0, content: 0, ended: false }
    }

    /// Returns the next member; `None` when the archive is at its end. What was not read of the
    /// member before is skipped.
    pub fn next_member(&mut self) -> Result<Option<Member>, CpioError> {
        if self.ended {
            return Ok(None);
        }
        self.skip(self.content)?;
        self.content = 0;
        self.skip(padding(self.at))?;
        let at = self.at;
        let mut header = [0; HEADER];
        self.fill(&mut header)?;
        let fields = fields(&header, at)?;
        let [_, mode, _, _, _, _, size, _, _, _, _, length, _] = fields;
        if !(2..=LONGEST_NAME).contains(&length) {
            return Err(CpioError::Name { at, length });
        }
        let mut name = vec![0; usize::try_from(length).unwrap_or_default()];
        self.fill(&mut name)?;
        // Some writers align contents by more zeros after the name.
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        name.truncate(end);
        let path = String::from_utf8(name).map_err(|_not_utf8| CpioError::Encoding(at))?;
        self.skip(padding(self.at))?;
        if path == TRAILER {
            self.skip(u64::from(size))?;
            self.ended = true;
            return Ok(None);
        }
        self.content = u64::from(size);
        let path = path.trim_start_matches("./").to_owned();
        Ok(Some(Member { path, mode, size: u64::from(size) }))
    }

    /// Returns the number of bytes that were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Returns the stream, which stands after what was read.
    pub fn into_inner(self) -> R {
        self.from
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CpioError> {
        match self.from.read_exact(bytes) {
            Ok(()) => {
                self.at += bytes.len() as u64;
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(CpioError::Cut(self.at)),
            Err(e) => Err(e.into()),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), CpioError> {
        let skipped = io::copy(&mut self.from.by_ref().take(bytes), &mut io::sink())?;
        self.at += skipped;
        if skipped == bytes { Ok(()) } else { Err(CpioError::Cut(self.at)) }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.content).unwrap_or(usize::MAX).min(buf.len());
        let n = self.from.read(&mut buf[..most])?;
        if n == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, CpioError::Cut(self.at)));
        }
        self.at += n as u64;
        self.content -= n as u64;
        Ok(n)
    }
}

fn fields(header: &[u8; HEADER], at: u64) -> Result<[u32; FIELDS], CpioError> {
    // 070702 is the same with sums of contents.
    if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
        return Err(CpioError::Magic(at));
    }
    let mut fields = [0; FIELDS];
    for (field, digits) in fields.iter_mut().zip(header[6..].chunks(8)) {
        let digits =
            str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        *field = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(CpioError::Field(at))?;
    }
    Ok(fields)
}
