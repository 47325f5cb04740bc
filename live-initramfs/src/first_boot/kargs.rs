//! Kernel arguments that a config demands. Ignition calls this as `ignition-kargs-helper`; on a
//! disk the boot entry is edited, and if that changed it the machine starts anew with it, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::bls::Entry;
use nestos_formats::command_line::CommandLine;
use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_host::atomic;
use nestos_host::cmd::Cmd;
use nestos_host::term::{self, WithHint};

use crate::console;
use crate::inst;
use crate::live::{Image, command_line};

const BOOT_DEVICE: &str = "/dev/disk/by-label/boot";
const MOUNT_POINT: &str = "/run/nestos/boot";
/// Tells `nestos-kargs-reboot.service` that the entry changed.
const CHANGED: &str = "/run/nestos/kargs-changed";

/// What a config says about kernel arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Arguments that must be there.
    pub(crate) present: Vec<String>,
    /// Arguments that must not be there.
    pub(crate) absent: Vec<String>,
}

/// Meets the demand, in the boot entries of the disk.
pub(crate) fn apply(demand: &Demand) -> Result<()> {
    if demand.present.is_empty() && demand.absent.is_empty() {
        return Ok(());
    }
    if Image::find(Path::new("/"))?.is_some() {
        return check_live(demand, &CommandLine::parse(&command_line::read()?));
    }
    fs::create_dir_all(MOUNT_POINT).with_context(|| format!("cannot create {MOUNT_POINT}"))?;
    Cmd::new("mount").args([BOOT_DEVICE, MOUNT_POINT]).run()?;
    let edited = edit_entries(Path::new(MOUNT_POINT), demand);
    Cmd::new("umount").arg(MOUNT_POINT).run()?;
    if edited? {
        fs::write(CHANGED, "").with_context(|| format!("cannot write {CHANGED}"))?;
    }
    Ok(())
}

/// Restarts the machine when [`apply`] changed the boot entry; then nothing may follow, so it
/// does not return.
pub(crate) fn reboot() -> Result<()> {
    if !Path::new(CHANGED).exists() {
        return Ok(());
    }
    console::say("The config changes the kernel arguments: starting anew with them.");
    let verb = again(&CommandLine::parse(&command_line::read()?));
    Cmd::new("systemctl").args(["--force", "--no-block", verb]).run()?;
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Prepares another start of this disk, and returns the verb of systemctl for it. A medium or
/// network that comes first would install anew; if nothing helps, the firmware decides, as ever.
fn again(line: &CommandLine) -> &'static str {
    if inst::started_directly(line) {
        match inst::load_kernel(Path::new(BOOT_DEVICE)) {
            Ok(()) => return "kexec",
            Err(err) => term::warning(format!("{err:#}")),
        }
    } else if let Err(err) = inst::boot_again(Path::new("/")) {
        term::warning(format!("cannot tell the firmware to boot this disk again: {err:#}"));
    }
    "reboot"
}

/// A live system starts with what its medium or boot server gives it.
fn check_live(demand: &Demand, line: &CommandLine) -> Result<()> {
    let has = |arg: &String| line.args().any(|given| given == arg);
    let missing = demand.present.iter().filter(|arg| !has(arg));
    let unmet: Vec<String> = missing
        .map(|arg| format!("{arg} is missing"))
        .chain(demand.absent.iter().filter(|arg| has(arg)).map(|arg| format!("{arg} is there")))
        .collect();
    if unmet.is_empty() {
        return Ok(());
    }
    Err(anyhow!("a live system cannot change its kernel arguments: {}", unmet.join(", "))).hint(
        "give them in the boot menu or the boot server's entry, or customize the ISO \
         (nestos-installer iso kargs modify)",
    )
}

/// Edits every entry and returns whether one changed.
fn edit_entries(boot: &Path, demand: &Demand) -> Result<bool> {
    let dir = boot.join("loader/entries");
    let list = || format!("cannot list {}", dir.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&dir).with_context(list)? {
        entries.push(entry.with_context(list)?.path());
    }
    entries.retain(|path| path.extension().is_some_and(|ext| ext == "conf"));
    entries.sort();
    if entries.is_empty() {
        bail!("no boot entry in {}", dir.display());
    }
    let mut changed = false;
    for path in entries {
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the boot entry {}", path.display()))?;
        let new = edited(&text, demand)
            .with_context(|| format!("cannot edit the boot entry {}", path.display()))?;
        if new != text {
            atomic::write(&path, new.as_bytes(), 0o644)?;
            term::status(format!("changed the kernel arguments in {}", path.display()));
            changed = true;
        }
    }
    Ok(changed)
}

/// Returns a boot entry that meets the demand; one that does already keeps its bytes.
fn edited(text: &str, demand: &Demand) -> Result<String> {
    let mut entry: Entry = text.parse()?;
    let before = entry.options()?;
    let mut args = before.clone();
    for arg in parsed(&demand.absent)? {
        args.delete(&arg);
    }
    for arg in parsed(&demand.present)? {
        args.append_if_missing(arg);
    }
    if same(&before, &args) {
        return Ok(text.to_owned());
    }
    entry.set_options(&args)?;
    Ok(entry.to_string())
}

fn parsed(texts: &[String]) -> Result<Vec<Karg>> {
    let parse = |text: &String| {
        text.parse().with_context(|| format!("the config's kernel argument {text:?}"))
    };
    texts.iter().map(parse).collect()
}

fn same(a: &KernelArgs, b: &KernelArgs) -> bool {
    a.iter().eq(b.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "title x\noptions root=LABEL=root rw $ignition_firstboot quiet\nlinux /v\n";

    fn demand(present: &[&str], absent: &[&str]) -> Demand {
        let owned = |list: &[&str]| list.iter().map(|&t| t.to_owned()).collect();
        Demand { present: owned(present), absent: owned(absent) }
    }

    #[test]
    fn an_entry_is_changed_once_and_then_stays() {
        let demand = demand(&["mitigations=off", "rw"], &["quiet", "nothing"]);
        let once = edited(ENTRY, &demand).unwrap();
        assert_eq!(once, ENTRY.replace(" quiet", " mitigations=off"));
        assert_eq!(edited(&once, &demand).unwrap(), once);
    }

    #[test]
    fn arguments_that_grub_would_read_otherwise_are_refused() {
        let err = edited(ENTRY, &demand(&["two words"], &[])).unwrap_err();
        assert!(format!("{err:#}").contains("\"two words\""), "{err:#}");
    }

    #[test]
    fn files_that_are_no_entries_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let entries = dir.path().join("loader/entries");
        fs::create_dir_all(&entries).unwrap();
        assert!(edit_entries(dir.path(), &demand(&["a"], &[])).is_err());
        fs::write(entries.join("ostree-1.conf"), ENTRY).unwrap();
        fs::write(entries.join("README"), "x").unwrap();
        assert!(edit_entries(dir.path(), &demand(&["a"], &[])).unwrap());
        assert!(!edit_entries(dir.path(), &demand(&["a"], &[])).unwrap());
        assert_eq!(fs::read_to_string(entries.join("README")).unwrap(), "x");
    }

    #[test]
    fn a_live_system_says_what_it_cannot_change() {
        let line = CommandLine::parse("quiet a=1");
        check_live(&demand(&["a=1"], &["b"]), &line).unwrap();
        let err = check_live(&demand(&["b"], &["quiet"]), &line).unwrap_err();
        assert!(format!("{err:#}").contains("b is missing, quiet is there"), "{err:#}");
    }
}
