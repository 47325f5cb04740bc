//! `nosa compress`: compressed copies of images beside them, made for fast installations. zstd
//! files are made of independent frames and xz files of independent blocks, all of which say how
//! much they hold, so that installers decode them on all processors. The same input gives the
//! same output, whatever the number of threads.

mod encode;

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::builds::Meta;
use nestos_host::clock;
use nestos_host::term::{self, WithHint};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli;
use crate::digest::sha256_of;
use crate::workdir::WorkDir;

pub(crate) use encode::Format;
use encode::Settings;

/// Endings of images that are compressed when a build is.
const IMAGES: [&str; 2] = ["raw", "qcow2"];

/// Key of an image in meta.json with its compressed copies, by format.
const COMPRESSED: &str = "compressed";

const BUFFER: usize = 1024 * 1024;

/// Whether a file that is there is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

/// Whether what was written is decompressed and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Yes,
    No,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
struct Request {
    settings: Settings,
    existing: Existing,
    check: Check,
}

/// A compressed copy.
#[derive(Debug)]
struct Copy {
    path: PathBuf,
    sha256: String,
    size: u64,
    /// Digest of the image.
    plain: String,
}

/// Compresses files, or the images of a build.
pub(crate) fn run(workdir: &Path, arch: &str, args: &cli::Compress) -> Result<()> {
    let request = Request {
        settings: Settings::new(args.format, args.level, args.threads)?,
        existing: if args.force { Existing::Replace } else { Existing::Refuse },
        check: if args.no_verify { Check::No } else { Check::Yes },
    };
    if !args.files.is_empty() {
        return args.files.iter().try_for_each(|file| compress(file, &request).map(drop));
    }
    let workdir = WorkDir::open(workdir)?;
    let _lock = workdir.lock()?;
    let builds = workdir.builds()?;
    let mut of_arch = builds.builds.iter().filter(|b| b.arches.iter().any(|a| a == arch));
    let id = match &args.build {
        Some(id) => Some(id),
        None => of_arch.next().map(|build| &build.id),
    };
    let id = id.ok_or_else(|| anyhow!("there is no build yet")).hint("run nosa build first")?;
    of_build(&workdir, workdir.meta(id, arch)?, arch, &request)
}

fn of_build(workdir: &WorkDir, mut meta: Meta, arch: &str, request: &Request) -> Result<()> {
    let dir = workdir.build_dir(&meta.buildid, arch);
    let is_image = |path: &str| IMAGES.iter().any(|end| path.ends_with(&format!(".{end}")));
    let found = meta.images.values().filter(|image| is_image(&image.path)).count();
    if found == 0 {
        return Err(anyhow!("build {} has no image to compress", meta.buildid))
            .hint("make one, for example: nosa build metal");
    }
    let format = request.settings.format();
    for image in meta.images.values_mut().filter(|image| is_image(&image.path)) {
        let copy = compress(&dir.join(&image.path), request)?;
        if copy.plain != image.sha256 {
            // What cannot be vouched for must not lie beside the rest.
            fs::remove_file(&copy.path)
                .with_context(|| format!("cannot remove {}", copy.path.display()))?;
            bail!("{} is not the image that meta.json describes", image.path);
        }
        let name = copy.path.file_name().unwrap_or_default().to_string_lossy();
        let entry = json!({"path": name, "sha256": copy.sha256, "size": copy.size});
        let copies = image.other.entry(COMPRESSED.to_owned()).or_insert_with(|| json!({}));
        if let Some(copies) = copies.as_object_mut() {
            copies.insert(format.to_string(), entry);
        }
    }
    workdir.write_meta(&meta, arch)
}

/// Writes the compressed copy of a file, which has its name only once it is complete.
fn compress(path: &Path, request: &Request) -> Result<Copy> {
    let target = target(path, request)?;
    let start = clock::instant();
    let failed = || format!("cannot compress {}", path.display());
    let plain = File::open(path).with_context(failed)?;
    let before = plain.metadata().with_context(failed)?.len();
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut fresh = tempfile::Builder::new();
    let fresh = fresh.prefix(".nosa-compress-").permissions(mode).tempfile_in(dir);
    let fresh = fresh.with_context(|| format!("cannot create a file in {}", dir.display()))?;
    let mut hashing = Hashing { from: plain, hash: Sha256::new() };
    let mut to = BufWriter::with_capacity(BUFFER, fresh.as_file());
    let encoded = request.settings.encode(&mut hashing, &mut to).and_then(|()| to.flush());
    drop(to);
    encoded.with_context(failed)?;
    fresh.as_file().sync_all().with_context(failed)?;
    let plain = format!("{:x}", hashing.hash.finalize());
    if request.check == Check::Yes {
        check(fresh.path(), request.settings.format(), &plain)
            .with_context(|| format!("cannot verify {}", target.display()))?;
    }
    let (sha256, size) = (sha256_of(fresh.path())?, fresh.as_file().metadata()?.len());
    let placed = match request.existing {
        Existing::Replace => fresh.persist(&target),
        Existing::Refuse => fresh.persist_noclobber(&target),
    };
    placed.with_context(|| format!("cannot write {}", target.display()))?;
    let percent = size * 100 / before.max(1);
    term::status(format!(
        "{}: {size} bytes, {percent}% of {before}, in {} s",
        target.display(),
        clock::instant().duration_since(start).as_secs()
    ));
    Ok(Copy { path: target, sha256, size, plain })
}

fn target(path: &Path, request: &Request) -> Result<PathBuf> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| anyhow!("{} is not a file", path.display()))?;
    if Format::ALL.iter().any(|format| name.ends_with(&format!(".{format}"))) {
        bail!("{} is compressed already, as its name says", path.display());
    }
    let target = path.with_file_name(format!("{name}.{}", request.settings.format()));
    if request.existing == Existing::Refuse && target.symlink_metadata().is_ok() {
        return Err(anyhow!("{} exists", target.display())).hint("replace it with --force");
    }
    Ok(target)
}

/// Decompresses a file and compares.
fn check(path: &Path, format: Format, plain: &str) -> Result<()> {
    let file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let mut decoder = encode::decoder(format, file)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        let n = decoder.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    if format!("{:x}", hash.finalize()) != plain {
        bail!("it does not decompress to what it was made from");
    }
    Ok(())
}

/// Digests what is read.
struct Hashing {
    from: File,
    hash: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.from.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}
