//! `rootfs.img`: an archive that the kernel unpacks when it is appended to the initramfs. The
//! squashfs comes first, so that the live ISO can mount it at its place in the archive.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::cpio::{Content, Writer};
use nestos_formats::live_media::{Flavour, ROOT_SQUASHFS};
use nestos_formats::stream_hash::{Hasher, StreamHash};

const MODE: u32 = 0o644;
const BUFFER: usize = 1 << 20;

/// Where the content of the archive is, in its order.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    /// The squashfs.
    pub(crate) squashfs: &'a Path,
    /// Build id, by which an initramfs knows its rootfs.
    pub(crate) build: &'a str,
    /// Descriptions of the metal images: names in the archive, and files.
    pub(crate) osmet: &'a [(String, std::path::PathBuf)],
}

/// Writes the archive and returns the digests by which it is checked when it is fetched.
pub(crate) fn write(contents: &Contents<'_>, out: &Path) -> Result<StreamHash> {
    let write = || -> Result<StreamHash> {
        let file = BufWriter::with_capacity(BUFFER, File::create(out)?);
        let mut archive = Writer::new(Hashing { file, hash: Hasher::new() });
        add(&mut archive, ROOT_SQUASHFS, contents.squashfs)?;
        let stamp = format!("{}\n", contents.build);
        archive.file(&Flavour::Nestos.rootfs_stamp(), MODE, stamp.as_bytes())?;
        for (name, file) in contents.osmet {
            add(&mut archive, name, file)?;
        }
        let Hashing { mut file, hash } = archive.finish()?;
        file.flush()?;
        Ok(hash.finish())
    };
    write().with_context(|| format!("cannot write {}", out.display()))
}

fn add(archive: &mut Writer<impl Write>, name: &str, path: &Path) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let length = file.metadata().with_context(failed)?.len();
    let from = BufReader::with_capacity(BUFFER, file);
    archive.stream(name, MODE, Content { length, from }).with_context(failed)
}

/// Writes and digests at once.
struct Hashing<W> {
    file: W,
    hash: Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_formats::cpio::Reader;
    use nestos_formats::live_media::ROOT_SQUASHFS_AT;

    #[test]
    fn the_squashfs_is_where_the_iso_mounts_it_and_the_hash_is_that_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("fs"), "hsqs and so on").unwrap();
        std::fs::write(path("osmet"), "description").unwrap();
        let osmet = [("n-1-metal.raw.osmet".to_owned(), path("osmet"))];
        let contents = Contents { squashfs: &path("fs"), build: "1", osmet: &osmet };
        let hash = write(&contents, &path("out")).unwrap();
        let bytes = std::fs::read(path("out")).unwrap();
        assert_eq!(hash, StreamHash::of(&bytes[..]).unwrap());
        assert!(bytes[usize::try_from(ROOT_SQUASHFS_AT).unwrap()..].starts_with(b"hsqs"));
        let mut reader = Reader::new(&bytes[..]);
        let mut names = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            names.push(member.path);
        }
        assert_eq!(
            names,
            ["root.squashfs", "etc", "etc/nestos-live-rootfs", "n-1-metal.raw.osmet"]
        );
    }
}
