//! Boot counting where no GRUB does it: for a system that is started directly, this decides and
//! writes what the menu of its disk would (`builder/src/disk/grub.cfg`, docs/updater.md). As there,
//! what keeps the boots from being counted does not keep the machine from starting.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::grubenv::Grubenv;
use nestos_host::{atomic, term};

const GRUBENV: &str = "grub2/grubenv";
/// Tells a system that it is on trial, and its initramfs not to wait for a person.
const TRIAL: [&str; 3] = ["nestos.trial", "rd.shell=0", "rd.emergency=reboot"];

/// What a menu boots by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The first entry; nothing is counted.
    First,
    /// The first entry, on trial; the counter is then this.
    Trial(&'static str),
    /// The second entry, because the last try was used up; the counter is then -1.
    GiveUp,
    /// The second entry, until user space has put the entries in order.
    Second,
}

impl Choice {
    /// Returns the place of the default entry in the menu, as GRUB counts.
    pub(super) fn default_entry(self) -> usize {
        match self {
            Self::First | Self::Trial(_) => 0,
            Self::GiveUp | Self::Second => 1,
        }
    }

    /// Returns the kernel arguments that the first entry gets.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        if let Self::Trial(_) = self { &TRIAL } else { &[] }
    }

    fn counter(self) -> Option<&'static str> {
        match self {
            Self::First | Self::Second => None,
            Self::Trial(left) => Some(left),
            Self::GiveUp => Some("-1"),
        }
    }
}

/// Counts a boot in the files of a boot partition and returns what is to be started.
pub(super) fn count(boot: &Path) -> Choice {
    let path = boot.join(GRUBENV);
    let Some(mut env) = read(&path) else { return Choice::First };
    let choice = decide(&env);
    if let Some(left) = choice.counter() {
        env.set("boot_counter", left);
        if let Err(e) = write(&env, &path) {
            term::error(&e.context("this boot is not counted"));
        }
    }
    choice
}

fn decide(env: &Grubenv) -> Choice {
    if env.get("boot_success").as_deref() == Some("1") {
        return Choice::First;
    }
    match env.get("boot_counter").as_deref() {
        None | Some("") => Choice::First,
        Some("-1") => Choice::Second,
        Some("0") => Choice::GiveUp,
        Some("1") => Choice::Trial("0"),
        Some("2") => Choice::Trial("1"),
        Some(_) => Choice::Trial("2"),
    }
}

/// Reads the block, if there is one that GRUB would read.
fn read(path: &Path) -> Option<Grubenv> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        other => other.map_err(anyhow::Error::from),
    };
    let env = bytes.and_then(|bytes| Ok(Grubenv::parse(&bytes)?));
    let env = env.with_context(|| format!("boots are not counted: cannot use {}", path.display()));
    env.inspect_err(term::error).ok()
}

fn write(env: &Grubenv, path: &Path) -> Result<()> {
    let bytes = env.to_bytes().with_context(|| format!("cannot fill {}", path.display()))?;
    atomic::write(path, &bytes, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::cmd::Cmd;

    const GRUB_CFG: &str = include_str!("../../../builder/src/disk/grub.cfg");
    const COUNTERS: [&str; 8] = ["", "3", "2", "1", "0", "-1", "7", "x"];

    fn env(counter: &str, success: &str) -> Grubenv {
        let mut env = Grubenv::default();
        env.set("boot_counter", counter);
        env.set("boot_success", success);
        env
    }

    fn boot(grubenv: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("grub2")).unwrap();
        fs::write(dir.path().join(GRUBENV), grubenv).unwrap();
        dir
    }

    #[test]
    fn every_value_of_the_counter_has_its_choice() {
        use Choice::{First, GiveUp, Second, Trial};
        let expected =
            [First, Trial("2"), Trial("1"), Trial("0"), GiveUp, Second, Trial("2"), Trial("2")];
        for (counter, expected) in COUNTERS.into_iter().zip(expected) {
            assert_eq!(decide(&env(counter, "0")), expected, "{counter:?}");
            assert_eq!(decide(&env(counter, "1")), First, "{counter:?}");
        }
        assert_eq!(decide(&Grubenv::default()), First);
    }

    /// Runs the lines of the menu that count, which are shell but for the word `set`.
    fn by_the_menu(counter: &str, success: &str) -> String {
        let from = GRUB_CFG.find("set trial_args=\"\"\n").unwrap();
        let to = GRUB_CFG.find("# The administrator").unwrap();
        let dir = boot(b"");
        let script = format!(
            "load_env() {{ boot_counter=$COUNTER; boot_success=$SUCCESS; }}\n\
             save_env() {{ written=$boot_counter; }}\ndefault=0\n{}\n\
             echo \"$default [$trial_args] ${{written-nothing}}\"",
            GRUB_CFG[from..to].replace("set ", "")
        );
        let shell = Cmd::new("sh").arg("-c").arg(script).env("prefix", dir.path().join("grub2"));
        shell.env("COUNTER", counter).env("SUCCESS", success).output().unwrap()
    }

    #[test]
    fn it_is_what_the_menu_does() {
        for counter in COUNTERS {
            for success in ["", "0", "1"] {
                let choice = decide(&env(counter, success));
                let ours = format!(
                    "{} [{}] {}\n",
                    choice.default_entry(),
                    choice.arguments().join(" "),
                    choice.counter().unwrap_or("nothing")
                );
                assert_eq!(ours, by_the_menu(counter, success), "{counter:?} {success:?}");
            }
        }
    }

    #[test]
    fn boots_are_counted_down_and_other_lines_stay() {
        let before = Grubenv::parse(
            b"# GRUB Environment Block\n# mine\nsaved_entry=a\\\\b\nboot_counter=3\nboot_success=0\n",
        );
        let before = before.unwrap().to_bytes().unwrap();
        let dir = boot(&before);
        for left in ["2", "1", "0"] {
            assert_eq!(count(dir.path()), Choice::Trial(left));
            let text = String::from_utf8(before.clone()).unwrap();
            let expected = text.replace("counter=3", &format!("counter={left}"));
            assert_eq!(fs::read_to_string(dir.path().join(GRUBENV)).unwrap(), expected);
        }
        assert_eq!(count(dir.path()), Choice::GiveUp);
        assert_eq!(count(dir.path()), Choice::Second);
        let after = Grubenv::parse(&fs::read(dir.path().join(GRUBENV)).unwrap()).unwrap();
        assert_eq!(after.get("boot_counter").as_deref(), Some("-1"));
        assert_eq!(after.get("saved_entry").as_deref(), Some("a\\b"));
    }

    #[test]
    fn a_block_that_counts_nothing_is_not_written() {
        let settled = env("-1", "0").to_bytes().unwrap();
        let good = env("2", "1").to_bytes().unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        for (bytes, expected) in [
            (&settled[..], Choice::Second),
            (&good, Choice::First),
            (b"boot_counter=1\n", Choice::First),
            (b"", Choice::First),
        ] {
            let dir = boot(bytes);
            let path = dir.path().join(GRUBENV);
            let before = inode(&path);
            assert_eq!(count(dir.path()), expected);
            assert_eq!((inode(&path), fs::read(&path).unwrap()), (before, bytes.to_vec()));
        }
        assert_eq!(count(tempfile::tempdir().unwrap().path()), Choice::First);
    }

    #[test]
    fn a_block_without_room_keeps_no_machine_from_starting() {
        let mut full = env("0", "0");
        let used = "# GRUB Environment Block\nboot_counter=0\nboot_success=0\nx=\n".len();
        full.set("x", &"y".repeat(1024 - used));
        let bytes = full.to_bytes().unwrap();
        let dir = boot(&bytes);
        assert_eq!(count(dir.path()), Choice::GiveUp);
        assert_eq!(fs::read(dir.path().join(GRUBENV)).unwrap(), bytes);
    }
}
