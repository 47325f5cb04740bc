//! The generator of a live initramfs: kernel arguments become units (systemd.generator(7)). What
//! it only switches on are files of the dracut module; what depends on arguments it writes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::command_line::CommandLine;

use super::source::{Appended, Source};
use super::{Image, command_line};

const UNITS: &str = "/usr/lib/systemd/system";
/// The units that a live boot needs, and what waits for each.
const NEEDED: [(&str, &str); 3] = [
    ("initrd-root-fs.target", "nestos-live-rootfs.service"),
    ("initrd-root-fs.target", "nestos-live-state.service"),
    ("ignition-complete.target", "nestos-live-config.service"),
];

/// A file of the generator.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    /// A unit or drop-in with this text.
    Text(PathBuf, String),
    /// A link to a unit.
    Link(PathBuf, String),
}

/// Runs as systemd calls it: with the directories for generated units. The one for units of high
/// priority is used, because other generators may make a `sysroot.mount` as well.
pub(crate) fn run(dirs: &[PathBuf]) -> Result<()> {
    if Image::find(Path::new("/"))?.is_none() {
        return Ok(());
    }
    let [_, early, _] = dirs else {
        bail!("a generator is called with three directories, not {}", dirs.len());
    };
    let source = Source::of(&CommandLine::parse(&command_line::read()?), Appended::look());
    units(&source).iter().try_for_each(|made| write(early, made))
}

fn units(source: &Source) -> Vec<Made> {
    let (file, offset) = source.file();
    let offset = if offset == 0 { String::new() } else { format!(",offset={offset}") };
    let mount = format!(
        "[Unit]\nDescription=Root file system of the live system\nDefaultDependencies=no\n\
         Requires=nestos-live-rootfs.service\nAfter=nestos-live-rootfs.service\n\
         Before=initrd-root-fs.target\n\
         OnFailure=emergency.target\nOnFailureJobMode=isolate\n\n\
         [Mount]\nWhat={file}\nWhere=/sysroot\nType=squashfs\nOptions=ro,loop{offset}\n"
    );
    let ostree = "[Unit]\nConditionKernelCommandLine=\n\n\
                  [Service]\nExecStartPre=/usr/lib/nestos/nestos-live live-ostree add\n\
                  ExecStopPost=/usr/lib/nestos/nestos-live live-ostree remove\n\
                  ExecStartPost=/usr/lib/nestos/nestos-live live-ostree remove\n";
    let mut made = vec![
        Made::Text("sysroot.mount".into(), mount),
        Made::Link(
            "initrd-root-fs.target.requires/sysroot.mount".into(),
            "../sysroot.mount".into(),
        ),
        Made::Text("ostree-prepare-root.service.d/10-nestos-live.conf".into(), ostree.to_owned()),
    ];
    made.extend(NEEDED.map(|(target, unit)| {
        Made::Link(format!("{target}.requires/{unit}").into(), format!("{UNITS}/{unit}"))
    }));
    if matches!(source, Source::Url(_)) {
        let network = "[Unit]\nWants=nestos-network-up.service\nAfter=nestos-network-up.service\n";
        made.push(Made::Text(
            "nestos-live-rootfs.service.d/10-network.conf".into(),
            network.to_owned(),
        ));
    }
    made
}

fn write(dir: &Path, made: &Made) -> Result<()> {
    let (Made::Text(name, _) | Made::Link(name, _)) = made;
    let path = dir.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    match made {
        Made::Text(_, text) => fs::write(&path, text),
        Made::Link(_, target) => symlink(target, &path),
    }
    .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the generator makes of a command line: the file, the options, and whether the root
    /// file system waits for the network.
    fn made(line: &str, appended: Appended) -> (String, String, bool) {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::of(&CommandLine::parse(line), appended);
        units(&source).iter().try_for_each(|made| write(dir.path(), made)).unwrap();
        let mount = fs::read_to_string(dir.path().join("sysroot.mount")).unwrap();
        let value = |key: &str| {
            mount.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default().to_owned()
        };
        let network = dir.path().join("nestos-live-rootfs.service.d/10-network.conf").exists();
        (value("What="), value("Options="), network)
    }

    #[test]
    fn every_kernel_argument_becomes_units() {
        let iso = ("/run/media/iso/images/pxeboot/rootfs.img", "ro,loop,offset=124", false);
        let ram = ("/run/nestos-rootfs/rootfs.img", "ro,loop,offset=124", false);
        let url = (ram.0, ram.1, true);
        for (line, expected) in [
            ("nestos.liveiso=a", iso),
            ("coreos.liveiso=a", iso),
            ("nestosos.liveiso=a", iso),
            ("nestos.liveiso=a nestos.liveiso.fromram", ram),
            ("coreos.liveiso=a coreos.liveiso.fromram=1", ram),
            ("nestos.liveiso=a nestos.liveiso.fromram=0", iso),
            ("nestos.live.rootfs_url=http://h/r", url),
            ("coreos.live.rootfs_url=https://h/r", url),
            ("nestos.live.rootfs_url=tftp://h/r ip=dhcp nestos.inst.install_dev=/dev/vda", url),
            ("nestos.inst.install_dev=/dev/vda ignition.firstboot", ram),
            ("", ram),
        ] {
            let (file, options, network) = made(line, Appended::No);
            assert_eq!((file.as_str(), options.as_str(), network), expected, "{line:?}");
        }
        let (file, options, network) = made("nestos.liveiso=a", Appended::Yes);
        assert_eq!((file.as_str(), options.as_str()), ("/root.squashfs", "ro,loop"));
        assert!(!network);
    }

    #[test]
    fn whatever_the_source_the_state_is_set_up_and_ostree_finds_its_deployment() {
        let dir = tempfile::tempdir().unwrap();
        units(&Source::Nowhere).iter().try_for_each(|made| write(dir.path(), made)).unwrap();
        for (target, unit) in NEEDED {
            let link = dir.path().join(format!("{target}.requires/{unit}"));
            assert_eq!(fs::read_link(link).unwrap(), Path::new(UNITS).join(unit));
        }
        let ostree = dir.path().join("ostree-prepare-root.service.d/10-nestos-live.conf");
        assert!(fs::read_to_string(ostree).unwrap().contains("live-ostree add"));
    }
}
