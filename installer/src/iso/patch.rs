//! Bytes that replace others in an image, and the three ways to write the result: in its place, to
//! a new file, to a stream. All three give the same bytes.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term::Hint;
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::journal;
use crate::stdout::refuse_terminal;

/// Only the owner reads what holds a config.
const PRIVATE: u32 = 0o600;

/// Bytes that go to a place of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where they begin.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// Returns the offset after the last byte.
    pub fn end(&self) -> u64 {
        self.at.saturating_add(self.bytes.len() as u64)
    }
}

/// Where a changed image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It takes the place of the old one.
    InPlace,
    /// A file that does not exist yet.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Output {
    /// Takes what `--output` says: nothing for in place, `-` for standard output.
    pub fn new(path: Option<PathBuf>) -> Self {
        match path {
            None => Self::InPlace,
            Some(path) if path == Path::new("-") => Self::Stdout,
            Some(path) => Self::File(path),
        }
    }

    /// Fails when nothing could be written there, as long as that costs nothing.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::File(path) if path.symlink_metadata().is_ok() => Err(exists(path)),
            Self::Stdout => refuse_terminal(),
            _ => Ok(()),
        }
    }
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Only the owner.
    Private,
    /// Whoever may read the file that it is made of.
    AsSource,
}

/// Keeps others from changing an image at the same time.
pub(super) fn lock(file: &File) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!("another program is changing it"),
        // A file system without locks is as good as before.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Writes an image with patches applied.
pub fn write(
    (path, file): (&Path, &mut File),
    patches: Vec<Patch>,
    output: &Output,
    secrecy: Secrecy,
) -> Result<()> {
    let patches = in_order(patches)?;
    match output {
        Output::InPlace => journal::apply(path, file, &patches)
            .with_context(|| format!("cannot change {}", path.display())),
        Output::File(target) => to_file(file, &patches, target, secrecy)
            .with_context(|| format!("cannot write {}", target.display())),
        Output::Stdout => {
            refuse_terminal()?;
            stream(file, &patches, &mut io::stdout().lock())
                .context("cannot write the image to standard output")
        }
    }
}

/// Sorts patches, and refuses those that overwrite each other: then an area of the image lies in
/// another.
fn in_order(mut patches: Vec<Patch>) -> Result<Vec<Patch>> {
    patches.sort_by_key(|patch| patch.at);
    if let Some([first, second]) =
        patches.windows(2).find(|pair| matches!(pair, [a, b] if a.end() > b.at))
    {
        bail!("the areas at bytes {} and {} of the image overlap", first.at, second.at);
    }
    Ok(patches)
}

/// Copies the image beside its new place, changes the copy, and gives it its name. The name
/// appears when all is written; only a power cut soon after may take bytes away again.
fn to_file(source: &mut File, patches: &[Patch], target: &Path, secrecy: Secrecy) -> Result<()> {
    let mode = match secrecy {
        Secrecy::Private => PRIVATE,
        Secrecy::AsSource => source.metadata()?.permissions().mode() & 0o666,
    };
    new_file(target, mode, |copy| {
        copy_sparse(source, copy)?;
        for patch in patches {
            copy.seek(SeekFrom::Start(patch.at))?;
            copy.write_all(&patch.bytes)?;
        }
        Ok(())
    })
}

/// Makes a file that nobody sees before `fill` has written it all.
pub(crate) fn new_file(
    target: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    if target.symlink_metadata().is_ok() {
        return Err(exists(target));
    }
    let dir = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".nestos-installer-").tempfile_in(dir)?;
    fill(temporary.as_file_mut())?;
    temporary.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    temporary.persist_noclobber(target).map_err(|e| anyhow!(e.error))?;
    Ok(())
}

fn exists(path: &Path) -> anyhow::Error {
    anyhow!("File exists")
        .context(format!("cannot write {}", path.display()))
        .context(Hint::new("existing files are never replaced"))
}

/// Copies all of a file; what was never written stays so. The kernel copies, and shares the bytes
/// where the file system can.
fn copy_sparse(source: &mut File, copy: &mut File) -> Result<()> {
    let length = source.seek(SeekFrom::End(0))?;
    copy.set_len(length)?;
    let mut at = 0;
    while at < length {
        let Some(data) = seek(source, at, Whence::SeekData)? else { break };
        let hole = seek(source, data, Whence::SeekHole)?.unwrap_or(length).min(length);
        source.seek(SeekFrom::Start(data))?;
        copy.seek(SeekFrom::Start(data))?;
        let copied = io::copy(&mut (&*source).take(hole - data), copy)?;
        if copied != hole - data {
            bail!("the image became shorter while it was copied");
        }
        at = hole;
    }
    Ok(())
}

/// Returns where the next data or hole begins; a device is all data.
fn seek(file: &File, at: u64, whence: Whence) -> Result<Option<u64>> {
    match lseek(file, i64::try_from(at)?, whence) {
        Ok(found) => Ok(Some(u64::try_from(found)?)),
        Err(Errno::ENXIO) => Ok(None),
        Err(Errno::EINVAL) => Ok(matches!(whence, Whence::SeekData).then_some(at)),
        Err(e) => Err(e.into()),
    }
}

fn stream(source: &mut File, patches: &[Patch], out: &mut impl Write) -> Result<()> {
    let length = source.seek(SeekFrom::End(0))?;
    let mut at = 0;
    for patch in patches {
        source.seek(SeekFrom::Start(at))?;
        io::copy(&mut (&*source).take(patch.at - at), out)?;
        out.write_all(&patch.bytes)?;
        at = patch.end();
    }
    source.seek(SeekFrom::Start(at))?;
    io::copy(&mut (&*source).take(length.saturating_sub(at)), out)?;
    out.flush()?;
    Ok(())
}
