//! `iso extract pxe`: what boots from a network.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::live_media::PXEBOOT;
use nestos_host::term;

use crate::cli::IsoExtractPxeArgs;
use crate::iso::live_iso::unrecognised;
use crate::iso::patch::new_file;
use crate::iso::volume::{Extent, Found, Volume};

/// Servers run as other users.
const MODE: u32 = 0o644;

pub(super) fn pxe(args: &IsoExtractPxeArgs) -> Result<()> {
    let shown = args.iso.display();
    let mut file = File::open(&args.iso).with_context(|| format!("cannot read {shown}"))?;
    let files = files(&mut file, args).with_context(|| format!("cannot take {shown} apart"))?;
    fs::create_dir_all(&args.output_dir)
        .with_context(|| format!("cannot make {}", args.output_dir.display()))?;
    for (path, _) in &files {
        if path.symlink_metadata().is_ok() {
            return Err(anyhow!("File exists").context(format!("cannot write {}", path.display())));
        }
    }
    for (path, extent) in files {
        new_file(&path, MODE, |target| copy(&mut file, extent, target))
            .with_context(|| format!("cannot write {}", path.display()))?;
        term::result(path.display());
    }
    Ok(())
}

fn files(file: &mut File, args: &IsoExtractPxeArgs) -> Result<Vec<(PathBuf, Extent)>> {
    let volume = Volume::read(file).map_err(unrecognised)?;
    let stem = args.iso.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.context("its name is not UTF-8")?;
    let mut files = Vec::new();
    for listed in volume.files(file, PXEBOOT).map_err(unrecognised)? {
        let name = listed.path.to_lowercase();
        if name.contains('/') || name.is_empty() {
            bail!("{name:?} cannot name a file");
        }
        if let Found::File(extent) = listed.found {
            files.push((args.output_dir.join(format!("{stem}-{name}")), extent));
        }
    }
    Ok(files)
}

/// Copies bytes of an image to a file.
pub(super) fn copy(image: &mut File, extent: Extent, target: &mut File) -> Result<()> {
    image.seek(SeekFrom::Start(extent.offset))?;
    let copied = io::copy(&mut (&*image).take(extent.length), target)?;
    if copied != extent.length {
        bail!("the image became shorter while it was read");
    }
    Ok(())
}
