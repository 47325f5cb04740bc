//! A reader follows chapter 7 of the user guide: all its examples in one first boot, of a disk
//! image file that the installer wrote, on BIOS.

use std::fs::{self, File};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use nestos_tests::{BOOT_TIME, Checks, Suite, WebServer, guide, timed};
use nestos_vm::{Disk, Firmware, Format, Machine, Ssh, SshKey, Vm};

/// The remote file before compression.
const TOOL: &str = "#!/bin/sh\necho transmogrified\n";
/// The test vector of the specification of sha512-crypt, and its password.
const HASH: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
const PASSWORD: &str = "Hello world!";
/// Lets the checks look into what only root may read.
const SUDO: &str = "variant: nestos
version: 1.0.0
storage:
  files:
    - path: /etc/sudoers.d/e2e
      mode: 0440
      contents:
        inline: |
          nest ALL=(ALL) NOPASSWD: ALL
";

#[test]
fn every_example_of_chapter_7_is_applied_from_a_disk_image_file_on_bios() -> Result<()> {
    let Some(suite) = Suite::find("guide_chapter7")? else { return Ok(()) };
    let key = SshKey::generate()?;
    let archive = Cmd::new("gzip").args(["-n", "-c"]).input(TOOL).output_bytes()?;
    let server = WebServer::start("/path/to/archive.gz", archive)?;
    let config = suite.dir().join("chapter7.ign");
    fs::write(&config, guide::merged(&configs(&suite, &key, &server)?))?;

    let disk = suite.dir().join("disk.raw");
    File::create(&disk)?.set_len(10 << 30)?;
    suite.install(&disk, &config, &[])?;
    let vm = Machine::new("guide-chapter7")
        .firmware(Firmware::Bios)
        .disk(Disk::in_place(&disk, Format::Raw))
        .start()?;
    let ssh = timed("first boot on BIOS", || vm.wait_ssh("nest", &key, BOOT_TIME))?;
    timed("checks", || {
        let mut checks = Checks::new(&ssh);
        check_users(&mut checks, &key)?;
        check_files(&mut checks);
        check_unit(&mut checks);
        checks.finish()
    })?;
    timed("login of the other users by key", || others_log_in(&vm, &key))?;
    timed("login by password on the console", || log_in_on_console(&vm, &ssh))?;
    drop(ssh);
    vm.done()
}

/// Compiles each example, with its placeholders filled in.
fn configs(suite: &Suite, key: &SshKey, server: &WebServer) -> Result<Vec<Vec<u8>>> {
    let public = key.public()?;
    // One user has two keys, which must differ: in their comments here.
    let keys: Vec<_> = (1..=guide::KEYS.len()).map(|n| format!("{public} {n}")).collect();
    let mut in_users: Vec<_> =
        guide::KEYS.into_iter().zip(keys.iter().map(String::as_str)).collect();
    in_users.push((guide::PASSWORD_HASH, HASH));
    let digest = Cmd::new("sha512sum").input(TOOL).output()?;
    let digest = digest.split(' ').next().context("sha512sum printed nothing")?;
    let url = server.guest_url();
    let in_files = [(guide::REMOTE_FILE, url.as_str()), (guide::REMOTE_HASH, digest)];

    let examples = [
        ("users", guide::filled(guide::USERS, &in_users)?),
        ("network", guide::NETWORK.to_owned()),
        ("files", guide::filled(guide::FILES, &in_files)?),
        ("unit", guide::UNIT.to_owned()),
        ("root", guide::ROOT.to_owned()),
        ("sudo", SUDO.to_owned()),
    ];
    examples.iter().map(|(name, text)| Ok(fs::read(suite.compile(name, text)?)?)).collect()
}

/// 7.4.1 and 7.5.1.
fn check_users(checks: &mut Checks<'_>, key: &SshKey) -> Result<()> {
    let public = key.public()?;
    for user in ["nest", "jlebon", "miabbott"] {
        let home = format!("$(getent passwd {user} | cut -d: -f6)");
        let keys = format!("sudo cat {home}/.ssh/authorized_keys.d/ignition");
        checks.judge(&keys, |keys| {
            if keys.contains(&public) { Ok(()) } else { Err(format!("not the key of {user}")) }
        });
    }
    for (user, groups) in [("jlebon", &["wheel"][..]), ("miabbott", &["docker", "wheel"])] {
        checks.judge(&format!("id --groups --name {user}"), |of_user| {
            let lacks = |group: &&&str| !of_user.split(' ').any(|g| g == **group);
            match groups.iter().find(lacks) {
                Some(group) => Err(format!("{user} is not in {group}")),
                None => Ok(()),
            }
        });
    }
    let hash = |user| format!("sudo getent shadow {user} | cut -d: -f2");
    checks.prints(&hash("miabbott"), HASH);
    checks.prints(&hash("root"), "$1$root$CPjzNGH.NqmQ7rh26EeXv1");
    Ok(())
}

/// 7.4.2 and 7.4.3.
fn check_files(checks: &mut Checks<'_>) {
    let connection = "/etc/NetworkManager/system-connections/ens2.nmconnection";
    checks.prints(&format!("sudo stat -c '%a %U:%G' {connection}"), "600 root:root");
    checks.prints(&format!("sudo cat {connection}"), guide::CONNECTION);
    checks.prints("nmcli -g NAME connection show | grep '^ens2$'", "ens2");
    checks.prints("stat -c '%F' /opt/tools", "directory");
    checks.prints("stat -c '%a %U:%G' /var/helloworld", "644 dnsmasq:dnsmasq");
    checks.prints("cat /var/helloworld", "Hello, world!");
    checks.prints("stat -c '%a %U:%G' /opt/tools/transmogrifier", "555 root:root");
    checks.prints("cat /opt/tools/transmogrifier", TOOL);
    checks.prints("readlink /usr/local/bin/transmogrifier", "/opt/tools/transmogrifier");
    checks.prints("/usr/local/bin/transmogrifier", "transmogrified");
}

/// 7.4.4; that the unit runs needs an image from a registry.
fn check_unit(checks: &mut Checks<'_>) {
    checks.prints("systemctl is-enabled hello.service", "enabled");
    checks.prints("systemctl show --property=Description --value hello.service", "MyApp");
    checks.judge("cat /etc/systemd/system/hello.service", |unit| {
        let whole = guide::UNIT.lines().filter_map(|line| line.strip_prefix("        "));
        let missing = whole.filter(|line| !line.is_empty()).find(|line| !unit.contains(line));
        missing.map_or(Ok(()), |line| Err(format!("it lacks {line:?}")))
    });
}

fn others_log_in(vm: &Vm, key: &SshKey) -> Result<()> {
    for user in ["jlebon", "miabbott"] {
        let ssh = vm.wait_ssh(user, key, BOOT_TIME)?;
        let mut checks = Checks::new(&ssh);
        checks.prints("id --user --name", user);
        checks.finish()?;
    }
    Ok(())
}

/// The hash must be of use: the password that it was made from opens the console.
fn log_in_on_console(vm: &Vm, ssh: &Ssh) -> Result<()> {
    // Units that end late would write between the prompts.
    ssh.run("systemctl is-system-running --wait")?;
    let serial = vm.serial();
    serial.skip_to_end();
    serial.send_line("")?;
    serial.expect("login:", BOOT_TIME)?;
    serial.send_line("miabbott")?;
    serial.expect("assword:", BOOT_TIME)?;
    serial.send_line(PASSWORD)?;
    serial.expect("$ ", BOOT_TIME)?;
    // Typed apart, so that the echo is not taken for the answer.
    serial.send_line("echo I am $(id -un)")?;
    serial.expect("I am miabbott", BOOT_TIME)
}
