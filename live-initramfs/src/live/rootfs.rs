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

use super::source::{Appended, IN_RAM, ISO_MOUNT, Keep, Source};
use super::{Image, command_line, existing, iso, ram};
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
        Source::Url(url) => from_url(&image, &url),
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
    let size = from.metadata().with_context(|| format!("cannot read {}", rootfs.display()))?.len();
    console::say("Copying the live system into memory.");
    let damaged = "the medium may be damaged: write it again, or use another one";
    store(&mut BufReader::new(from), size).hint(damaged)?;
    umount(ISO_MOUNT).with_context(|| format!("cannot unmount {ISO_MOUNT}"))?;
    console::say("The live system is in memory; the medium can be taken out.");
    Ok(())
}

fn from_url(_image: &Image, url: &str) -> Result<()> {
    Err(anyhow!("cannot fetch {url}"))
}

/// Writes a rootfs of `size` bytes to its place in RAM, no byte of it before it was verified.
fn store(from: &mut impl Read, size: u64) -> Result<()> {
    let hash = wanted()?;
    let place = Path::new(IN_RAM);
    if let Some(dir) = place.parent() {
        ram::reserve(dir, size)?;
    }
    let mut to = File::create(place).with_context(|| format!("cannot create {IN_RAM}"))?;
    io::copy(&mut hash.verify(from), &mut to).context("cannot read the root file system")?;
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
