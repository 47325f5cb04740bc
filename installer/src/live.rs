//! The image that a live medium carries for installing: the one seam to the live system.

use std::fs;
use std::path::{Path, PathBuf};

use nestos_host::gpt_disk::SectorSize;

/// Where a live system offers its image, in order of preference.
pub const DIRECTORIES: [&str; 3] =
    ["/run/nestos-installer", "/run/media/iso/images", "/run/media/iso/nestos"];

/// What the name of an image for sectors of 4096 bytes contains.
const LARGE_SECTORS: &str = "4k";

/// Returns the live medium's image for a size of sectors: the first file in [`DIRECTORIES`] whose
/// name contains `.raw`, and `4k` if the sectors have 4096 bytes.
pub fn image(sectors: SectorSize) -> Option<PathBuf> {
    DIRECTORIES.iter().find_map(|dir| image_in(Path::new(dir), sectors))
}

fn image_in(dir: &Path, sectors: SectorSize) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?.flatten().map(|e| e.path());
    let fits = |path: &PathBuf| path.file_name().is_some_and(|name| is_image_name(name, sectors));
    let mut images: Vec<PathBuf> = entries.filter(|p| p.is_file() && fits(p)).collect();
    images.sort();
    images.into_iter().next()
}

/// Signatures and digests lie beside an image and are none.
fn is_image_name(name: &std::ffi::OsStr, sectors: SectorSize) -> bool {
    let name = name.to_string_lossy();
    let image = name.contains(".raw");
    let beside = [".sig", ".asc", ".sha256"].iter().any(|end| name.ends_with(end));
    image && !beside && name.contains(LARGE_SECTORS) == (sectors == SectorSize::S4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_by_name_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(image_in(dir.path(), SectorSize::S512), None);
        for name in ["b.raw.xz", "a.raw.xz.sig", "c.raw", "a.txt", "a-metal4k.raw"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        for (sectors, name) in
            [(SectorSize::S512, "b.raw.xz"), (SectorSize::S4096, "a-metal4k.raw")]
        {
            assert_eq!(image_in(dir.path(), sectors), Some(dir.path().join(name)));
        }
    }
}
