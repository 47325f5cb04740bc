//! Descriptions of the metal image (osmet), with which the installer makes it from what the live
//! root holds. They come with the rootfs, and the real root finds them below /run.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::rootfs::after_squashfs;
use super::source::Source;

/// Where the installer looks.
const PLACE: &str = "/run/nestos-installer/osmet";
const SUFFIX: &str = ".osmet";

/// Puts every description in its place.
pub(super) fn keep(source: &Source) -> Result<()> {
    let place = Path::new(PLACE);
    fs::create_dir_all(place).with_context(|| format!("cannot create {PLACE}"))?;
    match source {
        // The boot loader's archive was unpacked into the root of the initramfs, which goes away.
        Source::Appended => move_from(Path::new("/"), place),
        _ => after_squashfs(Path::new(&source.file().0), |member, content| {
            match file_name(&member.path) {
                Some(name) if member.is_file() => {
                    io::copy(content, &mut File::create(place.join(name))?).map(drop)
                }
                _ => Ok(()),
            }
        }),
    }
}

fn move_from(dir: &Path, place: &Path) -> Result<()> {
    let list = || format!("cannot list {}", dir.display());
    for entry in fs::read_dir(dir).with_context(list)? {
        let name = entry.with_context(list)?.file_name();
        let Some(name) = name.to_str().and_then(file_name) else { continue };
        let from = dir.join(name);
        fs::copy(&from, place.join(name)).with_context(|| format!("cannot copy {name}"))?;
        fs::remove_file(&from).with_context(|| format!("cannot remove {}", from.display()))?;
    }
    Ok(())
}

/// Returns the file name of a description; other members have none.
fn file_name(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    (name.ends_with(SUFFIX) && name.len() > SUFFIX.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_descriptions_are_taken_and_by_their_file_name() {
        assert_eq!(file_name("../etc/x-metal.x86_64.raw.osmet"), Some("x-metal.x86_64.raw.osmet"));
        assert_eq!(file_name("etc/nestos-live-rootfs"), None);
        assert_eq!(file_name(".osmet"), None);
    }

    #[test]
    fn unpacked_descriptions_are_moved() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("m.osmet"), "x").unwrap();
        fs::write(from.path().join("init"), "y").unwrap();
        move_from(from.path(), to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("m.osmet")).unwrap(), "x");
        assert!(!from.path().join("m.osmet").exists() && from.path().join("init").exists());
    }
}
