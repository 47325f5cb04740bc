//! Objects on their way into a repository.
//!
//! They are written to a directory of their own below `tmp/`, named and locked the way libostree
//! does it (`ostree-repo-commit.c`), so that what a killed run leaves is taken up by the next one
//! of the same boot, and removed by libostree after another. Publishing is one sync for all of
//! them, then renames: an object in `objects/` is whole after a power cut.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::ostree::{Checksum, FileHeader};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, FcntlArg, OFlag, fallocate, fcntl};
use nix::libc;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{linkat, syncfs};
use sha2::Digest;
use xattr::FileExt;

/// Files of at least this size get their space in one piece.
const FALLOCATE_FROM: u64 = 1024 * 1024;
const COPY_BUFFER: usize = 128 * 1024;
/// More folders than these are synced with everything else on their file system: each of theirs is
/// a flush of the disk's cache, after which there is little left for the others to wait for.
const FOLDERS_SYNCED: usize = 8;
/// Largest object that is not a file's content: what libostree takes.
const MAX_METADATA: u64 = 10 * 1024 * 1024;

/// Kinds of objects, by the ends of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file or symbolic link.
    File,
    /// Names in a directory.
    DirTree,
    /// Owner, mode and attributes of a directory.
    DirMeta,
    /// A commit.
    Commit,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::DirTree => "dirtree",
            Self::DirMeta => "dirmeta",
            Self::Commit => "commit",
        }
    }
}

/// Writes objects for one repository of mode `bare`. May be used by several threads at once.
#[derive(Debug)]
pub(super) struct Staging {
    objects: PathBuf,
    dir: PathBuf,
    lock: File,
    lock_path: PathBuf,
    counter: AtomicU64,
    written: AtomicU64,
    unpublished: AtomicU64,
    reserve: u64,
}

impl Staging {
    /// Takes up what an interrupted run of this boot left, or begins anew. `reserve` is how many
    /// bytes of the file system must stay free.
    pub(super) fn open(repo: &Path, reserve: u64) -> Result<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let prefix = format!("staging-{}-", boot_id.context("cannot read the boot id")?.trim());
        let tmp = repo.join("tmp");
        let (dir, lock_path, lock) = match reusable(&tmp, &prefix)? {
            Some(found) => found,
            None => fresh(&tmp, &prefix)?,
        };
        for first in 0..=u8::MAX {
            let sub = dir.join(format!("{first:02x}"));
            match fs::create_dir(&sub) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(e).with_context(|| format!("cannot create {}", sub.display()));
                }
                _ => {}
            }
        }
        Ok(Self {
            objects: repo.join("objects"),
            dir,
            lock,
            lock_path,
            counter: AtomicU64::new(0),
            written: AtomicU64::new(0),
            unpublished: AtomicU64::new(0),
            reserve,
        })
    }

    /// Returns whether the object is staged or published.
    pub(super) fn has(&self, kind: Kind, sum: &Checksum) -> bool {
        let name = name(kind, sum);
        let there = |dir: &Path| dir.join(&name).symlink_metadata().is_ok();
        there(&self.dir) || there(&self.objects)
    }

    /// Reads an object that is no file.
    pub(super) fn read(&self, kind: Kind, sum: &Checksum) -> Result<Vec<u8>> {
        let name = name(kind, sum);
        let staged = File::open(self.dir.join(&name));
        let file = staged.or_else(|_not_staged| File::open(self.objects.join(&name)));
        let mut bytes = Vec::new();
        let read = file.and_then(|f| f.take(MAX_METADATA + 1).read_to_end(&mut bytes));
        read.with_context(|| format!("cannot read object {sum}.{}", kind.suffix()))?;
        if Checksum::of(&bytes) != *sum {
            bail!("object {sum}.{} in the repository is damaged", kind.suffix());
        }
        Ok(bytes)
    }

    /// Returns where the content of a file object is now.
    pub(super) fn file_path(&self, sum: &Checksum) -> PathBuf {
        let name = name(Kind::File, sum);
        let staged = self.dir.join(&name);
        if staged.symlink_metadata().is_ok() { staged } else { self.objects.join(&name) }
    }

    /// Writes an object that is no file, named by its checksum.
    pub(super) fn write(&self, kind: Kind, bytes: &[u8]) -> Result<Checksum> {
        let sum = Checksum::of(bytes);
        if self.has(kind, &sum) {
            return Ok(sum);
        }
        let mut file = self.unnamed()?;
        file.write_all(bytes).map_err(|e| self.explain(e))?;
        self.wrote(bytes.len() as u64)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        self.name_it(&file, kind, &sum)?;
        Ok(sum)
    }

    /// Writes a file object from its content. It gets its name only when `expected`, if given, is
    /// its checksum.
    pub(super) fn write_file(
        &self,
        header: &FileHeader,
        size: u64,
        content: &mut dyn Read,
        expected: Option<&Checksum>,
    ) -> Result<Checksum> {
        if header.is_symlink() {
            return self.write_symlink(header, expected);
        }
        let mut file = self.unnamed()?;
        if size >= FALLOCATE_FROM {
            let length = i64::try_from(size).context("a file is too large")?;
            match fallocate(&file, FallocateFlags::empty(), 0, length) {
                Ok(()) | Err(Errno::EOPNOTSUPP) => {}
                Err(e) => return Err(self.explain(e.into())),
            }
        }
        let mut hasher = header.hasher();
        let mut buffer = vec![0; COPY_BUFFER.min(usize::try_from(size)?.max(1))];
        let mut copied = 0;
        loop {
            let n = content.read(&mut buffer)?;
            let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else { break };
            hasher.update(part);
            file.write_all(part).map_err(|e| self.explain(e))?;
            copied += n as u64;
            self.wrote(n as u64)?;
        }
        if copied != size {
            bail!("a file ends after {copied} of {size} bytes");
        }
        let sum = Checksum(hasher.finalize().into());
        check(&sum, expected)?;
        fchown(&file, Some(header.uid), Some(header.gid)).context("cannot set an owner")?;
        for (key, value) in header.xattrs.iter() {
            file.set_xattr(os(key), value).with_context(|| cannot_attribute(key))?;
        }
        file.set_permissions(fs::Permissions::from_mode(header.mode & 0o7777))?;
        file.set_modified(UNIX_EPOCH)?;
        self.name_it(&file, Kind::File, &sum)?;
        Ok(sum)
    }

    /// Moves what is staged into the repository; after it returns, a power cut does no harm to it.
    /// Objects that are being written meanwhile stay staged.
    pub(super) fn publish(&self) -> Result<()> {
        let staged = self.staged()?;
        self.unpublished.store(0, Ordering::Relaxed);
        if staged.is_empty() {
            return Ok(());
        }
        syncfs(&self.lock).context("cannot sync the new objects")?;
        let mut touched = BTreeSet::new();
        for (sub, name) in staged {
            let to = self.objects.join(&sub);
            if touched.insert(sub.clone()) {
                match fs::create_dir(&to) {
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
                    _ => {}
                }
            }
            let from = self.dir.join(&sub).join(&name);
            fs::rename(&from, to.join(&name))
                .with_context(|| format!("cannot publish {}", from.display()))?;
        }
        if touched.len() > FOLDERS_SYNCED {
            return syncfs(&self.lock).context("cannot sync the repository");
        }
        for sub in touched {
            let dir = self.objects.join(&sub);
            let synced = File::open(&dir).and_then(|d| d.sync_all());
            synced.with_context(|| format!("cannot sync {}", dir.display()))?;
        }
        File::open(&self.objects)?.sync_all().context("cannot sync the repository")
    }

    /// Returns how many bytes wait to be published.
    pub(super) fn unpublished(&self) -> u64 {
        self.unpublished.load(Ordering::Relaxed)
    }

    /// Removes what is staged: after a failure that needs its space back, or when all is published.
    pub(super) fn discard(self) -> Result<()> {
        fs::remove_dir_all(&self.dir)
            .with_context(|| format!("cannot remove {}", self.dir.display()))?;
        fs::remove_file(&self.lock_path)
            .with_context(|| format!("cannot remove {}", self.lock_path.display()))
    }

    fn staged(&self) -> Result<Vec<(String, String)>> {
        let mut staged = Vec::new();
        for first in 0..=u8::MAX {
            let sub = format!("{first:02x}");
            for entry in fs::read_dir(self.dir.join(&sub))? {
                if let Ok(name) = entry?.file_name().into_string() {
                    staged.push((sub.clone(), name));
                }
            }
        }
        Ok(staged)
    }

    fn write_symlink(&self, header: &FileHeader, expected: Option<&Checksum>) -> Result<Checksum> {
        let sum = header.checksum(b"");
        check(&sum, expected)?;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("link-{}-{number}", std::process::id()));
        symlink(&header.target, &path).map_err(|e| self.explain(e))?;
        lchown(&path, Some(header.uid), Some(header.gid)).context("cannot set an owner")?;
        for (key, value) in header.xattrs.iter() {
            xattr::set(&path, os(key), value).with_context(|| cannot_attribute(key))?;
        }
        let epoch = TimeSpec::from_duration(Duration::ZERO);
        utimensat(AT_FDCWD, &path, &epoch, &epoch, UtimensatFlags::NoFollowSymlink)?;
        fs::rename(&path, self.dir.join(name(Kind::File, &sum)))?;
        self.wrote(1)?;
        Ok(sum)
    }

    fn unnamed(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600).custom_flags(OFlag::O_TMPFILE.bits());
        options.open(&self.dir).map_err(|e| self.explain(e))
    }

    fn name_it(&self, file: &File, kind: Kind, sum: &Checksum) -> Result<()> {
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        let path = self.dir.join(name(kind, sum));
        match linkat(AT_FDCWD, opened.as_str(), AT_FDCWD, &path, AtFlags::AT_SYMLINK_FOLLOW) {
            // Another thread was faster: the same object.
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(e) => Err(self.explain(e.into())),
        }
    }

    /// Counts what is written, and stops before the file system has no reserve left.
    fn wrote(&self, bytes: u64) -> Result<()> {
        const LOOK_EVERY: u64 = 16 * 1024 * 1024;
        self.unpublished.fetch_add(bytes, Ordering::Relaxed);
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before / LOOK_EVERY != (before + bytes) / LOOK_EVERY {
            let free = free_bytes(&self.objects)?;
            if free < self.reserve {
                bail!(DiskFull { path: self.objects.clone(), free, needed: self.reserve });
            }
        }
        Ok(())
    }

    fn explain(&self, e: io::Error) -> anyhow::Error {
        if e.raw_os_error() == Some(libc::ENOSPC) || e.raw_os_error() == Some(libc::EDQUOT) {
            let free = free_bytes(&self.objects).unwrap_or_default();
            return DiskFull { path: self.objects.clone(), free, needed: self.reserve }.into();
        }
        anyhow!(e).context(format!("cannot write below {}", self.dir.display()))
    }
}

/// The disk has no room for the image; what was staged must go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no space left for the image at {}: {} MiB are free, more than {} MiB are needed",
    path.display(), free >> 20, needed.div_ceil(1 << 20)
)]
pub struct DiskFull {
    /// The repository's objects.
    pub path: PathBuf,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that must stay free at the least, and, where nothing was fetched yet, those to fetch.
    pub needed: u64,
}

/// Returns how many bytes the file system of `path` has for root.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)
        .with_context(|| format!("cannot ask how much space is left at {}", path.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

fn name(kind: Kind, sum: &Checksum) -> String {
    let hex = sum.to_string();
    let (head, tail) = hex.split_at(2);
    format!("{head}/{tail}.{}", kind.suffix())
}

fn check(sum: &Checksum, expected: Option<&Checksum>) -> Result<()> {
    match expected {
        Some(expected) if expected != sum => {
            bail!("object {expected} has the content of {sum}: the image is damaged")
        }
        _ => Ok(()),
    }
}

fn os(key: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(key)
}

fn cannot_attribute(key: &[u8]) -> String {
    format!("cannot set the attribute {}", String::from_utf8_lossy(key))
}

fn reusable(tmp: &Path, prefix: &str) -> Result<Option<(PathBuf, PathBuf, File)>> {
    let entries = fs::read_dir(tmp).with_context(|| format!("cannot read {}", tmp.display()))?;
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with(prefix) || !entry.file_type()?.is_dir() {
            continue;
        }
        let lock_path = tmp.join(format!("{name}-lock"));
        if let Some(lock) = try_lock(&lock_path)? {
            return Ok(Some((entry.path(), lock_path, lock)));
        }
    }
    Ok(None)
}

fn fresh(tmp: &Path, prefix: &str) -> Result<(PathBuf, PathBuf, File)> {
    let dir = tempfile::Builder::new().prefix(prefix).rand_bytes(6).tempdir_in(tmp);
    let dir = dir.with_context(|| format!("cannot write below {}", tmp.display()))?.keep();
    let mut lock_path = dir.clone().into_os_string();
    lock_path.push("-lock");
    let lock_path = PathBuf::from(lock_path);
    let lock = try_lock(&lock_path)?.context("another process took a fresh directory")?;
    Ok((dir, lock_path, lock))
}

/// Locks as libostree does (`glnx_make_lock_file`): an open file description lock.
fn try_lock(path: &Path) -> Result<Option<File>> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    let whole = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK)?,
        l_whence: i16::try_from(libc::SEEK_SET)?,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(Some(file)),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot lock {}", path.display())),
    }
}
