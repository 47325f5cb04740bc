//! The boot menu of live media, one for BIOS and UEFI, with areas in which the installer changes
//! kernel arguments in place.

use anyhow::{Result, anyhow};
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::KernelArgs;
use nestos_formats::live_media::{
    Flavour, KARGS_PLACEHOLDER, KargsFile, KargsInfo, LiveOption, MAX_AREA,
};

/// Where the menu is in the ISO.
pub(super) const PATH: &str = "EFI/openEuler/grub.cfg";
/// The menu; see the comments in it.
const TEMPLATE: &str = include_str!("grub.cfg");
/// Room for what the installer adds to the arguments.
const ROOM: u64 = 1024;

/// A menu, and what is in it.
#[derive(Debug)]
pub(super) struct Menu {
    /// The text of the file.
    pub(super) text: String,
    /// The areas for kernel arguments.
    pub(super) areas: KargsInfo,
}

impl Menu {
    /// Writes the menu for a medium with this name and these arguments.
    pub(super) fn new(kargs: &KernelArgs) -> Result<Self> {
        let default = kargs.to_string();
        let size = (default.len() as u64 + 1 + ROOM).min(MAX_AREA);
        let mut areas = KargsInfo { default, files: Vec::new(), size };
        let mut text = String::new();
        for (at, part) in TEMPLATE.split(KARGS_PLACEHOLDER).enumerate() {
            if at > 0 {
                let file = KargsFile {
                    path: PATH.to_owned(),
                    offset: text.len() as u64,
                    pad: Some("#".to_owned()),
                    end: Some("\n".to_owned()),
                };
                let area = file.fill(&areas.default, usize::try_from(size)?)?;
                text.push_str(&String::from_utf8(area)?);
                text.push('#');
                text.push_str(Flavour::Nestos.area_marker());
                areas.files.push(file);
            }
            text.push_str(part);
        }
        Ok(Self { text, areas })
    }
}

/// Returns the arguments of a live system on the volume `label`; `extra` are those of all images.
pub(super) fn kargs(extra: &KernelArgs, label: &str, arch: Arch) -> Result<KernelArgs> {
    let mut args = extra.clone();
    let volume = format!("{}={label}", Flavour::Nestos.karg(LiveOption::LiveIso));
    // A login on both: getty starts where the kernel speaks. The screen comes last, since what
    // only one console shows is for the person in front of the machine.
    let serial = match arch {
        Arch::X86_64 => "console=ttyS0,115200n8",
        Arch::Aarch64 => "console=ttyAMA0,115200n8",
    };
    let firstboot = ["ignition.firstboot", "ignition.platform.id=metal"];
    for text in [volume.as_str()].into_iter().chain(firstboot).chain([serial, "console=tty0"]) {
        args.append(text.parse().map_err(|e| anyhow!("{text}: {e}"))?);
    }
    args.check_length()?;
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::cmd::Cmd;

    fn menu() -> Menu {
        let extra: KernelArgs = "mitigations=auto,nosmt panic=30".parse().unwrap();
        Menu::new(&kargs(&extra, "nestos-1", Arch::X86_64).unwrap()).unwrap()
    }

    #[test]
    fn every_area_holds_the_default_arguments_and_room_for_more() {
        let Menu { text, areas } = menu();
        assert_eq!(
            areas.default,
            "mitigations=auto,nosmt panic=30 nestos.liveiso=nestos-1 ignition.firstboot \
             ignition.platform.id=metal console=ttyS0,115200n8 console=tty0"
        );
        assert_eq!(areas.files.len(), 2);
        let size = usize::try_from(areas.size).unwrap();
        for file in &areas.files {
            let at = usize::try_from(file.offset).unwrap();
            let area = &text.as_bytes()[at..at + size];
            assert_eq!(file.read(area).unwrap(), areas.default);
            assert!(text[at + size..].starts_with("# NESTOS_KARG_EMBED_AREA\n"));
            assert!(file.fill(&format!("{} {}", areas.default, "x".repeat(1000)), size).is_ok());
        }
    }

    #[test]
    fn an_area_is_never_longer_than_readers_allow() {
        let long = KernelArgs::from_iter((0..150).map(|n| format!("a{n}=12345").parse().unwrap()));
        assert_eq!(Menu::new(&long).unwrap().areas.size, MAX_AREA);
    }

    #[test]
    fn grub_accepts_the_menu() {
        let Ok(done) = Cmd::new("grub-script-check").input(menu().text).finish() else {
            nestos_host::term::warning("grub-script-check is missing: the menu was not checked");
            return;
        };
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
