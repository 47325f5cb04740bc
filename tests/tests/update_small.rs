//! The smallest machine that the guide allows: one processor, 512 MiB, a disk of 10 GiB. It boots
//! and takes an image from a registry.

use std::time::Duration;

use anyhow::{Result, ensure};
use nestos_tests::{BOOT_TIME, Checks, OFF_TIME, Registry, Suite, timed};
use nestos_vm::{Disk, Firmware, Format, Machine, SshKey};

const IMPORT_TIME: Duration = Duration::from_secs(600);
const CONFIG: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: nest
      ssh_authorized_keys:
        - SSH_KEY
storage:
  files:
    - path: /etc/containers/registries.conf.d/e2e.conf
      contents:
        inline: |
REGISTRY
"#;

#[test]
fn half_a_gigabyte_is_enough_for_an_update() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("update_small")? else { return Ok(()) };
    let Some(archive) = suite.next_image()? else { return Ok(()) };
    let registry = Registry::start(&suite.dir().join("registry"))?;
    registry.push(&format!("oci-archive:{}", archive.display()), "nestos:stable")?;
    let key = SshKey::generate()?;
    let conf: String = registry.guest_conf().lines().map(|l| format!("          {l}\n")).collect();
    let text = CONFIG.replace("SSH_KEY", &key.public()?).replace("REGISTRY\n", &conf);
    let config = suite.compile("config", &text)?;
    let vm = Machine::new("update-small")
        .firmware(Firmware::Bios)
        .cpus(1)
        .memory_mib(512)
        .disk(Disk::overlay(suite.image("qemu")?, Format::Qcow2))
        .ignition(&config)
        .start()?;
    let ssh = timed("first boot", || vm.wait_ssh("nest", &key, 2 * BOOT_TIME))?;
    let ssh = ssh.timeout(IMPORT_TIME);
    let reference = format!("ostree-unverified-registry:{}", registry.guest_name("nestos:stable"));
    timed("rebase", || ssh.check(&format!("sudo nestos-updater rebase {reference}")))?;
    let killed = ssh.check("sudo journalctl --boot --dmesg --grep 'Out of memory' || true")?;
    ensure!(!killed.contains("Killed process"), "memory ran out: {killed}");
    timed("going down", || vm.reboot(ssh, OFF_TIME))?;
    let ssh = timed("boot into the new image", || vm.wait_ssh("nest", &key, 2 * BOOT_TIME))?;
    let mut checks = Checks::new(&ssh);
    checks.prints("nestos-updater status --json | jq -c '[.deployments[].booted]'", "[true,false]");
    checks.prints("test -x /usr/bin/tree", "");
    checks.no_failed_units();
    checks.finish()?;
    drop(ssh);
    vm.done()
}
