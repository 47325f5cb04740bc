//! `pack osmet`: describes a disk image by the objects of the system in it.
//!
//! The file system says where objects are in the image, and the bytes there are compared with the
//! objects. What is left is searched for bytes of objects once more, because the boot partitions
//! have copies of some. The rest is compressed. In the end the image is put together again, and
//! only if its digest is right there is a file.

mod mapping;
mod search;
mod source;
mod write;

use std::fs::{File, Permissions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::osmet::{Head, Image, Mapping, Osmet, Partition};
use nestos_host::loopdev::LoopDevice;
use nestos_host::{mount, term};
use sha2::{Digest as _, Sha256};

use self::mapping::Mapped;
use self::source::Source;
use super::{Rebuild, Repository};
use crate::cli::PackOsmetArgs;
use crate::digest::Digest;

/// Where the repository is in a system's root file system.
const REPOSITORY: &str = "/ostree/repo";

/// What to pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRequest {
    /// The image: a file or a device.
    pub image: PathBuf,
    /// The osmet file.
    pub output: PathBuf,
    /// The digest of the image.
    pub digest: Digest,
    /// Name and version of the system.
    pub description: String,
    /// How hard to compress.
    pub effort: Effort,
}

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Small.
    Small,
    /// Fast.
    Fast,
}

impl From<PackOsmetArgs> for PackRequest {
    fn from(args: PackOsmetArgs) -> Self {
        Self {
            image: args.image,
            output: args.output,
            digest: args.checksum,
            description: args.description,
            effort: if args.fast { Effort::Fast } else { Effort::Small },
        }
    }
}

/// Writes the osmet file of an image.
pub fn pack(request: &PackRequest) -> Result<()> {
    let source = Source::open(&request.image)?;
    let dir = request.output.parent().filter(|dir| !dir.as_os_str().is_empty());
    let create = || {
        tempfile::Builder::new()
            .prefix(".nestos-osmet-")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(dir.unwrap_or(Path::new(".")))
    };
    let cannot_write = || format!("cannot write {}", request.output.display());
    let output = create().with_context(cannot_write)?;
    let device = source.attach_root()?;
    let packed = pack_mounted(&source, &device, request, output.as_file())
        .with_context(|| format!("cannot pack {}", request.image.display()))?;
    output.as_file().sync_all().with_context(cannot_write)?;
    output.persist(&request.output).with_context(cannot_write)?;
    term::status(format!(
        "{} of {} bytes are in objects; {} describe the image",
        packed.mapped, packed.size, packed.written
    ));
    Ok(())
}

struct Packed {
    mapped: u64,
    size: u64,
    written: u64,
}

/// Packs while the image's root is mounted; the directories of this system cannot be seen then.
fn pack_mounted(
    source: &Source,
    device: &LoopDevice,
    request: &PackRequest,
    output: &File,
) -> Result<Packed> {
    mount::inside_read_only(device.path(), source.fstype, || {
        let repository = Repository::at(Path::new(REPOSITORY));
        let mut mapped = mapping::objects(source, &repository)?;
        mapped.extend(search::search(source, &mapped)?);
        let osmet = describe(source, request, mapping::canonical(mapped))?;
        let image = osmet.image();
        let digest = write::write(source, &osmet, request.effort, output)?;
        if digest != request.digest {
            bail!("the image has the digest {digest}, but {} was given", request.digest);
        }
        let written = output.metadata()?.len();
        check(output, repository)?;
        Ok(Packed { mapped: image.mapped(), size: image.size, written })
    })
}

fn describe(source: &Source, request: &PackRequest, mapped: Vec<Mapped>) -> Result<Osmet> {
    let head = Head {
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        sector_size: source.table.sector_size().bytes(),
        description: request.description.clone(),
        architecture: source.architecture.clone(),
    };
    let mut parts: Vec<_> = source.table.partitions().iter().collect();
    parts.sort_by_key(|p| p.start);
    let inside = |start: u64, end: u64| {
        let inside = mapped.iter().filter(move |m| start <= m.at && m.end() <= end);
        let relative = inside.map(move |m| Mapping {
            physical: m.at - start,
            logical: m.logical,
            length: m.length,
            object: m.object,
        });
        Partition { start, end, mappings: relative.collect() }
    };
    let partitions = parts.iter().map(|p| inside(p.start, p.end()));
    let partitions: Vec<_> = partitions.filter(|p| !p.mappings.is_empty()).collect();
    if partitions.is_empty() {
        bail!("no object of {REPOSITORY} in its root partition is in the image as it is");
    }
    let digest = request.digest.bytes();
    Ok(Osmet::new(head, Image { partitions, digest, size: source.size })?)
}

/// Puts the image together again.
fn check(mut output: &File, repository: Repository) -> Result<()> {
    output.seek(SeekFrom::Start(0))?;
    let mut image = Rebuild::start(output.try_clone()?, repository)?;
    let mut hash = Sha256::new();
    while let Some(chunk) = image.next_chunk().context("cannot put the image together again")? {
        hash.update(&chunk[..]);
    }
    let digest = Digest::from(<[u8; 32]>::from(hash.finalize()));
    if digest != image.digest() {
        bail!("put together again, the image has the digest {digest}");
    }
    Ok(())
}
