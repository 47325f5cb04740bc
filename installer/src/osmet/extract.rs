//! `dev extract osmet`: puts an image together and writes it somewhere.

use std::fs::File;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_host::term;
use sha2::{Digest as _, Sha256};

use super::{Rebuild, Repository};
use crate::digest::Digest;

/// Writes the image that `osmet` describes to a file or a device, and checks its digest.
pub fn extract(osmet: &Path, repository: &Path, to: &Path) -> Result<()> {
    let image = File::open(osmet)
        .map_err(anyhow::Error::from)
        .and_then(|file| Rebuild::start(file, Repository::at(repository)))
        .with_context(|| format!("cannot use {}", osmet.display()))?;
    let open = || -> Result<File> {
        let file = File::options().write(true).create(true).truncate(false).open(to)?;
        if !file.metadata()?.file_type().is_block_device() {
            file.set_len(0)?;
            file.set_len(image.size())?;
        }
        Ok(file)
    };
    let file = open().with_context(|| format!("cannot open {}", to.display()))?;
    let size = image.size();
    let digest = write(image, &file)
        .and_then(|digest| Ok(file.sync_all().map(|()| digest)?))
        .with_context(|| format!("cannot write the image to {}", to.display()))?;
    term::status(format!("{size} bytes with the digest {digest}"));
    Ok(())
}

fn write(mut image: Rebuild, to: &File) -> Result<Digest> {
    let hole = !to.metadata()?.file_type().is_block_device();
    let (mut hash, mut at) = (Sha256::new(), 0);
    while let Some(chunk) = image.next_chunk()? {
        hash.update(&chunk[..]);
        if !(hole && chunk.iter().all(|byte| *byte == 0)) {
            to.write_all_at(&chunk, at)?;
        }
        at += chunk.len() as u64;
    }
    let digest = Digest::from(<[u8; 32]>::from(hash.finalize()));
    if digest != image.digest() {
        bail!("the image has the digest {digest}, but should have {}", image.digest());
    }
    Ok(digest)
}
