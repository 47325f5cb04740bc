//! A config that Ignition refuses must stop the boot, and say so where a person looks.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use nestos_tests::{BOOT_TIME, Suite, timed};
use nestos_vm::{Disk, Firmware, Format, Machine};

/// How long a boot that should have stopped is watched; from there a login prompt takes less.
const QUIET_TIME: Duration = Duration::from_secs(60);

#[test]
fn a_config_that_ignition_refuses_stops_the_boot_with_advice() -> Result<()> {
    let Some(suite) = Suite::find("broken_ignition")? else { return Ok(()) };
    let config = suite.dir().join("broken.ign");
    fs::write(&config, r#"{"ignition":{"version":"9.9.9"}}"#)?;
    let vm = Machine::new("broken-ignition")
        .firmware(Firmware::Uefi)
        .disk(Disk::overlay(suite.image("qemu")?, Format::Qcow2))
        .ignition(&config)
        .start()?;
    let serial = vm.serial();
    timed("boot until it is stopped", || {
        serial.expect("Ignition could not apply the configuration", BOOT_TIME)?;
        serial.expect("ignition-validate", BOOT_TIME)
    })?;
    let reached = serial.expect_any(&["login:", "Reached target multi-user"], QUIET_TIME);
    ensure!(reached.is_err(), "the system was started all the same:\n{}", serial.tail());
    ensure!(vm.is_running(), "the machine switched itself off, with its message");
    vm.done()
}
