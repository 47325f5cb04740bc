//! `pack minimal-iso`: puts the description of a minimal image into the full one.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};
use nestos_host::term;

use super::{IsoFile, Listing, describe};
use crate::cli::PackMinimalIsoArgs;
use crate::iso::live_iso::{Access, LiveIso, read_extent};
use crate::iso::volume::{Found, Volume};

/// Describes the minimal image in the area that the full one keeps for that.
pub fn pack(args: &PackMinimalIsoArgs) -> Result<()> {
    let (full, minimal) = (args.full.display(), args.minimal.display());
    let describe = || -> Result<()> {
        let mut iso = LiveIso::open(&args.full, Access::Change)?;
        let path = iso.flavour().miniso();
        let (volume, file) = iso.parts();
        let area = volume.find_file(file, &path)?;
        let area = area.with_context(|| format!("the full image has no {path}"))?;
        if read_extent(file, area)?.iter().any(|byte| *byte != 0) {
            bail!("{path} of the full image is in use already");
        }
        let mut small = File::open(&args.minimal)?;
        let parts = Volume::read(&mut small)?;
        let minimal = Listing { files: files(&parts, &mut small)?, image: &small };
        let full = Listing { files: files(volume, file)?, image: file };
        let miniso = describe(&full, &minimal)?;
        let mut bytes = miniso.to_bytes()?;
        let needed = bytes.len();
        if needed as u64 > area.length {
            bail!("it takes {needed} bytes, and {path} has {}: make it larger", area.length);
        }
        bytes.resize(usize::try_from(area.length)?, 0);
        file.write_all_at(&bytes, area.offset)?;
        file.sync_all()?;
        let shared = miniso.table.files().len();
        term::status(format!("{shared} files are shared; {needed} bytes describe the rest"));
        Ok(())
    };
    describe().with_context(|| format!("cannot describe {minimal} in {full}"))?;
    if args.consume {
        fs::remove_file(&args.minimal).with_context(|| format!("cannot remove {minimal}"))?;
    }
    Ok(())
}

fn files(volume: &Volume, image: &mut File) -> Result<Vec<IsoFile>> {
    let listed = volume.walk(image)?.into_iter();
    let files = listed.filter_map(|listed| match listed.found {
        Found::File(extent) => {
            Some(IsoFile { path: listed.path, offset: extent.offset, length: extent.length })
        }
        Found::Directory(_) => None,
    });
    Ok(files.collect())
}
