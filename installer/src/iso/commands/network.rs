//! `iso network`: keyfiles of the live system, in the image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_host::term;

use super::Change;
use crate::cli::{IsoChangeArgs, IsoNetworkEmbedArgs, IsoNetworkExtractArgs};
use crate::customize::keyfiles;
use crate::initrd::Members;
use crate::iso::live_iso::{Access, LiveIso};
use crate::iso::patch::new_file;
use crate::stdout;

/// Keyfiles hold passwords.
const MODE: u32 = 0o600;

pub(super) fn embed(args: IsoNetworkEmbedArgs) -> Result<()> {
    let mut change = Change::open(args.change)?;
    if !change.iso.features().live_initrd_network {
        bail!("This OS image does not support customizing network settings.");
    }
    let mut members = change.iso.members()?;
    let directory = change.iso.flavour().firstboot_network();
    if members.below(&directory).next().is_some() && !args.force {
        bail!("This ISO image already has embedded network settings; use -f to force.");
    }
    let prefix = format!("{directory}/");
    members.retain(|path| !path.starts_with(&prefix));
    for file in keyfiles(&args.keyfile)? {
        members.insert(format!("{prefix}{}", file.name), file.bytes);
    }
    let patch = change.iso.embed(&members)?;
    change.write(vec![patch])
}

pub(super) fn extract(args: &IsoNetworkExtractArgs) -> Result<()> {
    let mut iso = LiveIso::open(&args.iso, Access::Read)?;
    let members = iso.members()?;
    let directory = iso.flavour().firstboot_network();
    give_out(&members, &[directory], args.directory.as_deref())
}

pub(super) fn remove(args: IsoChangeArgs) -> Result<()> {
    let mut change = Change::open(args)?;
    let mut members = change.iso.members()?;
    let prefix = format!("{}/", change.iso.flavour().firstboot_network());
    members.retain(|path| !path.starts_with(&prefix));
    let patch = change.iso.embed(&members)?;
    change.write(vec![patch])
}

/// Writes the keyfiles of an initramfs into a directory, or prints them.
pub(crate) fn give_out(
    members: &Members,
    directories: &[String],
    target: Option<&Path>,
) -> Result<()> {
    let files: Vec<(&str, &[u8])> =
        directories.iter().flat_map(|directory| members.below(directory)).collect();
    if files.is_empty() {
        bail!("No embedded network settings.");
    }
    let Some(target) = target else {
        let mut text = Vec::new();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            text.extend(format!("{gap}########## {name} ##########\n").bytes());
            text.extend(*bytes);
            if !bytes.ends_with(b"\n") {
                text.push(b'\n');
            }
        }
        return stdout::write(&text);
    };
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    for (name, bytes) in files {
        if name.contains('/') || name.is_empty() || name == ".." {
            bail!("{name:?} cannot name a keyfile");
        }
        let path = target.join(name);
        new_file(&path, MODE, |file| Ok(std::io::Write::write_all(file, bytes)?))?;
        term::result(path.display());
    }
    Ok(())
}
