//! The image that a live medium carries for installing: the one seam to the live system.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a live system offers its image, in order of preference.
pub const DIRECTORIES: [&str; 3] =
    ["/run/nestos-installer", "/run/media/iso/images", "/run/media/iso/nestos"];

/// Returns the live medium's image: the first file in [`DIRECTORIES`] whose name contains
/// `.raw`.
pub fn image() -> Option<PathBuf> {
    DIRECTORIES.iter().find_map(|dir| image_in(Path::new(dir)))
}

fn image_in(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?.flatten().map(|e| e.path());
    let mut images: Vec<PathBuf> =
        entries.filter(|p| p.is_file() && p.file_name().is_some_and(is_image_name)).collect();
    images.sort();
    images.into_iter().next()
}

/// Signatures and digests lie beside an image and are none.
fn is_image_name(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.contains(".raw") && ![".sig", ".sha256"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_by_name_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(image_in(dir.path()), None);
        for name in ["b.raw.xz", "a.raw.xz.sig", "c.raw", "a.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(image_in(dir.path()), Some(dir.path().join("b.raw.xz")));
    }
}
