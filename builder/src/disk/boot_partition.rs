//! The boot partition of one kind of image: kernel, boot entry, menu, first-boot stamp.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::console;
use nestos_host::cmd::Cmd;

use super::sysroot::Sysroot;
use super::{GrubImages, Kind, Source, file_systems};

/// The menu of every image; see the comments in it.
const GRUB_CFG: &str = include_str!("grub.cfg");
/// Reads boot entries where GRUB cannot.
const ENTRIES_CFG: &str = include_str!("entries.cfg");

/// Makes the file system and returns its file.
pub(super) fn make(
    source: &Source<'_>,
    sysroot: &Sysroot,
    grub: &GrubImages,
    kind: Kind,
) -> Result<PathBuf> {
    let dir = source.work.join(format!("boot-{}", kind.name()));
    Cmd::new("cp").args(["--archive", "--reflink=auto"]).arg(&sysroot.boot).arg(&dir).run()?;
    let platform = source.config.platforms.get(kind.platform()).cloned().unwrap_or_default();
    set_platform(&dir, kind, &platform.kernel_arguments)?;
    let grub2 = dir.join("grub2");
    fs::create_dir_all(&grub2).with_context(|| format!("cannot create {}", grub2.display()))?;
    fs::set_permissions(&grub2, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot set the mode of {}", grub2.display()))?;
    grub.copy_modules(&grub2)?;
    let menu = console::replace_block(GRUB_CFG, &platform.grub_commands)?;
    write(&grub2.join("grub.cfg"), &menu)?;
    write(&grub2.join("entries.cfg"), ENTRIES_CFG)?;
    write(&grub2.join("grubenv"), &empty_grubenv())?;
    fs::create_dir_all(dir.join("nestos")).context("cannot create boot/nestos")?;
    write(&dir.join("nestos/platforms.json"), &source.config.platforms.to_json()?)?;
    write(&dir.join("ignition.firstboot"), "")?;
    let image = file_systems::boot(source, &dir, kind)?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    Ok(image)
}

fn set_platform(boot: &Path, kind: Kind, platform_kargs: &[String]) -> Result<()> {
    let (file, mut entry) = Sysroot::entry(boot)?;
    let mut args = entry.options()?;
    let id = |name: &str| format!("ignition.platform.id={name}").parse();
    args.replace(&id(Kind::Metal.platform())?, &id(kind.platform())?);
    for text in platform_kargs {
        args.append_if_missing(text.parse()?);
    }
    entry.set_options(&args)?;
    write(&file, &entry.to_string())
}

/// An empty environment block: 1024 bytes, GRUB writes it in place.
fn empty_grubenv() -> String {
    let head = "# GRUB Environment Block\n";
    format!("{head}{}", "#".repeat(1024 - head.len()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    nestos_host::atomic::write(path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_block_is_filled_between_its_markers() {
        let text = console::replace_block(GRUB_CFG, &["serial --speed=115200".to_owned()]).unwrap();
        assert!(
            text.contains(
                "# CONSOLE-SETTINGS-START\nserial --speed=115200\n# CONSOLE-SETTINGS-END\n"
            )
        );
    }

    #[test]
    fn the_environment_block_has_the_size_grub_wants() {
        assert_eq!(empty_grubenv().len(), 1024);
    }

    #[test]
    fn grub_accepts_the_menu() {
        for script in [GRUB_CFG, ENTRIES_CFG] {
            let check = Cmd::new("grub-script-check").input(script).finish();
            let Ok(done) = check else {
                nestos_host::term::warning(
                    "grub-script-check is missing: the menu was not checked",
                );
                return;
            };
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
    }
}
