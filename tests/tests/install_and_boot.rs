//! The whole way of a disk: used before, installed to, booted for the first and the second time
//! on UEFI, then, in the full run, on BIOS.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nestos_formats::disk_layout::{self, Arch};
use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_host::cmd::Cmd;
use nestos_tests::{BOOT_TIME, Checks, OFF_TIME, StaleDisk, Suite, timed};
use nestos_vm::{Disk, Firmware, Format, Machine, Ssh, SshKey};

const GIB: u64 = 1 << 30;
const DISK_SIZE: u64 = 10 * GIB;
/// A kernel argument that GRUB would take apart if nobody quoted it.
const KARG: &str = r#"x="a;b c""#;
const KARG_MEANING: &str = "x=a;b c";

const CONFIG: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: ada
      groups:
        - wheel
      ssh_authorized_keys:
        - SSH_KEY
storage:
  directories:
    - path: /var/lib/e2e
      mode: 0750
  files:
    - path: /etc/e2e/greeting
      mode: 0640
      contents:
        inline: |
          hello from Ignition
    - path: /etc/sudoers.d/e2e
      mode: 0440
      contents:
        inline: |
          ada ALL=(ALL) NOPASSWD: ALL
  links:
    - path: /etc/e2e/link
      target: greeting
systemd:
  units:
    - name: e2e.service
      enabled: true
      contents: |
        [Unit]
        Description=A unit from the config
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/usr/bin/touch /run/e2e-was-here
        [Install]
        WantedBy=multi-user.target
"#;

#[test]
fn a_used_disk_is_installed_to_and_boots_on_uefi_twice_and_on_bios() -> Result<()> {
    let Some(suite) = Suite::find("install_and_boot")? else { return Ok(()) };
    let key = SshKey::generate()?;
    let config = suite.compile("config", &CONFIG.replace("SSH_KEY", &key.public()?))?;
    let disk = StaleDisk::create(&suite.dir().join("disk.raw"), DISK_SIZE)?;
    let device = disk.attach()?;
    suite.install(device.path(), &config, &[KARG])?;
    only_the_new_system_is_on(device.path())?;
    drop(device);

    let vm = machine(&disk, Firmware::Uefi).start()?;
    // The menu names the version; the installed system's GRUB talks to the serial console.
    timed("menu", || vm.serial().expect(&suite.version()?, BOOT_TIME))?;
    let ssh = timed("first boot on UEFI", || vm.wait_ssh("ada", &key, BOOT_TIME))?;
    timed("checks after the first boot", || check_first_boot(&ssh))?;
    timed("opening ssh to passwords", || check_password_switch(&ssh))?;
    timed("a second deployment", || deploy_again(&ssh))?;
    timed("going down for a reboot", || vm.reboot(ssh, OFF_TIME))?;
    let ssh = timed("second boot on UEFI", || vm.wait_ssh("ada", &key, BOOT_TIME))?;
    timed("checks after the second boot", || check_later_boot(&ssh))?;
    drop(ssh);
    timed("switching off", || vm.power_off(OFF_TIME))?;
    vm.done()?;
    if !suite.is_full() {
        return Ok(());
    }

    let vm = machine(&disk, Firmware::Bios).start()?;
    let ssh = timed("boot of the same disk on BIOS", || vm.wait_ssh("ada", &key, BOOT_TIME))?;
    timed("checks on BIOS", || check_later_boot(&ssh))?;
    drop(ssh);
    vm.done()
}

fn machine(disk: &StaleDisk, firmware: Firmware) -> Machine {
    Machine::new("install-and-boot")
        .firmware(firmware)
        .cpus(2)
        .disk(Disk::in_place(disk.path(), Format::Raw))
}

/// Nothing of the disk's past may be left where a tool looks for it.
fn only_the_new_system_is_on(device: &Path) -> Result<()> {
    let probe = Cmd::new("blkid").args(["--probe", "--output", "export"]).arg(device).output()?;
    ensure!(probe.contains("PTTYPE=gpt"), "{} holds {probe}", device.display());
    let table = Cmd::new("sfdisk").arg("--json").arg(device).output()?;
    let table: serde_json::Value = serde_json::from_str(&table).context("sfdisk's JSON")?;
    let partitions = table["partitiontable"]["partitions"].as_array();
    let names: Vec<_> =
        partitions.into_iter().flatten().map(|p| p["name"].as_str().unwrap_or_default()).collect();
    let expected = disk_layout::partitions(Arch::X86_64).map(|p| p.label);
    ensure!(names == expected, "the partitions are {names:?}, not {expected:?}");
    Ok(())
}

fn check_first_boot(ssh: &Ssh) -> Result<()> {
    let mut checks = Checks::new(ssh);
    checks.no_failed_units();
    check_config_is_applied(&mut checks);
    check_system_is_immutable(&mut checks);
    checks.judge("df --block-size=1 --output=size /sysroot | tail -n 1", |size| {
        match size.trim().parse::<u64>() {
            Ok(bytes) if bytes > DISK_SIZE - GIB => Ok(()),
            _ => Err(format!("root did not grow to a disk of {DISK_SIZE} bytes")),
        }
    });
    checks
        .judge("cat /proc/cmdline", |line| has_kargs(line, &[KARG_MEANING, "ignition.firstboot"]));
    checks.judge("sudo journalctl -b -o cat -u ignition-files.service", |journal| {
        let finished = journal.contains("Finished ") && !journal.contains("Failed ");
        if finished { Ok(()) } else { Err("Ignition's files stage did not succeed".to_owned()) }
    });
    for unit in ["docker.service", "docker.socket"] {
        // is-enabled exits with 1 for a disabled unit.
        checks.prints(&format!("systemctl is-enabled {unit} || true"), "disabled");
    }
    let groups = "wheel sudo adm systemd-journal docker";
    checks.prints(&format!("getent group {groups} | cut -d: -f1 | tr '\\n' ' '"), groups);
    checks.finish()
}

fn check_config_is_applied(checks: &mut Checks<'_>) {
    checks.prints("sudo cat /etc/e2e/greeting", "hello from Ignition");
    checks.prints("stat -c '%a %U:%G' /etc/e2e/greeting", "640 root:root");
    checks.prints("stat -c '%F %a %U:%G' /var/lib/e2e", "directory 750 root:root");
    checks.prints("readlink /etc/e2e/link", "greeting");
    checks.prints("systemctl is-active e2e.service", "active");
    checks.prints("stat -c %F /run/e2e-was-here", "regular empty file");
    checks.judge("id --groups --name", |groups| {
        let is_member = groups.split(' ').any(|group| group == "wheel");
        if is_member { Ok(()) } else { Err("ada is not in wheel".to_owned()) }
    });
}

fn check_system_is_immutable(checks: &mut Checks<'_>) {
    checks.refuses_writing("sudo touch /e2e");
    checks.refuses_writing("sudo touch /usr/e2e");
    checks.refuses_writing("sudo rm /usr/lib/os-release");
}

/// Follows chapter 9.2 of the guide.
fn check_password_switch(ssh: &Ssh) -> Result<()> {
    const DROP_IN: &str = "/etc/ssh/sshd_config.d/40-disable-passwords.conf";
    const ASK: &str = "sudo sshd -T | grep -i '^passwordauthentication '";
    let mut checks = Checks::new(ssh);
    checks.prints(ASK, "passwordauthentication no");
    let edit = format!(
        "sudo sed -i 's/^PasswordAuthentication no$/PasswordAuthentication yes/' {DROP_IN}"
    );
    checks.prints(&edit, "");
    checks.prints("sudo systemctl restart sshd", "");
    checks.prints(ASK, "passwordauthentication yes");
    checks.finish()
}

/// Lets libostree write boot entries of its own, as an update does: they must keep the kernel
/// arguments, and the menu must put the newest first.
fn deploy_again(ssh: &Ssh) -> Result<()> {
    let mut checks = Checks::new(ssh);
    let deploy = "sudo ostree admin deploy $(sudo ostree refs) > /dev/null 2>&1; echo $?";
    checks.prints(deploy, "0");
    checks.prints("ls /boot/loader/entries | wc -l", "2");
    checks.prints("grep -h '^options ' /boot/loader/entries/* | grep -c 'x=\"a;b c\"'", "2");
    checks.finish()
}

fn check_later_boot(ssh: &Ssh) -> Result<()> {
    let mut checks = Checks::new(ssh);
    checks.no_failed_units();
    checks.judge("cat /proc/cmdline", |line| {
        has_kargs(line, &[KARG_MEANING])?;
        match has_kargs(line, &["ignition.firstboot"]) {
            Ok(()) => Err("this is no first boot".to_owned()),
            Err(_) => Ok(()),
        }
    });
    checks.judge("sudo ostree admin status", |status| {
        let deployments: Vec<&str> = status.lines().filter(|l| l.contains(" nestos ")).collect();
        match deployments[..] {
            [first, second] if first.contains(".1") && first.starts_with("* ") => {
                if second.contains(".0") { Ok(()) } else { Err("no older deployment".to_owned()) }
            }
            _ => Err("the newest of two deployments should be booted".to_owned()),
        }
    });
    checks.prints("systemctl is-active e2e.service", "active");
    checks.prints("sudo cat /etc/e2e/greeting", "hello from Ignition");
    check_system_is_immutable(&mut checks);
    checks.finish()
}

/// Requires that the kernel sees each of `wanted` as one argument.
fn has_kargs(command_line: &str, wanted: &[&str]) -> Result<(), String> {
    let kargs: KernelArgs = command_line.parse().map_err(|e| format!("{e}"))?;
    for name in wanted {
        if !kargs.iter().map(Karg::as_str).any(|karg| karg == *name) {
            return Err(format!("the kernel sees no argument `{name}`"));
        }
    }
    Ok(())
}
