//! `initrd.img`: the initramfs of the commit, and an archive that makes it that of a live system.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use nestos_formats::cpio;
use nestos_formats::live_media::{Features, Flavour, INIT, INIT_SCRIPT};
use nestos_formats::stream_hash::StreamHash;

const MODE: u32 = 0o644;
const PROGRAM_MODE: u32 = 0o755;

/// Writes the initramfs for a build and the rootfs with these digests.
pub(crate) fn write(initramfs: &Path, build: &str, rootfs: &StreamHash, out: &Path) -> Result<()> {
    let stamps = stamps(build, rootfs).context("cannot make the archive with the stamps")?;
    let write = || -> std::io::Result<()> {
        let length = fs::copy(initramfs, out)?;
        let mut file = File::options().append(true).open(out)?;
        file.write_all(&stamps)?;
        // Whoever appends an archive that is not compressed finds the place that the kernel wants.
        let end = length + stamps.len() as u64;
        let missing = usize::try_from(end.wrapping_neg() % cpio::ALIGNMENT).unwrap_or_default();
        file.write_all(&[0; 4][..missing])
    };
    write().with_context(|| format!("cannot write {}", out.display()))
}

fn stamps(build: &str, rootfs: &StreamHash) -> Result<Vec<u8>> {
    let of = Flavour::Nestos;
    let features = serde_json::to_string_pretty(&Features::current())? + "\n";
    let (build, rootfs) = (format!("{build}\n"), rootfs.to_string());
    let archive = cpio::archive([
        (of.initrd_features().as_str(), MODE, features.as_bytes()),
        (of.initrd_stamp().as_str(), MODE, build.as_bytes()),
        (of.want_rootfs().as_str(), MODE, rootfs.as_bytes()),
        (INIT, PROGRAM_MODE, INIT_SCRIPT.as_bytes()),
    ])?;
    // Of the formats that every kernel unpacks.
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::best());
    packed.write_all(&archive)?;
    Ok(packed.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_stamps_follow_the_initramfs_and_all_is_padded() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("initramfs"), "initramfs").unwrap();
        let hash = StreamHash::of(&b"rootfs"[..]).unwrap();
        write(&path("initramfs"), "24.03", &hash, &path("out")).unwrap();
        let bytes = fs::read(path("out")).unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let rest = bytes.strip_prefix(b"initramfs").unwrap();
        let mut archive = cpio::Reader::new(flate2::read::GzDecoder::new(rest));
        let mut files = Vec::new();
        while let Some(member) = archive.next_member().unwrap() {
            let mut text = String::new();
            archive.read_to_string(&mut text).unwrap();
            files.extend(member.is_file().then_some((member.path, text)));
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "etc/nestos/features.json",
                "etc/nestos-live-initramfs",
                "etc/nestos-live-want-rootfs",
                "init",
            ]
        );
        assert!(files[0].1.contains("\"installer-config\": true"));
        assert_eq!(files[1].1, "24.03\n");
        assert_eq!(files[2].1, hash.to_string());
    }
}
