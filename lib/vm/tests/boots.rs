//! A real kernel under the harness: console, saving and starting from what was saved, reset and
//! power-off. The kernel comes from `NESTOS_TEST_KERNEL`; its initramfs is made of the host's
//! shell.

mod initramfs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::term;
use nestos_vm::{DirectBoot, Disk, Format, Machine, Vm};

const BOOT_TIME: Duration = Duration::from_secs(120);
const ANSWER_TIME: Duration = Duration::from_secs(30);

fn kernel() -> Option<PathBuf> {
    let kernel = std::env::var_os("NESTOS_TEST_KERNEL").map(PathBuf::from);
    if kernel.is_none() {
        term::warning("SKIPPED: set NESTOS_TEST_KERNEL to a kernel to boot it in QEMU");
    }
    kernel
}

fn machine(kernel: PathBuf, dir: &Path) -> Result<Machine> {
    let (initrd, base) = (dir.join("initrd"), dir.join("base.raw"));
    initramfs::write(&initrd)?;
    File::create(&base)?.set_len(8 << 20)?;
    let command_line = "console=ttyS0 loglevel=4 panic=-1 mitigations=off".to_owned();
    Ok(Machine::new("harness")
        .cpus(1)
        .memory_mib(256)
        .work_below(dir)
        .disk(Disk::overlay(base, Format::Raw).size(32 << 20))
        .direct_boot(DirectBoot { kernel, initrd, command_line }))
}

/// Types a line and waits for what it prints. The console shows the typed line too, so that must
/// not contain the answer.
fn ask(vm: &Vm, line: &str, answer: &str) -> Result<()> {
    vm.serial().send_line(line)?;
    vm.serial().expect(answer, ANSWER_TIME)
}

#[test]
fn a_machine_boots_is_saved_and_goes_on_twice_from_there() -> Result<()> {
    let Some(kernel) = kernel() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let saved_in = dir.path().join("saved");

    let vm = machine(kernel, dir.path())?.start()?;
    vm.serial().expect(initramfs::READY, BOOT_TIME)?;
    ask(&vm, "x=41; echo answer $((x + 1))", "answer 42")?;
    let saved = vm.save(&saved_in)?;

    let first = saved.start()?;
    ask(&first, "x=$((x + 1)); echo answer $x", "answer 42")?;
    assert!(first.ssh_port().is_some_and(|port| port > 0));
    first.done()?;

    let second = nestos_vm::SavedMachine::load(&saved_in)?.start()?;
    ask(&second, "echo answer $((x + 2))", "answer 43")?;
    second.reset()?;
    second.wait_reset(ANSWER_TIME)?;
    second.serial().expect(initramfs::READY, BOOT_TIME)?;
    ask(&second, "echo ans''wer [$x]", "answer []")?;
    second.serial().send_line("echo o > /proc/sysrq-trigger")?;
    second.wait_off(ANSWER_TIME)?;
    second.done()?;

    let left: Vec<_> = fs::read_dir(dir.path())?.map(|e| e.map(|e| e.file_name())).collect();
    assert_eq!(left.len(), 3, "only initrd, base.raw and saved stay: {left:?}");
    Ok(())
}

#[test]
fn a_machine_that_cannot_start_says_why() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let machine = Machine::new("m").work_below(dir.path()).extra_args(["-device", "no-such"]);
    let Err(error) = machine.start() else { anyhow::bail!("it started") };
    let message = format!("{error:#}");
    if message.contains("cannot find QEMU") {
        term::warning("SKIPPED: there is no QEMU");
        return Ok(());
    }
    assert!(message.contains("cannot start machine m: QEMU ended at once"), "{message}");
    assert!(message.contains("'no-such' is not a valid device"), "{message}");
    let kept = fs::read_dir(dir.path())?.next().context("the logs are gone")??;
    assert!(kept.path().join("qemu.log").exists());
    Ok(())
}
