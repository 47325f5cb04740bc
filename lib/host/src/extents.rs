//! Where the bytes of a file are on its file system, as the file system tells (FIEMAP: see
//! Documentation/filesystems/fiemap.rst of Linux).

use std::fs::File;

use nix::errno::Errno;

use crate::ioctl;

/// Names of the flags of an extent, bit by bit (linux/fiemap.h).
const FLAGS: [(u32, &str); 12] = [
    (0x0001, "last"),
    (0x0002, "unknown"),
    (0x0004, "delayed"),
    (0x0008, "encoded"),
    (0x0080, "encrypted"),
    (0x0100, "unaligned"),
    (0x0200, "inline"),
    (0x0400, "tail"),
    (0x0800, "unwritten"),
    (0x1000, "merged"),
    (0x2000, "shared"),
    (0x4000, "hardware-backed"),
];

/// Flags of extents whose bytes lie on the file system as they are in the file: the last one of a
/// file, one put together of several, and one that other files have, too.
const PLAIN: u32 = 0x0001 | 0x1000 | 0x2000;

const LAST: u32 = 0x0001;

/// Bytes of a file that lie next to each other on the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte in the file.
    pub logical: u64,
    /// First byte on the file system's device.
    pub physical: u64,
    /// Number of bytes; whole blocks, also where the file ends before.
    pub length: u64,
    flags: u32,
}

impl Extent {
    /// Returns whether the bytes on the device are those of the file.
    pub fn is_plain(&self) -> bool {
        self.flags & !PLAIN == 0
    }

    /// Returns the names of its flags.
    pub fn flags(&self) -> Vec<&'static str> {
        FLAGS.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, name)| *name).collect()
    }
}

/// Returns the extents of a file; there are none where it has holes.
pub fn of(file: &File) -> Result<Vec<Extent>, Errno> {
    let mut all: Vec<Extent> = Vec::new();
    loop {
        let start = all.last().map_or(0, |e| e.logical.saturating_add(e.length));
        let next = ioctl::extents(file, start)?;
        all.extend(next.iter().map(|e| Extent {
            logical: e.logical,
            physical: e.physical,
            length: e.length,
            flags: e.flags,
        }));
        // A file system that repeats itself must not keep anybody here.
        let on = all.last().is_some_and(|e| e.flags & LAST == 0 && e.logical >= start);
        if next.is_empty() || !on {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_file_with_many_holes_has_all_its_extents() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 8192]).unwrap();
        for i in 1..200 {
            file.write_all_at(&[1; 4096], i * 65536).unwrap();
        }
        file.sync_all().unwrap();
        let extents = match of(&file) {
            Err(Errno::ENOTSUP) => return,
            extents => extents.unwrap(),
        };
        let covers = |at| extents.iter().any(|e| e.logical <= at && at < e.logical + e.length);
        assert!((0..200).all(|i| covers(i * 65536)) && !covers(32768));
        assert_eq!(extents.iter().filter(|e| e.flags().contains(&"last")).count(), 1);
    }

    #[test]
    fn only_plain_extents_are_what_they_seem() {
        let extent = |flags| Extent { logical: 0, physical: 0, length: 4096, flags };
        assert!(extent(0x3001).is_plain() && !extent(0x801).is_plain());
        assert_eq!(extent(0x801).flags(), ["last", "unwritten"]);
    }
}
