//! The live ISO as an optical disc in a machine without any network, the way an admin meets it: the
//! greeting, a look around, an installation by command, one in the conversation to a disk with
//! large sectors; then that disk alone, and in the full run the other one too.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nestos_tests::{BOOT_TIME, Shell, Suite, blank_disk, require_image_on, timed};
use nestos_vm::{BootDevice, Disk, Firmware, Format, Machine, Network, SectorSize, Vm};

const GIB: u64 = 1 << 30;
/// How long an installation may take in an emulated machine.
const INSTALL_TIME: Duration = Duration::from_secs(900);
/// How long a question of the conversation may take to come.
const QUESTION_TIME: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse 7";

/// A person's config: a user who can log in on the console.
const CONFIG: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: ada
      groups: [wheel, sudo]
      password_hash: "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
"#;
/// What the hash was made from.
const ADAS_PASSWORD: &str = "Hello world!";

#[test]
fn an_admin_installs_from_the_iso_without_a_network() -> Result<()> {
    let Some(suite) = Suite::find("live_iso")? else { return Ok(()) };
    let disk = |name| blank_disk(suite.dir(), name, 10 * GIB);
    let (plain, large) = (disk("vda")?, disk("vdb")?);
    let vm = Machine::new("live-iso")
        .firmware(Firmware::Uefi)
        .memory_mib(1024)
        .network(Network::None)
        .cdrom(suite.image("live-iso")?)
        .disk(Disk::in_place(&plain, Format::Raw))
        .disk(Disk::in_place(&large, Format::Raw).sector_size(SectorSize::Bytes4096))
        .boot_order([BootDevice::Cdrom])
        .port("nestos.liveiso-success")
        .start()?;
    timed("greeting", || vm.serial().expect("sudo installnestos", BOOT_TIME))?;
    let shell = Shell::of(&vm)?;
    timed("looking around", || look_around(&vm, &shell))?;
    let config = suite.compile("config", CONFIG)?;
    let config = std::fs::read_to_string(config)?;
    shell.write_file("example.ign", &config)?;
    timed("installing by command", || by_command(&shell, "/dev/vda"))?;
    timed("installing in the conversation", || in_conversation(&vm, "vdb"))?;
    vm.done()?;
    require_image_on(&plain, &suite.image("metal")?)?;
    require_image_on(&large, &suite.image("metal4k")?)?;
    timed("the disk of the conversation alone", || {
        boots(&large, SectorSize::Bytes4096, Firmware::Uefi, ("nest", PASSWORD))
    })?;
    if !suite.is_full() {
        return Ok(());
    }
    timed("the other disk alone", || {
        boots(&plain, SectorSize::Bytes512, Firmware::Bios, ("ada", ADAS_PASSWORD))
    })
}

fn look_around(vm: &Vm, shell: &Shell<'_>) -> Result<()> {
    ensure!(shell.check("id -un")? == "nest", "somebody else is logged in");
    let said = vm.serial().transcript();
    for text in ["nestos-installer install", "/dev/vda"] {
        ensure!(said.contains(text), "the greeting does not name {text}");
    }
    let (_, state) = shell.run_for("systemctl is-system-running --wait", BOOT_TIME)?;
    let failed = shell.check("systemctl --failed --plain --no-legend")?;
    ensure!(state == "running" && failed.is_empty(), "the system is {state}: {failed}");
    shell.check("is-live-image")?;
    let status = shell.check("ostree admin status")?;
    ensure!(status.contains("* nestos "), "ostree knows no booted deployment: {status}");
    shell.check("sudo touch /etc/e2e /var/e2e; ! sudo touch /usr/e2e 2>/dev/null")?;
    vm.wait_port("nestos.liveiso-success", "nestos-liveiso-success", QUESTION_TIME)
}

/// The guide's 8.3.2.
fn by_command(shell: &Shell<'_>, device: &str) -> Result<()> {
    let command = format!(
        "sudo nestos-installer install {device} --ignition-file example.ign \
         --console ttyS0,115200n8 </dev/null"
    );
    let (status, printed) = shell.run_for(&command, INSTALL_TIME)?;
    ensure!(status == 0, "the installer exited with {status}: {printed}");
    Ok(())
}

/// The guide's 8.3.1: user, password twice, disk, a last question; then it reboots.
fn in_conversation(vm: &Vm, disk: &str) -> Result<()> {
    let console = vm.serial();
    console.skip_to_end();
    vm.qmp().forget_events()?;
    console.send_line("stty echo; sudo installnestos")?;
    // Where both languages can be shown, that is the first question.
    if console.expect_any(&["Language", "User name:"], QUESTION_TIME)? == 0 {
        console.send_line("1")?;
        console.expect("User name:", QUESTION_TIME)?;
    }
    console.send_line("nest")?;
    let answers =
        [("Password", PASSWORD), ("same password again", PASSWORD), ("Disk to install to", disk)];
    for (question, answer) in answers {
        console.expect(question, QUESTION_TIME)?;
        console.send_line(answer)?;
    }
    console.expect("Type yes", QUESTION_TIME)?;
    console.send_line("yes")?;
    vm.wait_reset(INSTALL_TIME)
        .with_context(|| format!("the console ends with\n{}", console.tail()))
}

/// The disk alone has the system with its user.
fn boots(
    disk: &Path,
    sectors: SectorSize,
    firmware: Firmware,
    (user, password): (&str, &str),
) -> Result<()> {
    let vm = Machine::new("installed")
        .firmware(firmware)
        .network(Network::None)
        .disk(Disk::in_place(disk, Format::Raw).sector_size(sectors))
        .start()?;
    let shell = Shell::log_in(&vm, user, password, BOOT_TIME)?;
    healthy(&shell)?;
    let found = shell.check("cat /sys/block/vda/queue/logical_block_size")?;
    let expected = if sectors == SectorSize::Bytes4096 { "4096" } else { "512" };
    ensure!(found == expected, "the disk has sectors of {found} bytes");
    vm.done()
}

fn healthy(shell: &Shell<'_>) -> Result<()> {
    let (_, state) = shell.run_for("systemctl is-system-running --wait", BOOT_TIME)?;
    let failed = shell.check("systemctl --failed --plain --no-legend")?;
    ensure!(state == "running" && failed.is_empty(), "the system is {state}: {failed}");
    Ok(())
}
