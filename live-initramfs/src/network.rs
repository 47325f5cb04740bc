//! Network in the initramfs: NetworkManager, told by the same profiles as in the real root. Kernel
//! arguments (dracut.cmdline(7)) become profiles; those that came with the medium or with the
//! installation replace them. What was said explicitly is handed to the real root, which finds
//! the interfaces untouched.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_formats::command_line::CommandLine;
use nestos_formats::live_media::Flavour;
use nestos_host::atomic;
use nestos_host::cmd::Cmd;
use nestos_host::term;

use crate::console;
use crate::live::{command_line, source_is_remote};

/// Ignition asks for the network by this file.
const NEEDED: &str = "/run/ignition/neednet";
/// Profiles that NetworkManager reads besides those in /etc.
const PROFILES: &str = "/run/NetworkManager/system-connections";
/// Where the generator of profiles leaves a host name.
const HOSTNAME: &str = "/run/NetworkManager/initrd/hostname";
const GENERATOR: &str = "/usr/libexec/nm-initrd-generator";
/// Profiles that the installer left on the boot partition.
pub(crate) const FROM_DISK: &str = "/run/nestos/firstboot-network";
/// Between two tries to get an address.
const ADDRESS_PAUSE: Duration = Duration::from_secs(10);
const STATE: &str = "/run/NetworkManager";

/// Kernel arguments that say how an interface is set up.
const ARGUMENTS: [&str; 10] = [
    "ip",
    "rd.route",
    "nameserver",
    "vlan",
    "bond",
    "team",
    "bridge",
    "bootdev",
    "rd.peerdns",
    "rd.ethtool",
];
/// Values of `ip=` that say no more than the default does.
const AUTOMATIC: [&str; 8] = ["", "on", "any", "dhcp", "dhcp6", "auto", "auto6", "dhcp,dhcp6"];

/// Brings the network up if something in the initramfs needs it, and waits for an address.
pub(crate) fn up() -> Result<()> {
    let line = CommandLine::parse(&command_line::read()?);
    if !Path::new(NEEDED).exists() && !source_is_remote(&line) {
        return Ok(());
    }
    make_profiles(&line)?;
    for dir in ["/var/lib/NetworkManager", STATE] {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {dir}"))?;
    }
    // Switches and DHCP servers may come up after a whole rack did. What needs the network would
    // wait for ever, too, but on interfaces that nobody sets up any more.
    loop {
        let done =
            Cmd::new("NetworkManager").args(["--configure-and-quit=initrd", "--no-daemon"]).run();
        if let Err(err) = done {
            term::warning(format!("cannot set the network up: {err:#}"));
        }
        if has_address()? {
            break;
        }
        console::say(&format!(
            "No network address yet; trying again in {} s.",
            ADDRESS_PAUSE.as_secs()
        ));
        std::thread::sleep(ADDRESS_PAUSE);
    }
    resolve(Path::new("/etc/resolv.conf"))
}

/// Returns whether an interface has an address that leads beyond its own link.
fn has_address() -> Result<bool> {
    let listed =
        Cmd::new("ip").args(["-oneline", "address", "show", "scope", "global"]).output()?;
    Ok(!listed.trim().is_empty())
}

/// Lets name resolution find the servers that NetworkManager was told.
fn resolve(conf: &Path) -> Result<()> {
    let known = Path::new(STATE).join("resolv.conf");
    if conf.exists() || !known.exists() {
        return Ok(());
    }
    fs::copy(&known, conf).map(drop).with_context(|| format!("cannot write {}", conf.display()))
}

/// Takes the network down and hands profiles to the real root.
pub(crate) fn down() -> Result<()> {
    let line = CommandLine::parse(&command_line::read()?);
    make_profiles(&line)?;
    let given = given_profiles().is_some();
    let to = Path::new("/sysroot/etc/NetworkManager/system-connections");
    match handed(&line, given, has_files(to)) {
        Some(over) => {
            copy_all(Path::new(PROFILES), to, over)?;
            copy_hostname(Path::new("/sysroot/etc/hostname"))?;
        }
        None => term::status("no network profile is handed to the real root"),
    }
    if Path::new(NEEDED).exists() || source_is_remote(&line) {
        take_down()?;
    }
    remove(Path::new(STATE))
}

/// What is done with a profile that the real root has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
}

/// Decides whether profiles are handed over: those that came with the medium or the installation
/// always, those of kernel arguments when they say something and the config brought none.
fn handed(line: &CommandLine, given: bool, root_has_some: bool) -> Option<Existing> {
    if line.own_flag("no_persist_ip") {
        return None;
    }
    if line.own_flag("force_persist_ip") {
        return Some(Existing::Replace);
    }
    (given || (says_something(line) && !root_has_some)).then_some(Existing::Keep)
}

fn says_something(line: &CommandLine) -> bool {
    ARGUMENTS
        .iter()
        .any(|name| line.values(name).any(|value| *name != "ip" || !AUTOMATIC.contains(&value)))
}

/// Fills the directory of profiles, unless that was done.
fn make_profiles(line: &CommandLine) -> Result<()> {
    if has_files(Path::new(PROFILES)) {
        return Ok(());
    }
    fs::create_dir_all(PROFILES).with_context(|| format!("cannot create {PROFILES}"))?;
    if let Some(given) = given_profiles() {
        return copy_all(&given, Path::new(PROFILES), Existing::Replace);
    }
    // Without an argument that says how, every wired interface asks for an address.
    let args = line.args().chain(["rd.neednet=1"]);
    Cmd::new(GENERATOR).arg("--").args(args).run()
}

/// Returns the directory of profiles that replace those of kernel arguments.
fn given_profiles() -> Option<PathBuf> {
    let live = Flavour::ALL.into_iter().map(|f| Path::new("/").join(f.firstboot_network()));
    live.chain([PathBuf::from(FROM_DISK)]).find(|dir| has_files(dir))
}

fn has_files(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut list| list.next().is_some())
}

/// Copies files; NetworkManager ignores profiles that others may read.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<()> {
    copy_all(from, to, Existing::Replace)
}

fn copy_all(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    let list = || format!("cannot list {}", from.display());
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(list)? {
        let path = entry.with_context(list)?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
        let place = to.join(name);
        if existing == Existing::Keep && place.exists() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        atomic::write(&place, &bytes, 0o600)?;
    }
    Ok(())
}

fn copy_hostname(to: &Path) -> Result<()> {
    let name = match fs::read(HOSTNAME) {
        Ok(name) if !to.exists() => name,
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {HOSTNAME}")),
    };
    atomic::write(to, &name, 0o644)
}

/// Leaves every interface as it was found.
fn take_down() -> Result<()> {
    let net = Path::new("/sys/class/net");
    for entry in fs::read_dir(net).context("cannot list /sys/class/net")? {
        let entry = entry.context("cannot list /sys/class/net")?;
        let name = entry.file_name();
        if name == "lo" {
            continue;
        }
        if !entry.path().join("device").exists() {
            // Bonds, VLANs and bridges are made anew. One may have gone with another.
            drop(Cmd::new("ip").args(["link", "delete", "dev"]).arg(&name).run());
            continue;
        }
        Cmd::new("ip").args(["addr", "flush", "dev"]).arg(&name).run()?;
        Cmd::new("ip").args(["link", "set", "down", "dev"]).arg(&name).run()?;
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).or_else(|e| match e.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(e).with_context(|| format!("cannot remove {}", dir.display())),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn profiles_are_handed_over_as_the_command_line_and_the_config_say() {
        use Existing::{Keep, Replace};
        for (line, given, root_has_some, expected) in [
            ("", false, false, None),
            ("ip=dhcp", false, false, None),
            ("ip=eth0:dhcp", false, false, Some(Keep)),
            ("ip=eth0:dhcp", false, true, None),
            ("nameserver=192.0.2.1", false, false, Some(Keep)),
            ("", true, true, Some(Keep)),
            ("nestos.no_persist_ip", true, false, None),
            ("coreos.no_persist_ip=1 ip=eth0:dhcp", false, false, None),
            ("coreos.force_persist_ip", false, true, Some(Replace)),
        ] {
            let line = CommandLine::parse(line);
            assert_eq!(handed(&line, given, root_has_some), expected, "{line:?}");
        }
    }

    #[test]
    fn profiles_are_readable_for_root_alone_and_those_of_the_config_win() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("a.nmconnection"), "new").unwrap();
        fs::write(from.path().join("b.nmconnection"), "new").unwrap();
        fs::write(to.path().join("b.nmconnection"), "config").unwrap();
        copy_all(from.path(), to.path(), Existing::Keep).unwrap();
        let read = |name: &str| fs::read_to_string(to.path().join(name)).unwrap();
        assert_eq!([read("a.nmconnection"), read("b.nmconnection")], ["new", "config"]);
        let mode = fs::metadata(to.path().join("a.nmconnection")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        copy_all(from.path(), to.path(), Existing::Replace).unwrap();
        assert_eq!(read("b.nmconnection"), "new");
    }
}
