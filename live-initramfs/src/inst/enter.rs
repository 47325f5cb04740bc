//! How a machine gets from the live system into the installed one while the medium it was started
//! from is still there, and first in the order of the firmware.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use nestos_formats::command_line::CommandLine;
use nestos_host::atomic;
use nestos_host::disks::Disk;
use nestos_host::term::{self, WithHint};

use super::boot_next::Variables;
use super::{kernel, state, target};

/// What the live system was started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Medium {
    /// A drive that ejects its medium.
    Optical(PathBuf),
    /// A stick, the network, or nobody knows.
    Other,
}

/// Firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firmware {
    /// With boot options that the system can change.
    Uefi,
    /// Without.
    Bios,
}

/// Why the installed system is to be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// It was just installed.
    Installed,
    /// It was just installed, and the machine is switched off first.
    InstalledThenOff,
    /// It has been there all the time: a boot that ends here again would never end.
    AlreadyThere,
}

/// One way into the installed system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The firmware is asked to boot the disk once.
    BootNext,
    /// The medium is not there any more.
    Eject,
    /// Its kernel is started directly.
    Kexec,
    /// A person removes the medium, or has removed it.
    Person,
}

/// Returns the ways to try, best first; none may be left untried where the last is no person.
/// Firmware that ignored an earlier wish is to be taken for a BIOS: asked again and again it would
/// install again and again.
pub(crate) fn ways(firmware: Firmware, medium: &Medium, occasion: Occasion) -> Vec<Way> {
    let optical = matches!(medium, Medium::Optical(_));
    match (occasion, firmware) {
        (Occasion::Installed, Firmware::Uefi) if optical => vec![Way::BootNext, Way::Eject],
        (Occasion::Installed, Firmware::Uefi) => vec![Way::BootNext, Way::Kexec, Way::Person],
        // Drives exist that pull the medium in again when the machine starts; QEMU's are such.
        (Occasion::Installed, Firmware::Bios) if optical => vec![Way::Kexec, Way::Eject],
        (Occasion::Installed, Firmware::Bios) => vec![Way::Kexec, Way::Person],
        // Nothing is started directly that does not start now.
        (Occasion::InstalledThenOff, Firmware::Uefi) if optical => {
            vec![Way::BootNext, Way::Eject]
        }
        (Occasion::InstalledThenOff, Firmware::Uefi) => vec![Way::BootNext, Way::Person],
        (Occasion::InstalledThenOff, Firmware::Bios) if optical => vec![Way::Eject],
        (Occasion::InstalledThenOff, Firmware::Bios) => vec![Way::Person],
        (Occasion::AlreadyThere, Firmware::Uefi) => vec![Way::BootNext, Way::Kexec],
        (Occasion::AlreadyThere, Firmware::Bios) => vec![Way::Kexec],
    }
}

/// What was prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    way: Way,
    eject: Option<PathBuf>,
}

impl Prepared {
    /// Says what happens next.
    pub(crate) fn describe(&self) -> String {
        let mut text = match self.way {
            Way::BootNext => "The firmware is asked to start this disk next.\n",
            Way::Kexec => "Its kernel is started directly, past the firmware.\n",
            Way::Eject => "",
            Way::Person => {
                "REMOVE THE INSTALLATION MEDIUM NOW, or change the boot order: this machine offers\n\
                 no way to start the disk while the medium comes first.\n"
            }
        }
        .to_owned();
        if let Some(drive) = &self.eject {
            text.push_str(&format!("The medium in {} is ejected at the end.\n", drive.display()));
        }
        text
    }

    /// Returns the verb of systemctl that enters the system.
    fn verb(&self) -> &'static str {
        if self.way == Way::Kexec { "kexec" } else { "reboot" }
    }

    /// Keeps what [`leave`] and the end of the shutdown need.
    fn keep(&self, root: &Path) -> Result<()> {
        let dir = state::directory(root)?;
        if let Some(drive) = &self.eject {
            atomic::write(&dir.join(EJECT), drive.to_string_lossy().as_bytes(), 0o600)?;
        }
        atomic::write(&dir.join(VERB), self.verb().as_bytes(), 0o600)
    }
}

const EJECT: &str = "eject";
const VERB: &str = "leave";

/// Prepares the way into the system on a disk.
pub(crate) fn prepare(root: &Path, disk: &Disk, occasion: Occasion) -> Result<Prepared> {
    let variables = Variables::of(root);
    let listens = |variables: &Variables| -> Result<bool> { Ok(!variables.is_pending()?) };
    let asked = variables.as_ref().map_or(Ok(false), listens)?;
    let firmware = if asked { Firmware::Uefi } else { Firmware::Bios };
    let medium = medium(root, &super::command_line(root)?);
    for way in ways(firmware, &medium, occasion) {
        let tried = match (way, &variables) {
            (Way::BootNext, Some(variables)) => {
                target::boot_option(disk).and_then(|option| variables.boot_once(&option)).map(drop)
            }
            (Way::Kexec, _) => target::boot_device(disk).and_then(|boot| kernel::load(&boot)),
            _ => Ok(()),
        };
        match tried {
            Ok(()) => {
                let eject = match &medium {
                    Medium::Optical(drive) if occasion != Occasion::AlreadyThere => {
                        Some(drive.clone())
                    }
                    _ => None,
                };
                let prepared = Prepared { way, eject };
                prepared.keep(root)?;
                return Ok(prepared);
            }
            Err(e) => term::error(&e),
        }
    }
    Err(anyhow!("this machine cannot start {} while the medium comes first", disk.device)).hint(
        "put the disk first in the boot order of the firmware, or remove the medium; \
         another boot from it would end here again",
    )
}

/// Finds out what the live system was started from.
fn medium(root: &Path, line: &CommandLine) -> Medium {
    let label = line.own("liveiso").map(|label| root.join("dev/disk/by-label").join(label));
    let labelled = label.and_then(|link| fs::canonicalize(link).ok());
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    match labelled.or_else(|| mounted(&mounts)) {
        Some(device) if is_optical(&device) => Medium::Optical(device),
        _ => Medium::Other,
    }
}

/// Returns the device of the mounted medium (proc_pid_mountinfo(5)).
fn mounted(mounts: &str) -> Option<PathBuf> {
    let at = |line: &&str| line.split(' ').nth(4) == Some("/run/media/iso");
    let source = mounts.lines().find(at)?.split(" - ").nth(1)?.split(' ').nth(1)?;
    Some(PathBuf::from(source))
}

fn is_optical(device: &Path) -> bool {
    let name = device.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix("sr").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns the drive whose medium is to be ejected at the end of the shutdown.
pub(crate) fn to_eject(root: &Path) -> Option<PathBuf> {
    let dir = state::directory(root).ok()?;
    fs::read_to_string(dir.join(EJECT)).ok().map(PathBuf::from)
}

/// Returns the verb of systemctl that enters the system that was prepared.
pub(crate) fn verb(root: &Path) -> String {
    let kept = state::directory(root).and_then(|dir| Ok(fs::read_to_string(dir.join(VERB))?));
    kept.unwrap_or_else(|_nothing_prepared| "reboot".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_its_ways() {
        use Firmware::{Bios, Uefi};
        use Occasion::{AlreadyThere, Installed, InstalledThenOff};
        use Way::{BootNext, Eject, Kexec, Person};
        let optical = Medium::Optical("/dev/sr0".into());
        for (firmware, medium, occasion, expected) in [
            (Uefi, &optical, Installed, &[BootNext, Eject][..]),
            (Uefi, &Medium::Other, Installed, &[BootNext, Kexec, Person]),
            (Bios, &optical, Installed, &[Kexec, Eject]),
            (Bios, &Medium::Other, Installed, &[Kexec, Person]),
            // Nothing here reboots in the hope that somebody removed the medium.
            (Uefi, &optical, AlreadyThere, &[BootNext, Kexec]),
            (Uefi, &Medium::Other, AlreadyThere, &[BootNext, Kexec]),
            (Uefi, &optical, InstalledThenOff, &[BootNext, Eject]),
            (Uefi, &Medium::Other, InstalledThenOff, &[BootNext, Person]),
            (Bios, &optical, InstalledThenOff, &[Eject]),
            (Bios, &Medium::Other, InstalledThenOff, &[Person]),
            (Bios, &optical, AlreadyThere, &[Kexec]),
            (Bios, &Medium::Other, AlreadyThere, &[Kexec]),
        ] {
            assert_eq!(ways(firmware, medium, occasion), expected, "{firmware:?} {occasion:?}");
        }
    }

    #[test]
    fn the_medium_is_found_by_its_label_or_where_it_is_mounted() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dev/disk/by-label");
        fs::create_dir_all(&dir).unwrap();
        fs::write(root.path().join("dev/sr0"), "").unwrap();
        let line = CommandLine::parse("coreos.liveiso=nestos-1");
        assert_eq!(medium(root.path(), &line), Medium::Other);
        std::os::unix::fs::symlink("../../sr0", dir.join("nestos-1")).unwrap();
        let Medium::Optical(drive) = medium(root.path(), &line) else { panic!("no drive") };
        assert!(drive.ends_with("dev/sr0"));
        let mounts = "36 35 11:0 / /run/media/iso ro shared:1 - iso9660 /dev/sr1 ro\n";
        assert_eq!(mounted(mounts), Some("/dev/sr1".into()));
        for (device, optical) in [("/dev/sr12", true), ("/dev/sda", false), ("/dev/sr", false)] {
            assert_eq!(is_optical(Path::new(device)), optical, "{device}");
        }
    }

    #[test]
    fn what_was_prepared_is_kept_for_the_shutdown() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!((verb(root.path()).as_str(), to_eject(root.path())), ("reboot", None));
        let prepared = Prepared { way: Way::Kexec, eject: Some("/dev/sr0".into()) };
        prepared.keep(root.path()).unwrap();
        assert_eq!(verb(root.path()), "kexec");
        assert_eq!(to_eject(root.path()), Some("/dev/sr0".into()));
    }
}
