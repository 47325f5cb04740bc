//! Changes of an image in its place. Only sectors that change are written. What is going to be
//! written is first written beside the image, so that a change that was cut off is finished the
//! next time: the image is either the old or the new one, as far as this program is asked.
//!
//! The journal `.NAME.nestos-journal` names the image by its length and its volume descriptor, and
//! holds the old and the new sectors. It is used only if it is about this image, each sector of
//! which is one of the two, and if it is the caller's or belongs to who has the image. It may hold
//! a config, and only its owner reads it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_host::term::{self, WithHint};
use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};

use super::live_iso::Access;
use super::patch::{self, Patch};

/// What a device writes at once.
const SECTOR: usize = 512;
const MAGIC: &[u8; 16] = b"NESTOS-JOURNAL2\n";
/// Where the primary volume descriptor is, with the name of the volume and when it was made.
const DESCRIPTOR_AT: u64 = 16 * 2048;
const DESCRIPTOR_LEN: u64 = 2048;
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

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Journal {
    /// The image it is about.
    image: [u8; DIGEST],
    changes: Vec<Change>,
}

/// Changes an image in its place.
pub(super) fn apply(path: &Path, image: &mut File, patches: &[Patch]) -> Result<()> {
    let changes = changes(image, patches)?;
    if changes.is_empty() {
        return Ok(());
    }
    // A medium itself has no place beside it.
    let journal = if is_device(image)? {
        None
    } else {
        write_journal(path, &Journal { image: identity(image)?, changes: changes.clone() })?
    };
    write_all(image, &changes)?;
    journal.map_or(Ok(()), |journal| remove(&journal))
}

/// Finishes what was cut off.
pub(super) fn recover(path: &Path, image: &mut File, access: Access) -> Result<()> {
    let place = place(path);
    let shown = place.display();
    match (read_journal(&place, image)?, access) {
        (Found::Nothing, _) | (Found::Beginning, Access::Read) => return Ok(()),
        // It is whole before the image is touched.
        (Found::Beginning, Access::Change) => return remove(&place),
        (Found::Whole(_), _) => {}
    }
    let mut writable = match access {
        Access::Change => image.try_clone()?,
        Access::Read => {
            let file = OpenOptions::new().write(true).open(path);
            let file = file
                .with_context(|| format!("a change was cut off, as {shown} says"))
                .hint("run the same command as a user who may write the image")?;
            // The journal may be that of a change that goes on.
            patch::lock(&file)?;
            file
        }
    };
    let Found::Whole(journal) = read_journal(&place, image)? else { return Ok(()) };
    if !is_about(&journal, image)? {
        return Err(anyhow!("{shown} is about another image than this one"))
            .hint(format!("delete {shown} if the image was replaced by hand"));
    }
    term::status(format!("finishing a change of {} that was cut off", path.display()));
    write_all(&mut writable, &journal.changes)?;
    remove(&place)
}

/// What is where a journal would be.
enum Found {
    Nothing,
    /// The beginning of one.
    Beginning,
    Whole(Journal),
}

fn read_journal(place: &Path, image: &File) -> Result<Found> {
    let opened = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(place);
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", place.display())),
    };
    let (meta, owner) = (file.metadata()?, image.metadata()?.uid());
    if !meta.is_file() || (meta.uid() != geteuid().as_raw() && meta.uid() != owner) {
        let shown = place.display();
        return Err(anyhow!("{shown} was left by somebody else")).hint(format!("delete {shown}"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(parse(&bytes).map_or(Found::Beginning, Found::Whole))
}

/// Returns whether a journal is about this image, and the image was left in its middle.
fn is_about(journal: &Journal, image: &mut File) -> Result<bool> {
    if journal.image != identity(image)? {
        return Ok(false);
    }
    for change in &journal.changes {
        let now = read_at(image, change.at, change.old.len())?;
        if now != change.old && now != change.new {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Names an image by what no change of ours changes.
fn identity(image: &mut File) -> Result<[u8; DIGEST]> {
    let length = image.seek(SeekFrom::End(0))?;
    let mut descriptor = Vec::new();
    image.seek(SeekFrom::Start(DESCRIPTOR_AT))?;
    (&*image).take(DESCRIPTOR_LEN).read_to_end(&mut descriptor)?;
    Ok(Sha256::new().chain_update(length.to_le_bytes()).chain_update(&descriptor).finalize().into())
}

/// Returns where the journal of an image is: beside the file itself, whatever links lead to it.
fn place(path: &Path) -> PathBuf {
    let path = fs::canonicalize(path).unwrap_or_else(|_not_there| path.to_owned());
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
fn write_journal(path: &Path, content: &Journal) -> Result<Option<PathBuf>> {
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
    let written = file.write_all(&to_bytes(content)).and_then(|()| file.sync_all());
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

/// Returns the journal: the image; for each sector its place, length, old and new bytes; then a
/// digest.
fn to_bytes(journal: &Journal) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(journal.image);
    for change in &journal.changes {
        bytes.extend(change.at.to_le_bytes());
        bytes.extend((change.old.len() as u64).to_le_bytes());
        bytes.extend(&change.old);
        bytes.extend(&change.new);
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

/// Reads a journal; `None` if it is not whole.
fn parse(bytes: &[u8]) -> Option<Journal> {
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if Sha256::digest(content).as_slice() != digest {
        return None;
    }
    let (image, mut rest) = content.strip_prefix(MAGIC)?.split_first_chunk()?;
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
    Some(Journal { image: *image, changes })
}

#[cfg(test)]
mod tests;
