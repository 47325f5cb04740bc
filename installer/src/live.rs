//! The images that a live system has for installing: the one seam to it.

use std::fmt;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::osmet::Osmet;
use nestos_host::gpt_disk::SectorSize;
use nestos_host::term;

use crate::request::ImageSource;

/// Where a live system describes its image, in order of preference.
pub const OSMET_DIRECTORIES: [&str; 2] =
    ["/run/nestos-installer/osmet", "/run/coreos-installer/osmet"];

/// Where a live system may have an image as a file, in order of preference.
pub const DIRECTORIES: [&str; 3] =
    ["/run/nestos-installer", "/run/media/iso/images", "/run/media/iso/nestos"];

/// Where a live system has its objects.
const REPOSITORY: &str = "/sysroot/ostree/repo";

/// What the name of an image for sectors of 4096 bytes contains.
const LARGE_SECTORS: &str = "4k";

/// Architectures that names of images contain.
const ARCHITECTURES: [&str; 7] =
    ["x86_64", "aarch64", "ppc64le", "s390x", "riscv64", "loongarch64", "sw_64"];

/// What an image has to be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// CPU architecture.
    pub architecture: &'a str,
    /// The disk's sectors.
    pub sectors: SectorSize,
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and sectors of {} bytes", self.architecture, self.sectors.bytes())
    }
}

/// A live system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSystem {
    root: PathBuf,
}

impl LiveSystem {
    /// Returns the live system that is running, if one is.
    pub fn running() -> Self {
        Self::at(Path::new("/"))
    }

    /// Returns the live system whose root directory is `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the image for a disk: one that is put together from the system's objects, else a
    /// file whose name says what it is.
    pub fn image(&self, wanted: Wanted<'_>) -> Option<ImageSource> {
        let osmet = OSMET_DIRECTORIES.iter().find_map(|dir| self.osmet(&self.within(dir), wanted));
        osmet.or_else(|| {
            let mut dirs = DIRECTORIES.iter();
            dirs.find_map(|dir| file(&self.within(dir), wanted)).map(ImageSource::Live)
        })
    }

    fn osmet(&self, dir: &Path, wanted: Wanted<'_>) -> Option<ImageSource> {
        let mut files = files(dir);
        files.retain(|path| path.extension().is_some_and(|end| end == "osmet"));
        files.into_iter().find_map(|file| {
            let osmet = read(&file)
                .inspect_err(|e| term::warning(format!("passing over {}: {e:#}", file.display())))
                .ok()?;
            let head = osmet.head();
            let fits = head.architecture == wanted.architecture
                && head.sector_size == wanted.sectors.bytes();
            fits.then(|| ImageSource::Rebuilt {
                digest: osmet.image().digest.into(),
                repository: self.within(REPOSITORY),
                osmet: file,
            })
        })
    }

    fn within(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// Returns where images are looked for, as text.
pub fn places() -> String {
    [&OSMET_DIRECTORIES[..], &DIRECTORIES].concat().join(", ")
}

fn read(path: &Path) -> Result<Osmet> {
    let file = File::open(path).context("cannot open it")?;
    Ok(Osmet::read(BufReader::new(file))?)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return vec![] };
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn file(dir: &Path, wanted: Wanted<'_>) -> Option<PathBuf> {
    let fits = |path: &PathBuf| path.file_name().is_some_and(|name| is_image_name(name, wanted));
    files(dir).into_iter().find(fits)
}

/// Signatures and digests lie beside an image and are none.
fn is_image_name(name: &std::ffi::OsStr, wanted: Wanted<'_>) -> bool {
    let name = name.to_string_lossy();
    let image = name.contains(".raw");
    let beside = [".sig", ".asc", ".sha256", ".osmet"].iter().any(|end| name.ends_with(end));
    let named: Vec<_> = ARCHITECTURES.iter().filter(|arch| name.contains(**arch)).collect();
    let sectors = name.contains(LARGE_SECTORS) == (wanted.sectors == SectorSize::S4096);
    let architecture = named.is_empty() || named.contains(&&wanted.architecture);
    image && !beside && sectors && architecture
}

#[cfg(test)]
mod tests {
    use nestos_formats::osmet::{Head, Image, Partition};

    use super::*;

    const HERE: Wanted<'_> = Wanted { architecture: "x86_64", sectors: SectorSize::S512 };
    const LARGE: Wanted<'_> = Wanted { sectors: SectorSize::S4096, ..HERE };
    const OTHER: Wanted<'_> = Wanted { architecture: "aarch64", ..HERE };

    #[test]
    fn the_first_image_by_name_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(file(dir.path(), HERE), None);
        let names =
            ["a.aarch64.raw", "b.raw.xz", "a.raw.xz.sig", "c.raw", "a.txt", "a-metal4k.raw"];
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        for (wanted, name) in
            [(HERE, "b.raw.xz"), (LARGE, "a-metal4k.raw"), (OTHER, "a.aarch64.raw")]
        {
            assert_eq!(file(dir.path(), wanted), Some(dir.path().join(name)));
        }
    }

    fn osmet(wanted: Wanted<'_>, digest: u8) -> Vec<u8> {
        let head = Head {
            app_version: String::new(),
            sector_size: wanted.sectors.bytes(),
            description: String::new(),
            architecture: wanted.architecture.to_owned(),
        };
        let partitions = vec![Partition { start: 0, end: 1, mappings: vec![] }];
        Osmet::new(head, Image { partitions, digest: [digest; 32], size: 1 }).unwrap().to_bytes()
    }

    #[test]
    fn what_is_put_together_comes_first_and_has_to_fit() {
        let root = tempfile::tempdir().unwrap();
        let live = LiveSystem::at(root.path());
        let [ours, theirs] = OSMET_DIRECTORIES.map(|dir| live.within(dir));
        fs::create_dir_all(&ours).unwrap();
        fs::create_dir_all(&theirs).unwrap();
        fs::write(ours.join("a.osmet"), "damaged").unwrap();
        fs::write(ours.join("b.osmet"), osmet(OTHER, 1)).unwrap();
        fs::write(ours.join("c.osmet"), osmet(HERE, 2)).unwrap();
        fs::write(ours.join("d.osmet"), osmet(HERE, 3)).unwrap();
        fs::write(ours.join("../x.x86_64.raw"), "").unwrap();
        fs::write(ours.join("../x-4k.x86_64.raw"), "").unwrap();
        let digest = |wanted| match live.image(wanted) {
            Some(ImageSource::Rebuilt { digest, .. }) => Some(digest),
            _ => None,
        };
        assert_eq!(digest(HERE), Some([2; 32].into()));
        assert_eq!(digest(OTHER), Some([1; 32].into()));
        let file = live.image(LARGE).unwrap();
        assert!(matches!(&file, ImageSource::Live(path) if path.ends_with("x-4k.x86_64.raw")));
        fs::write(theirs.join("e.osmet"), osmet(LARGE, 4)).unwrap();
        assert_eq!(digest(LARGE), Some([4; 32].into()));
    }
}
