//! Decides, before systemd starts anything of the real root, what a live system does: install by
//! itself, or greet a person. See systemd.generator(7).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::command_line::CommandLine;

use super::arguments::{self, Afterwards};
use super::files::OptionFiles;

/// What only a live system has.
const LIVE: &str = "run/ostree-live";
const COMMAND_LINE: &str = "proc/cmdline";
const IGNITION_RESULT: &str = "etc/.ignition-result.json";
const UNITS: &str = "/usr/lib/systemd/system";

/// What the decision depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The kernel command line.
    pub(crate) line: &'a CommandLine,
    /// The option files.
    pub(crate) files: &'a OptionFiles,
    /// Whose config Ignition applied.
    pub(crate) config: Config,
}

/// Whose config Ignition applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Config {
    /// Only that of the system itself.
    Default,
    /// A user's, or nobody knows.
    User,
}

/// One thing to put into the directory of the generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A link to a unit of the system.
    Link(String, &'static str),
    /// A file.
    File(String, String),
}

/// Runs as a generator: the second of the three directories wins over all configuration.
pub(crate) fn run(root: &Path, early: &Path) -> Result<()> {
    if !root.join(LIVE).exists() {
        return Ok(());
    }
    let line =
        fs::read_to_string(root.join(COMMAND_LINE)).context("cannot read the command line")?;
    let line = CommandLine::parse(&line);
    let files = OptionFiles::read(root)?;
    let result = fs::read(root.join(IGNITION_RESULT)).unwrap_or_default();
    let facts = Facts { line: &line, files: &files, config: Config::from_result(&result) };
    for entry in decide(facts) {
        entry.make(early)?;
    }
    Ok(())
}

impl Config {
    /// Reads what Ignition says of itself.
    fn from_result(json: &[u8]) -> Self {
        let result: Option<serde_json::Value> = serde_json::from_slice(json).ok();
        let provided = result.and_then(|r| r.get("userConfigProvided")?.as_bool());
        if provided == Some(false) { Self::Default } else { Self::User }
    }
}

/// Returns what systemd is to find.
pub(crate) fn decide(facts: Facts<'_>) -> Vec<Entry> {
    // Whoever is at the console of a live system has the machine: a root password that nobody
    // set must not keep the shell of an emergency from them. Installed systems do not do this.
    let mut entries: Vec<Entry> = ["emergency", "rescue"]
        .map(|unit| drop_in(unit, "50-live", "[Service]\nEnvironment=SYSTEMD_SULOGIN_FORCE=1\n"))
        .into();
    entries.extend(UP_TO_DATE.map(|unit| drop_in(unit, "50-live", NOT_LIVE)));
    if arguments::names_disk(facts.line) || !facts.files.paths().is_empty() {
        entries.extend(unattended(facts));
    } else if facts.config == Config::Default {
        entries.extend(
            ["getty@", "serial-getty@"].map(|unit| drop_in(unit, "50-autologin", AUTOLOGIN)),
        );
    }
    entries
}

/// What rebuilds caches after an update of /usr (ConditionNeedsUpdate= in systemd.unit(5)): a live
/// system has those of its image, and would spend a large part of its start on them.
const UP_TO_DATE: [&str; 3] = ["ldconfig", "systemd-hwdb-update", "systemd-journal-catalog-update"];
const NOT_LIVE: &str = "[Unit]\nConditionPathExists=!/run/ostree-live\n";

const AUTOLOGIN: &str = "[Service]\nExecStart=\n\
    ExecStart=-/sbin/agetty --autologin nest --noclear --keep-baud 115200,57600,38400,9600 - ${TERM}\n";

/// The shell comes back when it is left, and says each time why it is there.
const EMERGENCY: &str = "[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nExecStartPre=\n\
    ExecStartPre=-/usr/lib/nestos/nestos-live inst explain\n\
    ExecStart=\nExecStart=-/sbin/sulogin --force\nRestart=always\nRestartSec=1\n";

const NETWORK: &str = "[Unit]\nWants=NetworkManager.service network-online.target\n\
    After=network-online.target nss-lookup.target\n";

fn unattended(facts: Facts<'_>) -> Vec<Entry> {
    let afterwards = match arguments::afterwards(facts.line) {
        Afterwards::Reboot => "nestos-installer-reboot.service",
        Afterwards::Shell => "nestos-installer-noreboot.service",
        Afterwards::PowerOff => "nestos-installer-poweroff.service",
    };
    let mut entries = vec![
        Entry::Link("default.target".to_owned(), "nestos-installer-post.target"),
        required("nestos-installer-post.target", afterwards),
        drop_in("emergency", "60-unattended", EMERGENCY),
    ];
    if arguments::once(facts.line).is_some() {
        entries.push(required("nestos-installer-pre.target", "nestos-installer-once.service"));
    }
    let fetched = arguments::options(facts.line).iter().any(|(option, value)| {
        arguments::from_network(option, value.as_deref().unwrap_or_default())
    });
    if fetched || facts.files.need_network() {
        entries.push(drop_in("nestos-installer", "50-network", NETWORK));
    }
    entries
}

fn required(by: &str, unit: &'static str) -> Entry {
    Entry::Link(format!("{by}.requires/{unit}"), unit)
}

fn drop_in(service: &str, name: &str, text: &str) -> Entry {
    Entry::File(format!("{service}.service.d/{name}.conf"), text.to_owned())
}

impl Entry {
    fn make(&self, dir: &Path) -> Result<()> {
        let (Self::Link(name, _) | Self::File(name, _)) = self;
        let path = dir.join(name);
        let made = || -> Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            match self {
                Self::Link(_, unit) => symlink(PathBuf::from(UNITS).join(unit), &path)?,
                Self::File(_, text) => fs::write(&path, text)?,
            }
            Ok(())
        };
        made().with_context(|| format!("cannot make {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names of what is decided, without what every live system has.
    fn names(line: &str, files: &OptionFiles, config: Config) -> Vec<String> {
        let line = CommandLine::parse(line);
        let entries = decide(Facts { line: &line, files, config });
        let name = |entry: &Entry| match entry {
            Entry::Link(name, unit) if name.ends_with(unit) => name.clone(),
            Entry::Link(name, unit) => format!("{name} -> {unit}"),
            Entry::File(name, _) => name.clone(),
        };
        let all: Vec<String> = entries.iter().map(name).collect();
        assert!(all[..5].iter().all(|name| name.ends_with(".service.d/50-live.conf")), "{all:?}");
        all[5..].to_vec()
    }

    const DEFAULT: &str = "default.target -> nestos-installer-post.target";
    const EMERGENCY: &str = "emergency.service.d/60-unattended.conf";
    const REBOOT: &str = "nestos-installer-post.target.requires/nestos-installer-reboot.service";
    const SHELL: &str = "nestos-installer-post.target.requires/nestos-installer-noreboot.service";
    const OFF: &str = "nestos-installer-post.target.requires/nestos-installer-poweroff.service";
    const ONCE: &str = "nestos-installer-pre.target.requires/nestos-installer-once.service";
    const NETWORK: &str = "nestos-installer.service.d/50-network.conf";
    const LOGIN: [&str; 2] =
        ["getty@.service.d/50-autologin.conf", "serial-getty@.service.d/50-autologin.conf"];

    #[test]
    fn every_kernel_argument_in_every_spelling() {
        let dev = "P.inst.install_dev=/dev/sda";
        for (given, expected) in [
            ("", &LOGIN[..]),
            ("P.inst.install_dev", &LOGIN),
            ("P.inst.stream=stable", &LOGIN),
            ("P.inst.skip_reboot P.inst.once", &LOGIN),
            ("P.inst=yes", &LOGIN),
            (dev, &[DEFAULT, REBOOT, EMERGENCY]),
            ("P.inst.install_dev=serial=A", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.ignition_url=http://h/a", &[DEFAULT, REBOOT, EMERGENCY, NETWORK]),
            ("D P.inst.ignition_url=skip", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.image_url=http://h/a", &[DEFAULT, REBOOT, EMERGENCY, NETWORK]),
            ("D P.inst.image_file=/run/a", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.stream=next", &[DEFAULT, REBOOT, EMERGENCY, NETWORK]),
            ("D P.inst.platform_id=qemu", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.console=ttyS0", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.append_karg=proxy=http://h", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.copy_network", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.save_partlabel=data", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.save_partindex=5", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.insecure", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.secure_ipl", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.skip_reboot", &[DEFAULT, SHELL, EMERGENCY]),
            ("D P.inst.skip_reboot=0", &[DEFAULT, REBOOT, EMERGENCY]),
            ("D P.inst.poweroff", &[DEFAULT, OFF, EMERGENCY]),
            ("D P.inst.once", &[DEFAULT, REBOOT, EMERGENCY, ONCE]),
            ("D P.inst.once=rack4", &[DEFAULT, REBOOT, EMERGENCY, ONCE]),
            ("D ip=dhcp", &[DEFAULT, REBOOT, EMERGENCY]),
        ] {
            for prefix in ["nestos", "coreos", "nestosos"] {
                let line = given.replace('D', dev).replace('P', prefix);
                let found = names(&line, &OptionFiles::default(), Config::Default);
                assert_eq!(found, expected, "{line}");
            }
        }
    }

    fn option_file(text: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("etc/nestos/installer.d");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("0000-customize.yaml"), text).unwrap();
        root
    }

    #[test]
    fn option_files_alone_start_an_installation() {
        for (text, line, expected) in [
            ("dest-device: /dev/sda\n", "", &[DEFAULT, REBOOT, EMERGENCY][..]),
            ("dest-device: a\nstream: next\n", "", &[DEFAULT, REBOOT, EMERGENCY, NETWORK]),
            ("dest-device: a\n", "nestos.inst.poweroff", &[DEFAULT, OFF, EMERGENCY]),
            ("dest-device: a\n", "nestos.inst.once", &[DEFAULT, REBOOT, EMERGENCY, ONCE]),
        ] {
            let root = option_file(text);
            let files = OptionFiles::read(root.path()).unwrap();
            assert_eq!(names(line, &files, Config::User), expected, "{text}");
        }
    }

    #[test]
    fn nobody_is_logged_in_where_a_user_gave_a_config() {
        let none: [&str; 0] = [];
        assert_eq!(names("", &OptionFiles::default(), Config::User), none);
        for (json, config) in [
            (r#"{"userConfigProvided": false}"#, Config::Default),
            (r#"{"userConfigProvided": true}"#, Config::User),
            ("{}", Config::User),
            ("", Config::User),
        ] {
            assert_eq!(Config::from_result(json.as_bytes()), config, "{json}");
        }
    }

    #[test]
    fn nothing_is_made_outside_a_live_system() {
        let root = option_file("dest-device: /dev/sda\n");
        let early = tempfile::tempdir().unwrap();
        run(root.path(), early.path()).unwrap();
        assert_eq!(fs::read_dir(early.path()).unwrap().count(), 0);
        fs::create_dir_all(root.path().join("run/ostree-live")).unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/cmdline"), "quiet\n").unwrap();
        run(root.path(), early.path()).unwrap();
        let target = fs::read_link(early.path().join("default.target")).unwrap();
        assert_eq!(target, Path::new("/usr/lib/systemd/system/nestos-installer-post.target"));
    }
}
