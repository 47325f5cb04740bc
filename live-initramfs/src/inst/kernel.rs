//! Starts the installed system without the firmware: for machines whose BIOS would start the
//! medium again. What GRUB would hand to the kernel is read from the boot partition.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::bls::Entry;
use nestos_formats::command_line::CommandLine;
use nestos_formats::kargs::FIRSTBOOT_VARIABLE;
use nestos_host::{kexec, mount, term};

use super::boot_count;
use super::target::BOOT_FSTYPE;

const ENTRIES: &str = "loader/entries";
const FIRSTBOOT: &str = "ignition.firstboot";
const FIRSTBOOT_ARGUMENT: &str = "ignition.firstboot";
/// Tells the started system that the firmware would not have started it.
const DIRECTLY: &str = "nestos.started_directly";

/// Takes a kernel, an initramfs and a command line.
type Load<'a> = &'a mut dyn FnMut(&File, &File, &str) -> Result<()>;

/// Loads the kernel that the menu of a boot partition would start, and counts the boot as the menu
/// does; `systemctl kexec` starts it.
pub(crate) fn load(boot: &Path) -> Result<()> {
    mount::inside(boot, BOOT_FSTYPE, || choose(Path::new("/"), &mut kexec::load))
        .with_context(|| format!("cannot start the system on {} directly", boot.display()))
}

/// Returns whether this system was started by [`load`].
pub(crate) fn started_directly(line: &CommandLine) -> bool {
    line.has(DIRECTLY)
}

/// Loads what the files of a boot partition say. Like GRUB, it goes on with the second entry where
/// the first cannot be loaded, and takes the only one for the second.
fn choose(boot: &Path, load: Load<'_>) -> Result<()> {
    let mut entries = entries(boot)?.into_iter();
    let first = entries.next();
    let first = first.ok_or_else(|| anyhow!("{ENTRIES} holds no boot entry"))?;
    let choice = boot_count::count(boot);
    match (choice.default_entry(), entries.next()) {
        (_, None) => load_entry(boot, &first, choice.arguments(), load),
        (0, Some(second)) => load_entry(boot, &first, choice.arguments(), load).or_else(|first| {
            term::error(&first);
            term::warning(format!("starting the second entry, {}", second.display()));
            load_entry(boot, &second, &[], load)
        }),
        (_, Some(second)) => load_entry(boot, &second, &[], load),
    }
}

/// Returns the entries of the menu in its order: the newest deployment has the highest number.
fn entries(boot: &Path) -> Result<Vec<PathBuf>> {
    let dir = boot.join(ENTRIES);
    let mut found = Vec::new();
    for file in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = file.with_context(|| format!("cannot read {}", dir.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(number) = number(&name) {
            found.push((Reverse(number), path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Returns the number in the name of an entry, `ostree-1.conf` or `ostree-1-nestos.conf`.
fn number(name: &str) -> Option<u32> {
    let stem = name.strip_prefix("ostree-")?.strip_suffix(".conf")?;
    stem.split('-').next()?.parse().ok()
}

/// Loads one entry, with arguments that stand behind its own.
fn load_entry(boot: &Path, path: &Path, more: &[&str], load: Load<'_>) -> Result<()> {
    let mut attempt = || {
        let entry: Entry = fs::read_to_string(path)?.parse()?;
        let open = |key: &str| {
            let file = entry.get(key).with_context(|| format!("it has no line \"{key}\""))?;
            let path = boot.join(file.trim_start_matches('/'));
            File::open(&path).with_context(|| format!("cannot open {}", path.display()))
        };
        load(&open("linux")?, &open("initrd")?, &command_line(boot, &entry, more)?)
    };
    attempt().with_context(|| format!("cannot load the boot entry {}", path.display()))
}

fn command_line(boot: &Path, entry: &Entry, more: &[&str]) -> Result<String> {
    let first = first_boot_arguments(fs::read_to_string(boot.join(FIRSTBOOT)).ok().as_deref());
    let words = entry.options()?;
    let words = words.iter().map(|arg| match arg.as_str() {
        FIRSTBOOT_VARIABLE => first.clone(),
        _ => arg.to_string(),
    });
    let words = words.filter(|word| !word.is_empty());
    let added = more.iter().chain([&DIRECTLY]).map(|word| (*word).to_owned());
    Ok(words.chain(added).collect::<Vec<_>>().join(" "))
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
    use nestos_formats::grubenv::Grubenv;

    const OLD: &str = "title a\nversion 1\noptions root=LABEL=root\nlinux /o/old\ninitrd /o/oldi\n";
    const NEW: &str = "title b\nversion 2\noptions root=LABEL=root x=\"a b\" $ignition_firstboot \
                       ignition.platform.id=metal\nlinux /o/new\ninitrd /o/newi\n";
    const NEW_LINE: &str = "root=LABEL=root x=\"a b\" ignition.platform.id=metal";
    const TRIAL: &str = "nestos.trial rd.shell=0 rd.emergency=reboot";
    const GRUBENV: &str = "grub2/grubenv";

    /// A boot partition; each kernel and initramfs holds its own name.
    fn boot(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let kernels = ["o/old", "o/oldi", "o/new", "o/newi"].map(|name| (name, name));
        for (path, text) in kernels.iter().chain(files) {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn two_entries(counter: &str) -> tempfile::TempDir {
        let env = format!("# GRUB Environment Block\nboot_counter={counter}\nboot_success=0\n");
        boot(&[
            ("loader/entries/ostree-1-nestos.conf", OLD),
            ("loader/entries/ostree-2-nestos.conf", NEW),
            (GRUBENV, &env),
        ])
    }

    /// Returns kernel, initramfs and command line of what is loaded.
    fn loaded(boot: &Path) -> Result<[String; 3]> {
        let mut loaded = None;
        choose(boot, &mut |kernel, initrd, line| {
            let read = |file| std::io::read_to_string(file).unwrap();
            loaded = Some([read(kernel), read(initrd), line.to_owned()]);
            Ok(())
        })?;
        Ok(loaded.unwrap())
    }

    fn expected(kernel: &str, line: &str) -> [String; 3] {
        [format!("o/{kernel}"), format!("o/{kernel}i"), format!("{line} nestos.started_directly")]
    }

    fn counter(boot: &Path) -> String {
        let env = Grubenv::parse(&fs::read(boot.join(GRUBENV)).unwrap()).unwrap();
        env.get("boot_counter").unwrap()
    }

    #[test]
    fn the_newest_entry_is_started_with_the_arguments_of_the_first_boot() {
        let dir = boot(&[
            ("loader/entries/ostree-9.conf", OLD),
            ("loader/entries/ostree-10.conf", NEW),
            ("loader/entries/README", "no entry"),
            (FIRSTBOOT, "set ignition_network_kcmdline=\"rd.neednet=1 ip=dhcp\"\n"),
        ]);
        let line = "root=LABEL=root x=\"a b\" ignition.firstboot rd.neednet=1 ip=dhcp \
                    ignition.platform.id=metal";
        let start = loaded(dir.path()).unwrap();
        assert_eq!(start, expected("new", line));
        assert!(started_directly(&CommandLine::parse(&start[2])));
    }

    #[test]
    fn a_later_boot_is_no_first_boot() {
        let dir = boot(&[("loader/entries/ostree-2.conf", NEW)]);
        assert_eq!(loaded(dir.path()).unwrap(), expected("new", NEW_LINE));
        assert_eq!(first_boot_arguments(Some("")), "ignition.firstboot");
        fs::remove_file(dir.path().join("loader/entries/ostree-2.conf")).unwrap();
        assert!(loaded(dir.path()).unwrap_err().to_string().contains("holds no boot entry"));
    }

    #[test]
    fn an_update_on_trial_is_started_three_times_and_then_the_older_system() {
        let dir = two_entries("3");
        for left in ["2", "1", "0"] {
            let line = format!("{NEW_LINE} {TRIAL}");
            assert_eq!(loaded(dir.path()).unwrap(), expected("new", &line));
            assert_eq!(counter(dir.path()), left);
        }
        for _boot in 0..2 {
            assert_eq!(loaded(dir.path()).unwrap(), expected("old", "root=LABEL=root"));
            assert_eq!(counter(dir.path()), "-1");
        }
    }

    #[test]
    fn a_boot_is_counted_before_its_kernel_is_loaded() {
        let dir = two_entries("3");
        let mut seen = Vec::new();
        let failed = choose(dir.path(), &mut |_, _, _| {
            seen.push(counter(dir.path()));
            Err(anyhow!("locked down"))
        });
        assert_eq!(seen, ["2", "2"]);
        assert!(format!("{:#}", failed.unwrap_err()).contains("ostree-1-nestos.conf: locked down"));
    }

    #[test]
    fn the_only_entry_is_the_second_too() {
        let dir = two_entries("0");
        fs::remove_file(dir.path().join("loader/entries/ostree-1-nestos.conf")).unwrap();
        assert_eq!(loaded(dir.path()).unwrap(), expected("new", NEW_LINE));
        assert_eq!(counter(dir.path()), "-1");
    }

    #[test]
    fn the_second_entry_is_started_where_the_first_cannot_be() {
        for missing in ["o/new", "o/newi"] {
            let dir = two_entries("3");
            fs::remove_file(dir.path().join(missing)).unwrap();
            assert_eq!(loaded(dir.path()).unwrap(), expected("old", "root=LABEL=root"));
            assert_eq!(counter(dir.path()), "2");
        }
        let dir = two_entries("");
        fs::write(dir.path().join("loader/entries/ostree-2-nestos.conf"), "title b\n").unwrap();
        assert_eq!(loaded(dir.path()).unwrap(), expected("old", "root=LABEL=root"));
        fs::remove_file(dir.path().join("o/old")).unwrap();
        let error = format!("{:#}", loaded(dir.path()).unwrap_err());
        assert!(error.contains("ostree-1-nestos.conf: cannot open"), "{error}");
    }

    #[test]
    fn a_damaged_block_starts_the_newest_entry() {
        let dir = two_entries("0");
        fs::write(dir.path().join(GRUBENV), "boot_counter=0\n").unwrap();
        assert_eq!(loaded(dir.path()).unwrap(), expected("new", NEW_LINE));
        assert_eq!(fs::read_to_string(dir.path().join(GRUBENV)).unwrap(), "boot_counter=0\n");
    }
}
