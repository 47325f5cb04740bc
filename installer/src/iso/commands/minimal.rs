//! `iso extract minimal-iso`: the image without its root file system, which then comes over the
//! network. What it finds its root by changes, so that the medium is not waited for.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::live_media::{Flavour, LiveOption, ROOTFS};
use nestos_formats::miniso::{LIMIT, Miniso, MinisoError};
use nestos_host::term::WithHint;
use reqwest::Url;
use serde_json::{Map, Value};

use super::extract::copy;
use crate::cli::IsoExtractMinimalArgs;
use crate::iso::kargs_edit::{KargsEdit, split};
use crate::iso::live_iso::{Access, LiveIso, read_extent};
use crate::iso::patch::{self, Output, Patch, Secrecy, new_file};
use crate::miniso;

/// Servers run as other users.
const MODE: u32 = 0o644;

pub(super) fn run(args: &IsoExtractMinimalArgs) -> Result<()> {
    let output = Output::new(Some(args.output.clone()));
    output.check()?;
    if let Some(path) = &args.output_rootfs {
        Output::File(path.clone()).check()?;
    }
    let mut iso = LiveIso::open(&args.iso, Access::Read)?;
    let mut extract = || -> Result<()> {
        let miniso = description(&mut iso)?;
        let mut minimal = temporary(&args.output)?;
        miniso::cut(&miniso, iso.file(), minimal.as_file_mut())?;
        // Whoever may read the image may read this one.
        let mode = iso.file().metadata()?.permissions().mode() & 0o666;
        minimal.as_file().set_permissions(Permissions::from_mode(mode))?;
        let patches = changes(minimal.path(), args.rootfs_url.as_ref())?;
        let (path, file) = (minimal.path().to_owned(), minimal.as_file_mut());
        patch::write((&path, file), patches, &output, Secrecy::AsSource)?;
        if let Some(path) = &args.output_rootfs {
            let (volume, file) = iso.parts();
            let rootfs = volume.find_file(file, ROOTFS)?;
            let rootfs = rootfs.with_context(|| format!("the ISO image has no {ROOTFS}"))?;
            new_file(path, MODE, |target| copy(file, rootfs, target))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    };
    extract().with_context(|| format!("cannot make a minimal ISO image of {}", args.iso.display()))
}

/// Reads what the image says of its minimal one.
fn description(iso: &mut LiveIso) -> Result<Miniso> {
    if iso.is_customised()? {
        return Err(anyhow!("Cannot operate on ISO with embedded customizations.")).hint(format!(
            "take the image as it was made: nestos-installer iso reset {}",
            iso.path().display()
        ));
    }
    let none = |title: &str| {
        anyhow!("This {title} image does not support extracting a minimal ISO image.")
    };
    let flavour = iso.flavour();
    let (volume, file) = iso.parts();
    let area = volume.find_file(file, &flavour.miniso())?;
    let area = area.filter(|area| area.length <= LIMIT as u64);
    let bytes = read_extent(file, area.ok_or_else(|| none(flavour.title()))?)?;
    Miniso::parse(&bytes).map_err(|e| match e {
        MinisoError::Magic => none(flavour.title()),
        other => other.into(),
    })
}

fn temporary(output: &Path) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".nestos-installer-");
    match output.parent() {
        Some(dir) if output != Path::new("-") && !dir.as_os_str().is_empty() => {
            builder.tempfile_in(dir)
        }
        Some(_) if output != Path::new("-") => builder.tempfile_in("."),
        _ => builder.tempfile(),
    }
    .context("cannot make a temporary file")
}

/// Returns what changes in a minimal image: its root is not on the medium, but at a URL. The URL
/// is none of the defaults, so that it goes when the image is reset.
fn changes(minimal: &Path, url: Option<&Url>) -> Result<Vec<Patch>> {
    let mut iso = LiveIso::open(minimal, Access::Read)?;
    let flavour = iso.flavour();
    let areas = iso.need_kargs()?;
    let default = without_medium(areas.default_kargs());
    let mut edit = KargsEdit::default();
    if let Some(url) = url {
        edit.append.push(format!("{}={url}", flavour.karg(LiveOption::RootfsUrl)).parse()?);
    }
    let mut patches = areas.fill(&edit.apply(&default).0)?;
    let (volume, file) = iso.parts();
    // Older images keep their defaults where they cannot be told apart from other bytes.
    if let Some(extent) = volume.find_file(file, &flavour.kargs())? {
        let mut info: Map<String, Value> = serde_json::from_slice(&read_extent(file, extent)?)?;
        info.insert("default".to_owned(), Value::String(default));
        let mut bytes = serde_json::to_vec(&info)?;
        let length = usize::try_from(extent.length)?;
        if bytes.len() > length {
            return Err(anyhow!("{} became too long", flavour.kargs()));
        }
        bytes.resize(length, b' ');
        patches.push(Patch { at: extent.offset, bytes });
    }
    Ok(patches)
}

fn without_medium(kargs: &str) -> String {
    let prefixes = Flavour::ALL.map(|flavour| format!("{}=", flavour.karg(LiveOption::LiveIso)));
    let mut words = split(kargs);
    words.retain(|word| !prefixes.iter().any(|prefix| word.starts_with(prefix)));
    words.join(" ")
}
