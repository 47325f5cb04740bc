//! Provides the file with the root file system, wherever it comes from, and makes sure that it
//! belongs to this kernel and initramfs before anything of it is mounted.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::command_line::CommandLine;
use nestos_formats::cpio;
use nestos_formats::live_media::{self, Flavour};
use nestos_formats::stream_hash::StreamHash;
use nestos_host::term::{Hint, WithHint};
use nix::mount::umount;

use super::remote::Progress;
use super::source::{Appended, IN_RAM, ISO_MOUNT, Keep, Source};
use super::{Image, command_line, existing, iso, ram, remote};
use crate::console;

/// Longest stamp that is read.
const STAMP: u64 = 4096;

/// Does what the kernel command line asks for; the error was shown on every console.
pub(crate) fn provide() -> Result<()> {
    provided().map_err(console::report)
}

fn provided() -> Result<()> {
    let image = Image::own()?;
    let line = CommandLine::parse(&command_line::read()?);
    match Source::of(&line, Appended::look()) {
        Source::Appended => {
            let stamp = existing(Flavour::rootfs_stamp).map(fs::read_to_string);
            let stamp = stamp.transpose().context("cannot read the stamp of the rootfs")?;
            image.check_rootfs(stamp.as_deref(), "the rootfs that was appended to the initramfs")
        }
        Source::Iso { label, keep } => from_iso(&image, &label, keep),
        Source::Url(url) => from_url(&url),
        Source::Nowhere => Err(nowhere()),
    }
}

fn nowhere() -> anyhow::Error {
    anyhow!("no root file system: nothing says where it is")
        .context(Hint::new(
            "started over the network: append the rootfs to the initramfs (iPXE: a second initrd \
             line; PXELINUX: initrd=INITRAMFS,ROOTFS), or add nestos.live.rootfs_url=URL",
        ))
        .context(Hint::new("started from an ISO: add nestos.liveiso=LABEL with the volume's label"))
        .context("cannot start the live system")
}

fn from_iso(image: &Image, label: &str, keep: Keep) -> Result<()> {
    let rootfs = iso::mount_volume(label)?;
    let stamp = rootfs_stamp(&rootfs)?;
    image.check_rootfs(stamp.as_deref(), &format!("the rootfs of the medium {label}"))?;
    if keep == Keep::Medium {
        return Ok(());
    }
    let from = File::open(&rootfs).with_context(|| format!("cannot open {}", rootfs.display()))?;
    console::say("Copying the live system into memory.");
    let damaged = "the medium may be damaged: write it again, or use another one";
    let hash = wanted()?;
    reserve(&hash)?;
    store(&hash, BufReader::new(from)).hint(damaged)?;
    umount(ISO_MOUNT).with_context(|| format!("cannot unmount {ISO_MOUNT}"))?;
    console::say("The live system is in memory; the medium can be taken out.");
    Ok(())
}

fn from_url(url: &str) -> Result<()> {
    let hash = wanted()?;
    reserve(&hash)?;
    // A password or a query may open doors.
    let shown = nestos_fetch::parse_url(url)
        .map_or_else(|_tftp| url.to_owned(), |url| nestos_fetch::shown(&url));
    console::say(&format!("Fetching the root file system from {shown}"));
    let file = remote::open(url)?;
    if let Some(length) = file.length {
        check_length(&hash, length).with_context(|| format!("cannot use {shown}"))?;
    }
    let wrong = "nestos.live.rootfs_url= must lead to the rootfs of the build that kernel and \
                 initramfs are of";
    store(&hash, file.from).hint(wrong).with_context(|| format!("cannot use {shown}"))?;
    console::say("The root file system is here.");
    Ok(())
}

/// Makes room for the largest rootfs with this stream hash.
fn reserve(hash: &StreamHash) -> Result<()> {
    let place = Path::new(IN_RAM);
    place.parent().map_or(Ok(()), |dir| ram::reserve(dir, most(hash)))
}

/// Returns the length that no rootfs with this stream hash exceeds.
fn most(hash: &StreamHash) -> u64 {
    (hash.chunks() as u64).saturating_mul(hash.chunk() as u64)
}

/// Refuses what cannot be the rootfs before any of it is fetched.
fn check_length(hash: &StreamHash, length: u64) -> Result<()> {
    let most = most(hash);
    let least = most.saturating_sub(hash.chunk() as u64);
    if length > least && length <= most {
        return Ok(());
    }
    Err(anyhow!("it has {length} bytes, but the rootfs of this build has {} to {most}", least + 1))
        .hint("take kernel, initramfs and rootfs of one and the same build")
}

/// Writes a rootfs to its place in RAM, no byte of it before it was verified.
fn store(hash: &StreamHash, from: impl Read) -> Result<()> {
    let mut to = File::create(IN_RAM).with_context(|| format!("cannot create {IN_RAM}"))?;
    let verified = hash.verify(Progress::new(from, most(hash)));
    io::copy(&mut { verified }, &mut to).context("cannot take over the root file system")?;
    to.flush().with_context(|| format!("cannot write {IN_RAM}"))
}

/// Returns the stream hash that the initramfs demands of a rootfs.
fn wanted() -> Result<StreamHash> {
    let path = existing(Flavour::want_rootfs).context(
        "the initramfs has no stream hash (etc/nestos-live-want-rootfs) to verify a rootfs with",
    )?;
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is damaged", path.display()))
}

/// Returns the stamp behind the squashfs in a rootfs archive.
pub(super) fn rootfs_stamp(path: &Path) -> Result<Option<String>> {
    let mut stamp = None;
    after_squashfs(path, |member, content| {
        if Flavour::ALL.iter().any(|f| f.rootfs_stamp() == member.path) {
            let mut text = String::new();
            content.take(STAMP).read_to_string(&mut text)?;
            stamp = Some(text);
        }
        Ok(())
    })?;
    Ok(stamp)
}

/// Calls `each` with the members of a rootfs archive that follow the squashfs, which is skipped
/// without reading it.
pub(super) fn after_squashfs(
    path: &Path,
    mut each: impl FnMut(&cpio::Member, &mut dyn Read) -> io::Result<()>,
) -> Result<()> {
    let read = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(read)?;
    let mut first = cpio::Reader::new(&mut file);
    let squashfs = first.next_member().with_context(read)?;
    let (at, Some(squashfs)) = (first.position(), squashfs) else {
        return Err(anyhow!("{} is empty", path.display()));
    };
    if squashfs.path != live_media::ROOT_SQUASHFS || at != live_media::ROOT_SQUASHFS_AT {
        return Err(anyhow!("{} does not begin with root.squashfs at byte 124", path.display()));
    }
    let next = (at + squashfs.size).next_multiple_of(cpio::ALIGNMENT);
    file.seek(SeekFrom::Start(next)).with_context(read)?;
    let mut rest = cpio::Reader::new(BufReader::new(file));
    while let Some(member) = rest.next_member().with_context(read)? {
        each(&member, &mut rest).with_context(read)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rootfs(dir: &Path, members: &[(&str, &[u8])]) -> std::path::PathBuf {
        let path = dir.join("rootfs.img");
        let mut writer = cpio::Writer::new(File::create(&path).unwrap());
        for (name, bytes) in members {
            writer.file(name, 0o644, bytes).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn a_length_that_cannot_be_right_is_refused_before_anything_is_fetched() {
        let hash = StreamHash::of(&vec![1; nestos_formats::stream_hash::CHUNK + 1][..]).unwrap();
        check_length(&hash, 2_097_153).unwrap();
        check_length(&hash, 4_194_304).unwrap();
        for wrong in [0, 2_097_152, 4_194_305] {
            let err = check_length(&hash, wrong).unwrap_err();
            assert!(format!("{err:#}").contains("has 2097153 to 4194304"), "{err:#}");
        }
    }

    #[test]
    fn the_stamp_is_found_behind_the_squashfs() {
        let dir = tempfile::tempdir().unwrap();
        let members: [(&str, &[u8]); 3] =
            [("root.squashfs", b"hsqs!"), ("etc/nestos-live-rootfs", b"1.2\n"), ("a.osmet", b"x")];
        let path = rootfs(dir.path(), &members);
        assert_eq!(rootfs_stamp(&path).unwrap().as_deref(), Some("1.2\n"));
        let path = rootfs(dir.path(), &members[..1]);
        assert_eq!(rootfs_stamp(&path).unwrap(), None);
        let path = rootfs(dir.path(), &members[1..]);
        assert!(rootfs_stamp(&path).unwrap_err().to_string().contains("byte 124"));
    }
}
