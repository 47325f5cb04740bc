//! Edits of a fresh `/boot`: the first-boot config, the platform, the consoles and the kernel
//! arguments. Works below any directory; in an installation that is the root of the mounted boot
//! partition.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::bls::Entry;
use nestos_formats::console::{self, Console};
use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_formats::platforms::{self, Platform, Platforms};
use nestos_host::term::WithHint;
use nestos_host::{atomic, loopdev, mount};

use crate::config::CheckedConfig;
use crate::first_boot::{FirstbootArgs, NetworkSettings};
use crate::request::PlatformId;

/// Platform descriptions, ours first.
const PLATFORMS: [&str; 2] = ["nestos/platforms.json", "coreos/platforms.json"];

/// GRUB configurations that may hold the console block, in order of preference.
const CONSOLE_CONFIGS: [&str; 2] = ["grub2/console.cfg", "grub2/grub.cfg"];

/// The config, below `/boot`.
const CONFIG: &str = "ignition/config.ign";

/// What is there until the first boot is complete, below `/boot`.
const STAMP: &str = "ignition.firstboot";

const PLATFORM_KARG: &str = "ignition.platform.id";

/// What changes in `/boot`.
#[derive(Debug, Default)]
pub struct BootEdits {
    /// Config for the first boot.
    pub config: Option<CheckedConfig>,
    /// Files of NetworkManager for the first boot.
    pub network: NetworkSettings,
    /// Kernel arguments of the first boot alone.
    pub firstboot: Option<FirstbootArgs>,
    /// Platform instead of the image's.
    pub platform: Option<PlatformId>,
    /// Consoles instead of the platform's.
    pub consoles: Vec<Console>,
    /// Kernel arguments to add.
    pub append: Vec<Karg>,
    /// Kernel arguments to remove.
    pub delete: Vec<Karg>,
}

impl BootEdits {
    /// Returns whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.config.is_none()
            && self.network.files().is_empty()
            && self.firstboot.is_none()
            && !self.edits_entry()
    }

    fn edits_entry(&self) -> bool {
        self.platform.is_some()
            || !self.consoles.is_empty()
            || !self.append.is_empty()
            || !self.delete.is_empty()
    }
}

/// Fails when this process could not edit the `/boot` of a new disk.
pub fn check_editable() -> Result<()> {
    loopdev::check_available()
        .and_then(|()| mount::check_available())
        .context("cannot edit /boot here")
}

/// One file that is replaced.
struct Change {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl Change {
    /// Keeps the mode of the file.
    fn to(path: PathBuf, text: String) -> Result<Self> {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o7777;
        Ok(Self { path, text, mode })
    }
}

/// Applies the edits below `boot` and returns what the user should know. What can be known to fail
/// does so before anything is written: a disk that has booted before has no seal behind it.
pub fn apply(edits: &BootEdits, boot: &Path) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let changes = changes(edits, boot, &mut notes)?;
    if edits.config.is_some() {
        check_absent(&boot.join(CONFIG))?;
    }
    let network = network_dir(boot);
    if !edits.network.files().is_empty() {
        check_absent(&network)?;
    }
    write_network(&edits.network, &network)?;
    for Change { path, text, mode } in changes {
        atomic::write(&path, text.as_bytes(), mode)?;
    }
    if let Some(config) = &edits.config {
        write_config(config, boot)?;
    }
    Ok(notes)
}

fn changes(edits: &BootEdits, boot: &Path, notes: &mut Vec<String>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    if let Some(args) = &edits.firstboot {
        changes.push(append_firstboot(args, boot)?);
    }
    if edits.edits_entry() {
        let platforms = read_platforms(boot)?;
        changes.push(edit_entry(edits, &platforms, boot, notes)?);
        if let Some(commands) = grub_commands(edits, &platforms) {
            changes.push(edit_grub(&commands, boot)?);
        }
    }
    Ok(changes)
}

fn check_absent(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(anyhow!("{} is there already", path.display()))
        .hint("the disk has been prepared before: install the image anew, or remove it")
}

/// Fails when the first boot of the system in `boot` is over: nothing would read what is written.
pub fn check_before_first_boot(edits: &BootEdits, boot: &Path) -> Result<()> {
    let for_first_boot =
        edits.config.is_some() || edits.firstboot.is_some() || !edits.network.files().is_empty();
    if for_first_boot && !boot.join(STAMP).exists() {
        return Err(anyhow!("the system has booted before, and reads no config any more"))
            .hint("install the image anew, or leave only kernel arguments and consoles");
    }
    Ok(())
}

fn write_config(config: &CheckedConfig, boot: &Path) -> Result<()> {
    let path = boot.join(CONFIG);
    let dir = boot.join("ignition");
    let write = || -> Result<()> {
        if !dir.is_dir() {
            DirBuilder::new().mode(0o700).create(&dir)?;
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(config.bytes())?;
        file.sync_all()?;
        File::open(&dir)?.sync_all()?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Returns where the first boot of this image looks: images of the elder cousin have
/// `/boot/coreos` alone.
fn network_dir(boot: &Path) -> PathBuf {
    let elder = boot.join("coreos").is_dir() && !boot.join("nestos").is_dir();
    boot.join(if elder { "coreos-firstboot-network" } else { "nestos-firstboot-network" })
}

fn write_network(network: &NetworkSettings, dir: &Path) -> Result<()> {
    if network.files().is_empty() {
        return Ok(());
    }
    DirBuilder::new()
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, bytes) in network.files() {
        // NetworkManager ignores settings that others may read.
        atomic::write(&dir.join(name), bytes, 0o600)?;
    }
    Ok(())
}

fn append_firstboot(args: &FirstbootArgs, boot: &Path) -> Result<Change> {
    let path = boot.join(STAMP);
    let append = || Change::to(path.clone(), fs::read_to_string(&path)? + &args.grub_line());
    append().with_context(|| format!("cannot edit {}", path.display()))
}

fn read_platforms(boot: &Path) -> Result<Platforms> {
    for path in PLATFORMS.map(|p| boot.join(p)) {
        match fs::read_to_string(&path) {
            Ok(text) => {
                return Platforms::from_json(&text)
                    .with_context(|| format!("cannot read {}", path.display()));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    Ok(Platforms::default())
}

fn edit_entry(
    edits: &BootEdits,
    platforms: &Platforms,
    boot: &Path,
    notes: &mut Vec<String>,
) -> Result<Change> {
    let path = default_entry(boot)?;
    let mut edit = || -> Result<Change> {
        let mut entry: Entry = fs::read_to_string(&path)?.parse()?;
        let mut args = entry.options()?;
        if let Some(platform) = &edits.platform {
            set_platform(&mut args, platform, platforms, notes)?;
        }
        set_consoles(&mut args, edits, platforms)?;
        for arg in &edits.delete {
            if args.delete(arg) == 0 {
                notes.push(format!("kernel argument {arg} is not in the image; nothing to delete"));
            }
        }
        args.extend(edits.append.iter().cloned());
        entry.set_options(&args)?;
        Change::to(path.clone(), entry.to_string())
    };
    edit().with_context(|| format!("cannot edit the boot entry {}", path.display()))
}

/// Returns the entry that boots by default: the last by name.
fn default_entry(boot: &Path) -> Result<PathBuf> {
    let dir = boot.join("loader/entries");
    let list = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let paths = list.flatten().map(|e| e.path());
    paths
        .filter(|p| p.extension().is_some_and(|e| e == "conf"))
        .max()
        .ok_or_else(|| anyhow!("{} holds no boot entry", dir.display()))
}

fn set_platform(
    args: &mut KernelArgs,
    platform: &PlatformId,
    platforms: &Platforms,
    notes: &mut Vec<String>,
) -> Result<()> {
    let karg = |name: &str| format!("{PLATFORM_KARG}={name}").parse::<Karg>();
    let old = karg(platforms::DEFAULT)?;
    if args.replace(&old, &karg(platform.as_str())?) == 0 {
        bail!("it lacks the kernel argument {old}, which --platform replaces");
    }
    if platforms.get(platform.as_str()).is_none() {
        notes.push(format!(
            "the image does not describe platform {}; only {PLATFORM_KARG} was set",
            platform.as_str()
        ));
    }
    Ok(())
}

/// Consoles given by name win over those of the platform, which win over the image's.
fn set_consoles(args: &mut KernelArgs, edits: &BootEdits, platforms: &Platforms) -> Result<()> {
    let wanted = wanted_platform(edits, platforms);
    if edits.consoles.is_empty() && wanted.is_none() {
        return Ok(());
    }
    for arg in platform_kargs(platforms.get(platforms::DEFAULT))? {
        args.delete(&arg);
    }
    if edits.consoles.is_empty() {
        args.extend(platform_kargs(wanted)?);
    }
    for console in &edits.consoles {
        args.append(console.karg()?);
    }
    Ok(())
}

fn wanted_platform<'a>(edits: &BootEdits, platforms: &'a Platforms) -> Option<&'a Platform> {
    edits
        .platform
        .as_ref()
        .filter(|p| p.as_str() != platforms::DEFAULT)
        .and_then(|p| platforms.get(p.as_str()))
}

fn platform_kargs(platform: Option<&Platform>) -> Result<Vec<Karg>> {
    let texts = platform.map(|p| p.kernel_arguments.as_slice()).unwrap_or_default();
    texts
        .iter()
        .map(|text| text.parse().with_context(|| format!("platforms.json: {text:?}")))
        .collect()
}

fn grub_commands(edits: &BootEdits, platforms: &Platforms) -> Option<Vec<String>> {
    if !edits.consoles.is_empty() {
        return Some(console::grub_commands(&edits.consoles));
    }
    wanted_platform(edits, platforms).map(|p| p.grub_commands.clone())
}

fn edit_grub(commands: &[String], boot: &Path) -> Result<Change> {
    let path = CONSOLE_CONFIGS.map(|p| boot.join(p)).into_iter().find(|p| p.exists());
    let path = path.ok_or_else(|| {
        anyhow!("the image has neither {} nor {}", CONSOLE_CONFIGS[0], CONSOLE_CONFIGS[1])
    })?;
    let edit = || -> Result<Change> {
        let text = console::replace_block(&fs::read_to_string(&path)?, commands)?;
        Change::to(path.clone(), text)
    };
    edit().with_context(|| format!("cannot edit {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "title x\noptions rw ignition.platform.id=metal console=tty0\nlinux /v\n";

    fn boot_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("loader/entries")).unwrap();
        fs::write(dir.path().join("loader/entries/ostree-2-nestos.conf"), ENTRY).unwrap();
        fs::create_dir_all(dir.path().join("coreos")).unwrap();
        let platforms = r#"{"metal": {"kernel_arguments": ["console=tty0"]},
                            "qemu": {"kernel_arguments": ["console=ttyS0,115200n8"]}}"#;
        fs::write(dir.path().join("coreos/platforms.json"), platforms).unwrap();
        fs::create_dir_all(dir.path().join("grub2")).unwrap();
        let grub = format!("{}\n{}\n", console::START, console::END);
        fs::write(dir.path().join("grub2/console.cfg"), grub).unwrap();
        dir
    }

    fn options(boot: &Path) -> String {
        let entry = fs::read_to_string(boot.join("loader/entries/ostree-2-nestos.conf")).unwrap();
        entry.parse::<Entry>().unwrap().options().unwrap().to_string()
    }

    fn platform(name: &str) -> Option<PlatformId> {
        Some(name.parse().unwrap())
    }

    #[test]
    fn the_kernel_arguments_follow_platform_consoles_and_wishes() {
        let consoles = |names: &[&str]| names.iter().map(|n| n.parse().unwrap()).collect();
        let karg = |text: &str| vec![text.parse::<Karg>().unwrap()];
        let plain = BootEdits::default;
        for (edits, expected) in [
            (
                BootEdits { platform: platform("qemu"), ..plain() },
                "rw ignition.platform.id=qemu console=ttyS0,115200n8",
            ),
            (
                BootEdits { platform: platform("other"), ..plain() },
                "rw ignition.platform.id=other console=tty0",
            ),
            (
                BootEdits { platform: platform("metal"), ..plain() },
                "rw ignition.platform.id=metal console=tty0",
            ),
            (
                BootEdits { consoles: consoles(&["hvc0"]), ..plain() },
                "rw ignition.platform.id=metal console=hvc0",
            ),
            (
                BootEdits { delete: karg("rw"), append: karg("a=\"b c\""), ..plain() },
                "ignition.platform.id=metal console=tty0 a=\"b c\"",
            ),
        ] {
            let dir = boot_dir();
            apply(&edits, dir.path()).unwrap();
            assert_eq!(options(dir.path()), expected);
        }
    }

    #[test]
    fn the_user_is_told_what_had_no_effect() {
        let dir = boot_dir();
        let edits = BootEdits {
            platform: platform("other"),
            delete: vec!["absent".parse().unwrap()],
            ..BootEdits::default()
        };
        let notes = apply(&edits, dir.path()).unwrap();
        assert!(notes[0].contains("does not describe platform other"));
        assert!(notes[1].contains("absent is not in the image"));
    }

    #[test]
    fn a_config_that_is_there_already_is_not_replaced() {
        let dir = boot_dir();
        let config = |text: &str| {
            CheckedConfig::load(
                &crate::config::ConfigSource::Text(text.to_owned()),
                crate::config::Loading { retries: crate::fetch::Retries::Finite(0), hash: None },
            )
        };
        let config = config(r#"{"ignition":{"version":"3.3.0"}}"#).unwrap();
        let edits = BootEdits { config: Some(config), ..BootEdits::default() };
        apply(&edits, dir.path()).unwrap();
        let mode = |p: &str| fs::metadata(dir.path().join(p)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("ignition"), mode("ignition/config.ign")), (0o700, 0o600));
        let refused = format!("{:#}", apply(&edits, dir.path()).unwrap_err());
        assert!(refused.contains("config.ign is there already"), "{refused}");
    }
}
