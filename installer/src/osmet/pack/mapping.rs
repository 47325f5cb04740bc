//! Where objects are in an image, as its file system tells.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use nestos_formats::ostree::Checksum;
use nestos_host::extents;

use super::source::Source;
use crate::osmet::Repository;

/// Bytes that are compared at once.
const BLOCK: usize = 1024 * 1024;

/// Bytes of an image that are in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mapped {
    /// First byte in the image.
    pub(super) at: u64,
    /// First byte in the object.
    pub(super) logical: u64,
    pub(super) length: u64,
    pub(super) object: Checksum,
}

impl Mapped {
    pub(super) fn end(&self) -> u64 {
        self.at + self.length
    }
}

/// Finds all files of a repository in the image that it is in.
pub(super) fn objects(source: &Source, repository: &Repository) -> Result<Vec<Mapped>> {
    let all = list(&repository.objects()).context("cannot list its objects")?;
    let count = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<Mapped>> {
        let mut found = Vec::new();
        while let Some(object) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = repository.file(*object);
            find(source, *object, &path, &mut found)
                .with_context(|| format!("cannot find out where {} lies", path.display()))?;
        }
        Ok(found)
    };
    let found: Result<Vec<Vec<Mapped>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_panic| Err(anyhow!("finding objects failed")))
        });
        results.collect()
    });
    Ok(canonical(found?.concat()))
}

/// Sorts, and drops what overlaps: file systems may let files share bytes.
pub(super) fn canonical(mut mapped: Vec<Mapped>) -> Vec<Mapped> {
    mapped.sort_unstable();
    let mut end = 0;
    mapped.retain(|m| {
        let keep = m.at >= end;
        if keep {
            end = m.end();
        }
        keep
    });
    mapped
}

/// Returns the regular files of a repository, sorted.
fn list(objects: &Path) -> Result<Vec<Checksum>> {
    let mut all = Vec::new();
    for dir in fs::read_dir(objects)? {
        let dir = dir?;
        let front = dir.file_name();
        for entry in fs::read_dir(dir.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let hex = format!("{}{}", front.to_string_lossy(), name.to_string_lossy());
            let file = hex.strip_suffix(".file").and_then(|hex| hex.parse().ok());
            if let Some(object) = file
                && entry.file_type()?.is_file()
            {
                all.push(object);
            }
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn find(source: &Source, object: Checksum, path: &Path, found: &mut Vec<Mapped>) -> Result<()> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    for extent in extents::of(&file)?.iter().filter(|e| e.is_plain()) {
        // The rest of the last block belongs to nobody.
        let length = extent.length.min(size.saturating_sub(extent.logical));
        let inside = extent.physical.checked_add(length).is_some_and(|e| e <= source.root.length);
        let mapped = Mapped {
            at: source.root.start + extent.physical,
            logical: extent.logical,
            length,
            object,
        };
        if length > 0 && inside && same(source, &file, &mapped)? {
            found.push(mapped);
        }
    }
    Ok(())
}

/// Compares an object with the image.
fn same(source: &Source, file: &File, mapped: &Mapped) -> Result<bool> {
    let size = BLOCK.min(usize::try_from(mapped.length).unwrap_or(BLOCK));
    let (mut ours, mut theirs) = (vec![0; size], vec![0; size]);
    let mut done = 0;
    while done < mapped.length {
        let left = usize::try_from(mapped.length - done).unwrap_or(size).min(size);
        let (ours, theirs) = (&mut ours[..left], &mut theirs[..left]);
        source.file.read_exact_at(ours, mapped.at + done)?;
        file.read_exact_at(theirs, mapped.logical + done)?;
        if ours != theirs {
            return Ok(false);
        }
        done += left as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_dropped() {
        let mapped = |at, length| Mapped { at, logical: 0, length, object: Checksum([1; 32]) };
        let all = vec![mapped(30, 10), mapped(0, 20), mapped(10, 30), mapped(0, 20)];
        assert_eq!(canonical(all), [mapped(0, 20), mapped(30, 10)]);
    }
}
