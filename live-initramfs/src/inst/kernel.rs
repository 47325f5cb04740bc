//! Starts the installed system without the firmware: for machines whose BIOS would start the
//! medium again. What GRUB would hand to the kernel is read from the boot partition.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::bls::Entry;
use nestos_formats::command_line::CommandLine;
use nestos_formats::kargs::FIRSTBOOT_VARIABLE;
use nestos_host::{kexec, mount};

use super::target::BOOT_FSTYPE;

const ENTRIES: &str = "loader/entries";
const FIRSTBOOT: &str = "ignition.firstboot";
const FIRSTBOOT_ARGUMENT: &str = "ignition.firstboot";
/// Tells the started system that the firmware would not have started it.
const DIRECTLY: &str = "nestos.started_directly";

/// A kernel to start.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    kernel: String,
    initrd: String,
    line: String,
}

/// Loads the newest kernel of a boot partition; `systemctl kexec` starts it.
pub(crate) fn load(boot: &Path) -> Result<()> {
    let load = || {
        let root = Path::new("/");
        let start = find(root)?;
        let open = |path: &str| {
            let path = root.join(path.trim_start_matches('/'));
            File::open(&path).with_context(|| format!("cannot open {}", path.display()))
        };
        kexec::load(&open(&start.kernel)?, &open(&start.initrd)?, &start.line)
    };
    mount::inside(boot, BOOT_FSTYPE, load)
        .with_context(|| format!("cannot start the system on {} directly", boot.display()))
}

/// Returns whether this system was started by [`load`].
pub(crate) fn started_directly(line: &CommandLine) -> bool {
    line.has(DIRECTLY)
}

/// Finds what to start in the files of a boot partition.
fn find(boot: &Path) -> Result<Start> {
    let dir = boot.join(ENTRIES);
    let mut newest: Option<(u64, Entry)> = None;
    for file in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = file?.path();
        if path.extension().is_none_or(|end| end != "conf") {
            continue;
        }
        let entry: Entry = fs::read_to_string(&path)?
            .parse()
            .with_context(|| format!("cannot use the boot entry {}", path.display()))?;
        let version = entry.get("version").and_then(|v| v.parse().ok()).unwrap_or(0);
        if newest.as_ref().is_none_or(|(other, _)| version > *other) {
            newest = Some((version, entry));
        }
    }
    let Some((_, entry)) = newest else { bail!("{} holds no boot entry", dir.display()) };
    let named = |key: &str| {
        let value = entry.get(key).map(ToOwned::to_owned);
        value.with_context(|| format!("the boot entry has no line \"{key}\""))
    };
    let first = first_boot_arguments(fs::read_to_string(boot.join(FIRSTBOOT)).ok().as_deref());
    let words = entry.options()?;
    let words = words.iter().map(|arg| match arg.as_str() {
        FIRSTBOOT_VARIABLE => first.clone(),
        _ => arg.to_string(),
    });
    let words = words.filter(|word| !word.is_empty()).chain([DIRECTLY.to_owned()]);
    let line = words.collect::<Vec<_>>().join(" ");
    Ok(Start { kernel: named("linux")?, initrd: named("initrd")?, line })
}

/// Returns what `ignition_firstboot` stands for in GRUB's configuration.
fn first_boot_arguments(stamp: Option<&str>) -> String {
    let Some(stamp) = stamp else { return String::new() };
    let network = stamp.lines().find_map(|line| {
        line.trim().strip_prefix("set ignition_network_kcmdline=\"")?.strip_suffix('"')
    });
    format!("{FIRSTBOOT_ARGUMENT} {}", network.unwrap_or_default()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(ENTRIES)).unwrap();
        for (path, text) in files {
            fs::write(dir.path().join(path), text).unwrap();
        }
        dir
    }

    const OLD: &str = "title a\nversion 1\noptions root=LABEL=root\nlinux /o/old\ninitrd /o/oldi\n";
    const NEW: &str = "title b\nversion 2\noptions root=LABEL=root x=\"a b\" $ignition_firstboot \
                       ignition.platform.id=metal\nlinux /o/new\ninitrd /o/newi\n";

    #[test]
    fn the_newest_entry_is_started_with_the_arguments_of_the_first_boot() {
        let dir = boot(&[
            ("loader/entries/ostree-1.conf", OLD),
            ("loader/entries/ostree-2.conf", NEW),
            ("loader/entries/README", "no entry"),
            (FIRSTBOOT, "set ignition_network_kcmdline=\"rd.neednet=1 ip=dhcp\"\n"),
        ]);
        let start = find(dir.path()).unwrap();
        assert_eq!((start.kernel.as_str(), start.initrd.as_str()), ("/o/new", "/o/newi"));
        assert_eq!(
            start.line,
            "root=LABEL=root x=\"a b\" ignition.firstboot rd.neednet=1 ip=dhcp \
             ignition.platform.id=metal nestos.started_directly"
        );
        assert!(started_directly(&CommandLine::parse(&start.line)));
    }

    #[test]
    fn a_later_boot_is_no_first_boot() {
        let dir = boot(&[("loader/entries/ostree-2.conf", NEW)]);
        let line = find(dir.path()).unwrap().line;
        let expected =
            "root=LABEL=root x=\"a b\" ignition.platform.id=metal nestos.started_directly";
        assert_eq!(line, expected);
        assert_eq!(first_boot_arguments(Some("")), "ignition.firstboot");
        assert!(find(boot(&[]).path()).unwrap_err().to_string().contains("holds no boot entry"));
    }
}
