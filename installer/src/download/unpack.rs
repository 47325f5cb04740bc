//! Decompresses a verified file to a new one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::checked::CheckedReader;
use crate::decode::Compression;
use crate::digest::Digest;
use crate::trust::Trust;

const BUFFER: usize = 1024 * 1024;

/// Decompresses `stored` to `unpacked`, which has its name only when it is complete.
pub(super) fn unpack(stored: &Path, unpacked: &Path, expected: Option<Digest>) -> Result<()> {
    let mut fresh = unpacked.as_os_str().to_owned();
    fresh.push(".partial");
    let fresh = PathBuf::from(fresh);
    let done = write(stored, &fresh, expected).and_then(|()| {
        fs::rename(&fresh, unpacked)?;
        let parent = unpacked.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    });
    if done.is_err() {
        // What failed is the error to tell; the rest of a file may be there or not.
        drop(fs::remove_file(&fresh));
    }
    done.with_context(|| format!("cannot decompress to {}", unpacked.display()))
}

fn write(stored: &Path, fresh: &Path, expected: Option<Digest>) -> Result<()> {
    let file = File::open(stored).with_context(|| format!("cannot read {}", stored.display()))?;
    // What is stored was verified before.
    let mut reader = CheckedReader::new(Box::new(file), Trust::Insecure)?;
    if reader.compression() == Compression::Raw {
        bail!("{} is not compressed, whatever its name says", stored.display());
    }
    let failed = || format!("cannot write {}", fresh.display());
    let mut out = File::create(fresh).with_context(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        let filled = reader.fill(&mut buffer)?;
        if filled == 0 {
            break;
        }
        hash.update(&buffer[..filled]);
        out.write_all(&buffer[..filled]).with_context(failed)?;
    }
    reader.finish()?;
    out.sync_all().with_context(failed)?;
    let digest = Digest::from(<[u8; 32]>::from(hash.finalize()));
    match expected {
        Some(expected) if expected != digest => {
            bail!("it decompresses to the digest {digest}, but the stream has {expected}")
        }
        _ => Ok(()),
    }
}
