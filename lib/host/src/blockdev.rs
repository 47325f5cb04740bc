//! Disks to write an operating system to: whole block devices, or regular files that stand for
//! one. A claimed disk is ours alone until the value is dropped.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, OFlag, fallocate, fcntl};
use nix::libc::{F_WRLCK, SEEK_SET, flock};
use nix::sys::stat::{major, minor};

use crate::disk_io::DiskIo;
use crate::disk_use;
use crate::gpt_disk::SectorSize;
use crate::ioctl;
use crate::term::WithHint;

/// How often the kernel is asked to read a new table, and how long apart: udev may hold the disk.
const REREAD_TRIES: u32 = 20;
const REREAD_PAUSE: Duration = Duration::from_millis(100);

/// What stands behind a target path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A block device with the sector size the kernel gives it.
    Device(SectorSize),
    /// A regular file; it takes the sector size of whatever is written to it.
    File,
}

/// A disk that only we use.
#[derive(Debug)]
pub struct ClaimedDisk {
    path: PathBuf,
    file: File,
    kind: Kind,
    size: u64,
    io: DiskIo,
}

impl ClaimedDisk {
    /// Opens the whole disk for writing and claims it; a disk in use is refused with the list of
    /// its users.
    pub fn claim(path: &Path) -> Result<Self> {
        let meta = fs::metadata(path)
            .with_context(|| format!("cannot find the disk {}", path.display()))
            .hint(
                "list the disks with lsblk; make a file to install to with truncate -s 10G FILE",
            )?;
        if meta.file_type().is_block_device() {
            Self::claim_device(path, meta.rdev())
        } else if meta.is_file() {
            Self::claim_file(path)
        } else {
            bail!("{} is neither a block device nor a regular file", path.display())
        }
    }

    fn claim_device(path: &Path, rdev: u64) -> Result<Self> {
        let sysfs = PathBuf::from(format!("/sys/dev/block/{}:{}", major(rdev), minor(rdev)));
        if sysfs.join("partition").exists() {
            return Err(anyhow!("{} is a partition, not a whole disk", path.display()))
                .hint(format!("give the disk itself: {}", whole_disk(&sysfs)));
        }
        // Some kernels open a read-only disk for writing and refuse the first write.
        if fs::read_to_string(sysfs.join("ro")).is_ok_and(|ro| ro.trim() == "1") {
            return Err(anyhow!("{} is read-only", path.display())).hint(format!(
                "take off its write protection: a switch on it, or blockdev --setrw {}",
                path.display()
            ));
        }
        let opened = File::options()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_EXCL | OFlag::O_CLOEXEC).bits())
            .open(path);
        let file = match opened {
            Err(e) if is_busy(&e) => return disk_use::refuse(path, &sysfs),
            other => opened_for_writing(path, other)?,
        };
        lock_out_udev(path, &file)?;
        lock_out_machines(path, &file)?;
        let size = ioctl::size(&file)
            .with_context(|| format!("cannot get the size of {}", path.display()))?;
        let sector = ioctl::sector_size(&file)
            .with_context(|| format!("cannot get the sector size of {}", path.display()))?;
        let sector = SectorSize::from_bytes(sector).ok_or_else(|| {
            anyhow!("{} has sectors of {sector} bytes; only 512 and 4096 work", path.display())
        })?;
        let io = DiskIo::direct(&file);
        let disk = Self { path: path.to_owned(), file, kind: Kind::Device(sector), size, io };
        // Nothing changes yet: the kernel refuses while a program has a partition open.
        match disk.reread_partitions() {
            Ok(_) => Ok(disk),
            Err(e) if e.downcast_ref::<io::Error>().is_some_and(is_busy) => {
                disk_use::refuse(path, &sysfs)
            }
            Err(e) => Err(e).with_context(|| format!("cannot claim {}", path.display())),
        }
    }

    fn claim_file(path: &Path) -> Result<Self> {
        let real = fs::canonicalize(path)?;
        if real.starts_with("/dev") && !real.starts_with("/dev/shm") {
            return Err(anyhow!("{} is a regular file in /dev, not a disk", path.display()))
                .hint("something wrote there by mistake; remove it and check the disk's name");
        }
        if let Some(device) = disk_use::loop_device_of(&real) {
            return Err(anyhow!("{} is attached to {device}", path.display()))
                .hint(format!("detach it: losetup -d {device}"));
        }
        let opened = File::options().read(true).write(true).open(path);
        let mut file = opened_for_writing(path, opened)?;
        if file.try_lock().is_err() {
            bail!("{} is locked: another program is writing to it", path.display());
        }
        lock_out_machines(path, &file)?;
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), file, kind: Kind::File, size, io: DiskIo::cached() })
    }

    /// Returns the path given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what stands behind the path.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the open file, for a loop device or a comparison.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the manufacturer's name of the device, if it has one.
    pub fn model(&self) -> Option<String> {
        let rdev = self.file.metadata().ok()?.rdev();
        let path = format!("/sys/dev/block/{}:{}/device/model", major(rdev), minor(rdev));
        let model = fs::read_to_string(path).ok()?;
        Some(model.trim().to_owned()).filter(|m| !m.is_empty())
    }

    /// Reads exactly `buf` at `offset`.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.file
            .read_exact_at(buf, offset)
            .with_context(|| format!("cannot read {} at byte {offset}", self.path.display()))
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.io
            .write_at(&self.file, bytes, offset)
            .with_context(|| format!("cannot write to {} at byte {offset}", self.path.display()))
    }

    /// Makes `length` bytes at `offset` read as zeros: by the kernel where it can, else by
    /// writing them.
    pub fn zero(&self, offset: u64, length: u64) -> Result<()> {
        let mode = match self.kind {
            // A hole costs nothing and reads as zeros.
            Kind::File => {
                FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE
            }
            // Write-zeroes without unmapping: no device may bring old bytes back.
            Kind::Device(_) => {
                FallocateFlags::FALLOC_FL_ZERO_RANGE | FallocateFlags::FALLOC_FL_KEEP_SIZE
            }
        };
        let signed = |n: u64| i64::try_from(n).context("offset beyond the reach of a file");
        if fallocate(&self.file, mode, signed(offset)?, signed(length)?).is_ok() {
            return Ok(());
        }
        let zeros = vec![0_u8; 64 * 1024];
        let mut done = 0;
        while done < length {
            let n = usize::try_from(length - done).unwrap_or(usize::MAX).min(zeros.len());
            self.write_at(&zeros[..n], offset + done)?;
            done += n as u64;
        }
        Ok(())
    }

    /// Fills `buf` with what the medium has at `offset`; everything must have been synced.
    pub fn read_back(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.io
            .read_back(&self.file, buf, offset)
            .with_context(|| format!("cannot read {} at byte {offset}", self.path.display()))
    }

    /// Starts to bring what was written to the medium and does not wait for it; `false` while
    /// an earlier call is still at work.
    pub fn start_flush(&self) -> Result<bool> {
        let started = self.io.start_flush(&self.file);
        started.with_context(|| format!("cannot sync {}", self.path.display()))
    }

    /// Waits until everything written is on the medium.
    pub fn sync(&self) -> Result<()> {
        self.io
            .end_flush()
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("cannot sync {}", self.path.display()))
    }

    /// Asks the kernel to read the new partition table.
    pub fn reread_partitions(&self) -> Result<Reread> {
        if self.kind == Kind::File {
            return Ok(Reread::NotNeeded);
        }
        for _ in 0..REREAD_TRIES {
            match ioctl::reread_partitions(&self.file) {
                Ok(()) => return Ok(Reread::Done),
                // A loop device without partition scanning has no partition nodes to refresh.
                Err(Errno::EINVAL) => return Ok(Reread::NotNeeded),
                Err(Errno::EBUSY) => std::thread::sleep(REREAD_PAUSE),
                Err(e) => return Err(io::Error::from(e)).context("BLKRRPART"),
            }
        }
        Err(io::Error::from(Errno::EBUSY)).context("BLKRRPART")
    }
}

/// What [`ClaimedDisk::reread_partitions`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reread {
    /// The kernel knows the new table.
    Done,
    /// The kernel keeps no table of this disk.
    NotNeeded,
}

fn is_busy(e: &io::Error) -> bool {
    e.raw_os_error() == Some(Errno::EBUSY as i32)
}

fn opened_for_writing(path: &Path, opened: io::Result<File>) -> Result<File> {
    let denied = matches!(&opened, Err(e) if e.kind() == io::ErrorKind::PermissionDenied);
    let opened = opened.with_context(|| format!("cannot open {} for writing", path.display()));
    if denied { opened.hint("run the command as root, with sudo") } else { opened }
}

/// Takes the lock that keeps udev from probing a disk while it changes
/// (systemd.io, "Locking Block Device Access").
fn lock_out_udev(path: &Path, file: &File) -> Result<()> {
    for _ in 0..REREAD_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(REREAD_PAUSE),
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
    bail!("cannot claim {}: another program has locked it", path.display())
}

/// Takes the lock by which QEMU keeps others from the disk of a running machine: neither `O_EXCL`
/// nor flock(2) meets it (qemu(1), `locking=`; fcntl_locking(2), "Open file description locks").
fn lock_out_machines(path: &Path, file: &File) -> Result<()> {
    let short = |n: i32| i16::try_from(n).context("a constant of fcntl.h is out of range");
    let whole = flock {
        l_type: short(F_WRLCK)?,
        l_whence: short(SEEK_SET)?,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Err(Errno::EAGAIN | Errno::EACCES) => Err(anyhow!(
            "{} is locked: another program has it open, such as a virtual machine",
            path.display()
        ))
        .hint(format!("find the program with: fuser -v {}", path.display())),
        // A file system without locks holds none of others either.
        _ => Ok(()),
    }
}

fn whole_disk(sysfs: &Path) -> String {
    let parent = fs::canonicalize(sysfs).ok().and_then(|p| Some(p.parent()?.to_owned()));
    match parent.as_deref().and_then(Path::file_name) {
        Some(name) => format!("/dev/{}", name.to_string_lossy().replace('!', "/")),
        None => "the device without the partition number".to_owned(),
    }
}
