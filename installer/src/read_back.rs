//! Reads an image back from the disk and compares: the digests of what was written are kept,
//! piece by piece, and the disk must give the same bytes, from the medium and not from memory.

use anyhow::{Result, anyhow};
use nestos_host::blockdev::ClaimedDisk;
use nestos_host::term::WithHint;
use sha2::{Digest as _, Sha256};

use crate::chunk::Pool;
use crate::progress::{Phase, Progress};
use crate::stream::PIECE;

/// Memory for reading back.
const MEMORY: usize = 16 * PIECE;

/// What was written, and where.
#[derive(Debug, Default)]
pub struct Written(Vec<Region>);

#[derive(Debug)]
struct Region {
    at: u64,
    len: usize,
    digest: [u8; 32],
}

impl Written {
    /// Remembers `bytes` at `at`, each MiB for itself.
    pub(crate) fn note(&mut self, bytes: &[u8], at: u64) {
        let mut at = at;
        for part in bytes.chunks(PIECE) {
            self.0.push(Region { at, len: part.len(), digest: Sha256::digest(part).into() });
            at += part.len() as u64;
        }
    }

    /// Returns the number of bytes.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|region| region.len as u64).sum()
    }
}

/// Reads back what was written and compares. Everything must have been synced, and nothing of it
/// changed since: this comes before the boot partition is edited.
pub fn verify_written(
    disk: &ClaimedDisk,
    written: &Written,
    progress: &mut Progress,
    go_on: impl Fn() -> Result<()>,
) -> Result<()> {
    progress.start(Phase::Verify, written.bytes());
    let mut buffer = Pool::new(MEMORY).take(PIECE);
    let mut done = 0;
    for region in &written.0 {
        go_on()?;
        let bytes = &mut buffer[..region.len];
        disk.read_back(bytes, region.at)?;
        if <[u8; 32]>::from(Sha256::digest(bytes)) != region.digest {
            return Err(anyhow!(
                "{} does not give back what was written to it: the {} bytes at byte {} differ",
                disk.path().display(),
                region.len,
                region.at
            ))
            .hint("use another disk or cable; this one loses data");
        }
        done += region.len as u64;
        progress.set(done);
    }
    progress.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_disk_that_changed_a_byte_is_named_with_the_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::write(&path, vec![0xA5; 5 * PIECE]).unwrap();
        let disk = ClaimedDisk::claim(&path).unwrap();
        let mut written = Written::default();
        for (bytes, at) in [(vec![1; 2 * PIECE], PIECE), (vec![2; PIECE + 512], 3 * PIECE)] {
            disk.write_at(&bytes, at as u64).unwrap();
            written.note(&bytes, at as u64);
        }
        assert_eq!(written.bytes(), 3 * PIECE as u64 + 512);
        disk.sync().unwrap();
        let check = || verify_written(&disk, &written, &mut Progress::default(), || Ok(()));
        check().unwrap();
        let at = 4 * PIECE as u64 + 511;
        File::options().write(true).open(&path).unwrap().write_all_at(b"\x03", at).unwrap();
        let text = format!("{:#}", check().unwrap_err());
        assert!(text.contains("the 512 bytes at byte 4194304 differ"), "{text}");
    }
}
