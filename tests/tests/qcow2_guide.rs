//! The user guide's 8.2.1: an overlay on the qcow2 image, the board `pc`, the config by fw_cfg.
//! The machine is then saved, and two others go on from there.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use nestos_tests::{BOOT_TIME, Checks, Suite, timed};
use nestos_vm::{Chipset, Disk, Firmware, Format, Machine, SshKey, Vm};

const LOGIN_TIME: Duration = Duration::from_secs(120);
const CONFIG: &str = "variant: nestos
version: 1.0.0
passwd:
  users:
    - name: nest
      ssh_authorized_keys:
        - SSH_KEY
storage:
  files:
    - path: /etc/e2e
      mode: 0644
      contents:
        inline: configured by fw_cfg
";

#[test]
fn the_qcow2_image_takes_its_config_from_fw_cfg() -> Result<()> {
    let Some(suite) = Suite::find("qcow2_guide")? else { return Ok(()) };
    let key = SshKey::generate()?;
    let config = suite.compile("config", &CONFIG.replace("SSH_KEY", &key.public()?))?;
    let vm = Machine::new("qcow2-guide")
        .firmware(Firmware::Bios)
        .chipset(Chipset::Pc)
        .memory_mib(2048)
        .disk(Disk::overlay(suite.image("qemu")?, Format::Qcow2))
        .ignition(&config)
        .start()?;
    let ssh = timed("first boot of the qcow2", || vm.wait_ssh("nest", &key, BOOT_TIME))?;
    timed("checks", || {
        let mut checks = Checks::new(&ssh);
        checks.prints("cat /etc/e2e", "configured by fw_cfg");
        checks.prints("id --user --name", "nest");
        checks.no_failed_units();
        checks.finish()
    })?;
    drop(ssh);
    check_saving(vm, &key, &suite.dir().join("saved"))
}

/// What one copy of a saved machine writes, the next does not see.
fn check_saving(vm: Vm, key: &SshKey, dir: &Path) -> Result<()> {
    let saved = timed("saving", || vm.save(dir))?;
    for copy in ["first", "second"] {
        let vm = timed(&format!("start of the {copy} copy"), || saved.start())?;
        let ssh = timed("login", || vm.wait_ssh("nest", key, LOGIN_TIME))?;
        let mut checks = Checks::new(&ssh);
        checks.prints("cat /etc/e2e", "configured by fw_cfg");
        checks.prints("test ! -e ~/mark && touch ~/mark && sync", "");
        checks.finish()?;
        drop(ssh);
        vm.done()?;
    }
    Ok(())
}
