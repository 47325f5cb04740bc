//! Changes of an image in its place. Only sectors that change are written. What is going to be
//! written is first written beside the image, so that a change that was cut off is finished the
//! next time: the image is either the old or the new one, as far as this program is asked.
//!
//! The journal `.NAME.nestos-journal` holds the old and the new sectors. It is used only if each
//! sector of the image is one of the two; it may hold a config, and only its owner reads it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_host::term::{self, WithHint};
use sha2::{Digest, Sha256};

use super::live_iso::Access;
use super::patch::Patch;

/// What a device writes at once.
const SECTOR: usize = 512;
const MAGIC: &[u8; 16] = b"NESTOS-JOURNAL1\n";
/// More than all areas of an image.
const LARGEST: u64 = 256 * 1024 * 1024;
const DIGEST: usize = 32;

/// One sector before and after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    at: u64,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// Changes an image in its place.
pub(super) fn apply(path: &Path, image: &mut File, patches: &[Patch]) -> Result<()> {
    let changes = changes(image, patches)?;
    if changes.is_empty() {
        return Ok(());
    }
    // A medium itself has no place beside it.
    let journal = if is_device(image)? { None } else { write_journal(path, &changes)? };
    write_all(image, &changes)?;
    journal.map_or(Ok(()), |journal| remove(&journal))
}

/// Finishes what was cut off.
pub(super) fn recover(path: &Path, image: &mut File, access: Access) -> Result<()> {
    let journal = place(path);
    let bytes = match File::open(&journal) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(LARGEST).read_to_end(&mut bytes)?;
            bytes
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", journal.display())),
    };
    let shown = journal.display();
    let Some(changes) = parse(&bytes) else {
        // It is whole before the image is touched.
        return if access == Access::Change { remove(&journal) } else { Ok(()) };
    };
    for change in &changes {
        let now = read_at(image, change.at, change.old.len())?;
        if now != change.old && now != change.new {
            return Err(anyhow!("{shown} is about another image than this one"))
                .hint(format!("delete {shown} if the image was replaced by hand"));
        }
    }
    let mut writable = match access {
        Access::Change => image.try_clone()?,
        Access::Read => OpenOptions::new()
            .write(true)
            .open(path)
            .with_context(|| format!("a change was cut off, as {shown} says"))
            .hint("run the same command as a user who may write the image")?,
    };
    term::status(format!("finishing a change of {} that was cut off", path.display()));
    write_all(&mut writable, &changes)?;
    remove(&journal)
}

fn place(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".nestos-journal");
    path.with_file_name(name)
}

fn is_device(image: &File) -> Result<bool> {
    Ok(image.metadata()?.file_type().is_block_device())
}

/// Returns the sectors that differ.
fn changes(image: &mut File, patches: &[Patch]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for patch in patches {
        let old = read_at(image, patch.at, patch.bytes.len())?;
        let first = SECTOR - usize::try_from(patch.at % SECTOR as u64)?;
        let mut start = 0;
        while start < old.len() {
            let end = if start == 0 { first } else { start + SECTOR }.min(old.len());
            let (old, new) = (&old[start..end], &patch.bytes[start..end]);
            if old != new {
                let at = patch.at + start as u64;
                changes.push(Change { at, old: old.to_vec(), new: new.to_vec() });
            }
            start = end;
        }
    }
    Ok(changes)
}

fn read_at(image: &mut File, at: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    image.seek(SeekFrom::Start(at))?;
    image.read_exact(&mut bytes).with_context(|| format!("cannot read {length} bytes at {at}"))?;
    Ok(bytes)
}

fn write_all(image: &mut File, changes: &[Change]) -> Result<()> {
    for change in changes {
        image.seek(SeekFrom::Start(change.at))?;
        image.write_all(&change.new)?;
    }
    image.sync_data()?;
    Ok(())
}

/// Writes the journal, and returns where it is; a directory that nobody may write has none.
fn write_journal(path: &Path, changes: &[Change]) -> Result<Option<PathBuf>> {
    let journal = place(path);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&journal);
    let mut file = match opened {
        Ok(file) => file,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            term::warning(format!(
                "no file can be made beside {}: do not interrupt this",
                path.display()
            ));
            return Ok(None);
        }
        Err(e) => return Err(e).with_context(|| format!("cannot write {}", journal.display())),
    };
    let written = file.write_all(&to_bytes(changes)).and_then(|()| file.sync_all());
    if let Err(e) = written.and_then(|()| sync_directory(&journal)) {
        drop(fs::remove_file(&journal));
        return Err(e).with_context(|| format!("cannot write {}", journal.display()));
    }
    Ok(Some(journal))
}

fn remove(journal: &Path) -> Result<()> {
    fs::remove_file(journal)
        .and_then(|()| sync_directory(journal))
        .with_context(|| format!("cannot remove {}", journal.display()))
}

fn sync_directory(of: &Path) -> io::Result<()> {
    let dir = of.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// Returns the journal: for each sector its place, length, old and new bytes; then a digest.
fn to_bytes(changes: &[Change]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for change in changes {
        bytes.extend(change.at.to_le_bytes());
        bytes.extend((change.old.len() as u64).to_le_bytes());
        bytes.extend(&change.old);
        bytes.extend(&change.new);
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

/// Returns the sectors of a journal; `None` if it is not whole.
fn parse(bytes: &[u8]) -> Option<Vec<Change>> {
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if Sha256::digest(content).as_slice() != digest {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let (at, after) = rest.split_first_chunk()?;
        let (length, after) = after.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (old, after) = after.split_at_checked(length)?;
        let (new, after) = after.split_at_checked(length)?;
        changes.push(Change { at: u64::from_le_bytes(*at), old: old.to_vec(), new: new.to_vec() });
        rest = after;
    }
    Some(changes)
}

#[cfg(test)]
mod tests;
