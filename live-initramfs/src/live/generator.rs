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
