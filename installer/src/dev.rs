//! The commands of `dev` about ISO images and initramfs: what they are made of.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use nestos_host::term;
use serde_json::{Value, json};

use crate::cli::{ExtractInitrdArgs, ShowInitrdArgs, ShowIsoArgs};
use crate::initrd;
use crate::iso::commands::{Areas, areas};
use crate::iso::live_iso::{Access, LiveIso};
use crate::iso::volume::{Descriptor, Volume};

/// Most files of an initramfs that are listed.
const MOST_FILES: usize = 1_000_000;

/// Prints the file system of an ISO image, or its areas.
pub fn show_iso(args: &ShowIsoArgs) -> Result<()> {
    let what = match (args.ignition, args.kargs) {
        (true, _) => Some(Areas::Ignition),
        (_, true) => Some(Areas::Kargs),
        _ => None,
    };
    let value = match what {
        Some(what) => areas(&LiveIso::open(&args.iso, Access::Read)?, what)?,
        None => {
            file_system(&args.iso).with_context(|| format!("cannot read {}", args.iso.display()))?
        }
    };
    term::result(serde_json::to_string_pretty(&value)?);
    Ok(())
}

fn file_system(path: &Path) -> Result<Value> {
    let mut file = File::open(path)?;
    let volume = Volume::read(&mut file)?;
    let records: Vec<String> = volume.walk(&mut file)?.into_iter().map(|l| l.path).collect();
    let descriptors: Vec<Value> = volume.descriptors().iter().map(descriptor).collect();
    Ok(json!({"header": {"descriptors": descriptors}, "records": records}))
}

fn descriptor(descriptor: &Descriptor) -> Value {
    match descriptor {
        Descriptor::Boot { boot_system_id, boot_id } => {
            json!({"type": "boot", "boot_system_id": boot_system_id, "boot_id": boot_id})
        }
        Descriptor::Primary(primary) => json!({
            "type": "primary",
            "system_id": primary.system_id,
            "volume_id": primary.volume_id,
            "volume_space_size": primary.volume_space_size,
            "root": {
                "name": ".",
                "address": primary.root.offset / crate::iso::volume::SECTOR,
                "length": primary.root.length,
            },
        }),
        Descriptor::Supplementary { .. } => json!({"type": "supplementary"}),
        Descriptor::Unknown { type_id } => json!({"type": "unknown", "type_id": type_id}),
    }
}

/// Lists the regular files of an initramfs.
pub fn show_initrd(args: &ShowInitrdArgs) -> Result<()> {
    let mut names = BTreeSet::new();
    initrd::walk(open(&args.initrd)?, &mut |member, _content| {
        if fits(&args.patterns, &member.path) {
            names.insert(member.path.clone());
        }
        if names.len() > MOST_FILES {
            bail!("it has more than {MOST_FILES} files");
        }
        Ok(())
    })?;
    names.iter().for_each(term::result);
    Ok(())
}

/// Writes the regular files of an initramfs into a directory.
pub fn extract_initrd(args: &ExtractInitrdArgs) -> Result<()> {
    let mut written = BTreeSet::new();
    initrd::walk(open(&args.initrd)?, &mut |member, content| {
        if !fits(&args.patterns, &member.path) {
            return Ok(());
        }
        let relative = Path::new(&member.path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("{} contains path traversal", member.path);
        }
        let path = args.directory.join(relative);
        let first = written.insert(member.path.clone());
        let mut write = || -> Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(&args.directory))?;
            let mut file = if first { File::create_new(&path) } else { File::create(&path) }?;
            io::copy(content, &mut file)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    })?;
    if args.verbose {
        written.iter().for_each(|path| term::result(args.directory.join(path).display()));
    }
    Ok(())
}

fn fits(patterns: &[glob::Pattern], path: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(path))
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(file))
}
