//! The real root of a live system: installing without a person, and what a person finds at the
//! console. The units are in `systemd-units`; docs/live.md describes all of it.

mod arguments;
mod boot_count;
mod boot_next;
mod enter;
mod explain;
mod files;
mod generator;
mod greeting;
mod kernel;
mod mark;
mod options;
mod quiet;
mod run;
mod state;
mod target;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use nestos_formats::command_line::CommandLine;
use nestos_host::cmd::Cmd;
use nestos_host::{optical, term};
use nix::libc::O_NONBLOCK;

use crate::console;
pub(crate) use kernel::{load as load_kernel, started_directly};

use arguments::Afterwards;
use enter::Occasion;
use mark::Decision;
use state::State;

const SUCCESS_PORT: &str = "dev/virtio-ports/nestos.liveiso-success";
const SUCCESS: &[u8] = b"nestos-liveiso-success\n";
/// How long a person has to remove a medium that cannot be ejected; systemd-shutdown waits 90 s.
const TIME_TO_REMOVE: Duration = Duration::from_secs(80);

/// Steps of a live system in its real root.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Step {
    /// Decide what a live system does (systemd calls this as nestos-installer-generator)
    Generate {
        /// Directories for units of normal, high and low priority
        #[arg(num_args = 3)]
        dirs: Vec<PathBuf>,
    },
    /// Eject the medium at the end (systemd-shutdown calls this as nestos-eject)
    Eject {
        /// What the machine does next
        verb: Vec<String>,
    },
    /// Keep leftover arrays and volume groups from being put together
    QuietDisks,
    /// Start the installed system instead, if this installation has happened before
    Once,
    /// Install as the kernel arguments and option files ask
    Install,
    /// Prepare the way into the system that was installed
    Finish,
    /// Go that way
    Leave,
    /// Prepare the way into the system on a disk, for an installation by hand
    Enter {
        /// The disk
        disk: PathBuf,
    },
    /// Ask UEFI firmware to boot next what it booted now: before the extra reboot of a first boot
    BootAgain,
    /// Say on every console why the installation stopped
    Explain,
    /// Print what a person who logs in needs to know
    Greeting,
    /// Tell the test harness that the live system is up
    SayLive,
}

/// Said where nothing keeps the medium from installing again; a drive may pull a disc in again.
const AGAIN: &str = "The medium, or the network, would install again on the next start from it:\n\
    remove it, or see nestos.inst.once.\n";

/// Runs one step.
pub(crate) fn run(step: &Step) -> Result<()> {
    let root = Path::new("/");
    match step {
        // The second directory has the highest priority.
        Step::Generate { dirs } => dirs.get(1).map_or(Ok(()), |early| generator::run(root, early)),
        Step::Eject { .. } => eject(root),
        Step::QuietDisks => quiet::keep_disks_apart(root),
        Step::Once => once(root),
        Step::Install => run::install(root),
        Step::Finish => finish(root),
        Step::Leave => leave(root),
        Step::Enter { disk } => enter_by_hand(root, disk),
        Step::BootAgain => boot_again(root),
        Step::Explain => {
            explain::explain(root);
            Ok(())
        }
        Step::Greeting => {
            term::result(greeting::greeting(root).trim_end_matches('\n'));
            Ok(())
        }
        Step::SayLive => say_live(root),
    }
}

/// Asks UEFI firmware to boot next what it booted now; other firmware cannot be asked.
pub(crate) fn boot_again(root: &Path) -> Result<()> {
    boot_next::Variables::of(root).map_or(Ok(()), |variables| variables.boot_again())
}

fn command_line(root: &Path) -> Result<CommandLine> {
    let path = root.join("proc/cmdline");
    let text = fs::read_to_string(&path);
    Ok(CommandLine::parse(&text.with_context(|| format!("cannot read {}", path.display()))?))
}

/// Decides whether to install. If not, this never returns: the machine goes down, and no hook of
/// the installation may start until it does.
fn once(root: &Path) -> Result<()> {
    let line = command_line(root)?;
    let Some(id) = arguments::once(&line) else { return Ok(()) };
    // Disks that are still being found could carry the mark.
    Cmd::new("udevadm").arg("settle").run()?;
    let mut marks = Vec::new();
    for (disk, boot) in target::with_boot(root) {
        if let Some(mark) = mark::find(&boot)? {
            marks.push((PathBuf::from(disk.device), mark));
        }
    }
    let Decision::Boot(device) = mark::decide(Some(id), &marks) else { return Ok(()) };
    state::tell(root, &State::Already(device.clone()));
    let shown = device.display();
    console::write_below(
        root,
        &format!(
            "\nNestOS: nothing is installed. {shown} carries the mark of an installation\n\
             named \"{id}\" (nestos.inst.once): its system is started. To install again, give\n\
             nestos.inst.once another name, or leave it out.\n"
        ),
    );
    let disk = target::find(root, &device)?;
    let prepared = enter::prepare(root, &disk, Occasion::AlreadyThere)
        .inspect_err(|e| console::write_below(root, &(term::error_lines(e).join("\n") + "\n")))?;
    term::status(prepared.describe());
    leave(root)?;
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn finish(root: &Path) -> Result<()> {
    let path = run::installed_disk(root)?;
    let line = command_line(root)?;
    console::write_below(root, &format!("\nNestOS is installed on {}.\n", path.display()));
    // A regular file may stand for a disk; no firmware boots it.
    if !path.is_file() {
        let disk = target::find(root, &path)?;
        if let Some(id) = arguments::once(&line) {
            mark::leave(&target::boot_device(&disk)?, id)?;
        }
        let occasion = match arguments::afterwards(&line) {
            Afterwards::PowerOff => Occasion::InstalledThenOff,
            Afterwards::Reboot | Afterwards::Shell => Occasion::Installed,
        };
        let prepared = enter::prepare(root, &disk, occasion)?;
        let again = if arguments::once(&line).is_none() { AGAIN } else { "" };
        console::write_below(root, &(prepared.describe() + again));
    }
    state::tell(root, &State::Done(path));
    Ok(())
}

fn enter_by_hand(root: &Path, path: &Path) -> Result<()> {
    let disk = target::find(root, path)?;
    let prepared = enter::prepare(root, &disk, Occasion::Installed)?;
    term::status(prepared.describe());
    Ok(())
}

fn leave(root: &Path) -> Result<()> {
    Cmd::new("systemctl").args(["--no-block", &enter::verb(root)]).run()
}

/// Ejects the medium as the last program that runs; what it says can only go to the consoles.
fn eject(root: &Path) -> Result<()> {
    let Some(drive) = enter::to_eject(root) else { return Ok(()) };
    optical::eject(&drive).inspect_err(|e| {
        let text = format!("\n{e:#}\nRemove the medium now: the machine would start it again.\n");
        console::write_below(root, &text);
        std::thread::sleep(TIME_TO_REMOVE);
    })
}

fn say_live(root: &Path) -> Result<()> {
    let path = root.join(SUCCESS_PORT);
    let open = File::options().write(true).custom_flags(O_NONBLOCK).open(&path);
    open.and_then(|mut port| port.write_all(SUCCESS))
        .with_context(|| format!("cannot write to {}", path.display()))
}
