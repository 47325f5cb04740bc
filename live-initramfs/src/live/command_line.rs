//! The effective kernel command line. The live initramfs adds what media and network boot entries
//! leave out, and drops what belongs to a disk; a file with the result covers /proc/cmdline, so
//! that generators, unit conditions, Ignition and libostree all read the same.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::command_line::CommandLine;
use nix::mount::{MsFlags, mount};

use super::RUN;

/// What programs read.
pub(crate) const PROC: &str = "/proc/cmdline";
/// The file that covers it.
const EFFECTIVE: &str = "/run/nestos/command-line";
/// What the boot loader gave.
const ORIGINAL: &str = "/run/nestos/kernel-command-line";

/// Arguments of a disk boot, which would make systemd wait for a disk.
const OF_DISKS: [&str; 5] = ["root", "rootfstype", "rootflags", "ostree", "boot"];
/// What every live boot is: Ignition runs, and the platform is the machine itself.
const OF_LIVE: [(&str, &str); 2] = [
    ("ignition.firstboot", "ignition.firstboot"),
    ("ignition.platform.id", "ignition.platform.id=metal"),
];

/// Covers /proc/cmdline with the effective command line.
pub(crate) fn set_up() -> Result<()> {
    let original = read()?;
    fs::create_dir_all(RUN).with_context(|| format!("cannot create {RUN}"))?;
    fs::write(ORIGINAL, &original).with_context(|| format!("cannot write {ORIGINAL}"))?;
    cover(&format!("{}\n", effective(&original)))
}

/// Adds `ostree=PATH`, which ostree-prepare-root wants; the deployment is known only when the
/// root file system is mounted.
pub(crate) fn add_ostree(path: &str) -> Result<()> {
    let current = read()?;
    cover(&format!("{} ostree={path}\n", without(&current, &["ostree"])))
}

/// Removes what [`add_ostree`] added: the live system boots no entry of a boot partition.
pub(crate) fn remove_ostree() -> Result<()> {
    cover(&format!("{}\n", without(&read()?, &["ostree"])))
}

/// Reads the command line in force.
pub(crate) fn read() -> Result<String> {
    fs::read_to_string(PROC).with_context(|| format!("cannot read {PROC}"))
}

/// Returns what a live system makes of its command line.
fn effective(original: &str) -> String {
    let mut line = without(original, &OF_DISKS);
    let given = CommandLine::parse(original);
    for (name, argument) in OF_LIVE {
        if !given.has(name) {
            line = format!("{line} {argument}");
        }
    }
    line.trim().to_owned()
}

/// Returns a command line without the arguments of these names, the others as they were spelled.
fn without(line: &str, names: &[&str]) -> String {
    let mut quoted = false;
    let mut kept = Vec::new();
    let words = line.trim().split(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    for word in words.filter(|word| !word.is_empty()) {
        let parsed = CommandLine::parse(word);
        if !names.iter().any(|name| parsed.has(name)) {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// Makes /proc/cmdline read as `text`.
fn cover(text: &str) -> Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(EFFECTIVE)
        .with_context(|| format!("cannot open {EFFECTIVE}"))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.set_len(text.len() as u64))
        .with_context(|| format!("cannot write {EFFECTIVE}"))?;
    let (same, covered) = (file.metadata()?, fs::metadata(PROC)?);
    if (same.dev(), same.ino()) == (covered.dev(), covered.ino()) {
        return Ok(());
    }
    let none = None::<&str>;
    mount(Some(Path::new(EFFECTIVE)), PROC, none, MsFlags::MS_BIND, none)
        .with_context(|| format!("cannot mount {EFFECTIVE} on {PROC}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_boot_is_a_first_boot_on_metal_unless_something_else_was_said() {
        for (given, made) in [
            ("", "ignition.firstboot ignition.platform.id=metal"),
            (
                "quiet ignition.platform.id=qemu\n",
                "quiet ignition.platform.id=qemu ignition.firstboot",
            ),
            (
                "ignition.firstboot=0 ignition.platform.id=metal",
                "ignition.firstboot=0 ignition.platform.id=metal",
            ),
            (
                "root=LABEL=root rw x=\"a  root=b\" ostree=/ostree/boot.1/x/y/0 ip=dhcp",
                "rw x=\"a  root=b\" ip=dhcp ignition.firstboot ignition.platform.id=metal",
            ),
        ] {
            assert_eq!(effective(given), made, "{given:?}");
        }
    }

    #[test]
    fn arguments_that_only_begin_alike_stay() {
        assert_eq!(without("rootdelay=3 root root=x", &["root"]), "rootdelay=3");
    }
}
