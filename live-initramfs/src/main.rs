//! Does the work of the initramfs units in `live-initramfs/dracut`, and of the units of a live
//! system in `systemd-units`: each unit runs one subcommand.
//! Under other names the program is what systemd and Ignition look for under those.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use nestos_host::exit::Exit;
use nestos_host::term;

use first_boot::config;
use first_boot::kargs::{self, Demand};

mod console;
mod disk;
mod emergency;
mod first_boot;
mod inst;
mod live;
mod network;
mod user_config;
mod var;

/// Steps of a NestOS boot; started by units, not by hand
#[derive(Debug, Parser)]
#[command(name = "nestos-live", version)]
struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Clone, Subcommand)]
enum Step {
    /// Hand the config that the installer left on the boot partition to Ignition
    SetupUserConfig,
    /// Start the network and wait until an address is there
    NetworkUp,
    /// Leave every interface as it was found, for the real root to configure
    NetworkDown,
    /// Replace the file system UUIDs that every copy of the image shares
    NewUuids,
    /// Grow the root partition and file system to the end of the disk
    GrowRoot,
    /// Mount the stateful /var of the deployment
    MountVar,
    /// Create the directories of /var
    PopulateVar,
    /// Refuse a config that would make the system's own partitions anew
    CheckConfig,
    /// Change kernel arguments (Ignition calls this as ignition-kargs-helper)
    Kargs {
        /// An argument that must be there
        #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
        should_exist: Vec<String>,
        /// An argument that must not be there
        #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
        should_not_exist: Vec<String>,
    },
    /// Restart the machine if kernel arguments changed
    KargsReboot,
    /// Say on every console why the boot stopped, and wait
    Emergency,
    /// Write the units of a live boot (systemd calls this as nestos-live-generator)
    Generate {
        /// Directories for units of normal, high and low priority
        dirs: Vec<PathBuf>,
    },
    /// Hand the config in a live initramfs to Ignition
    LiveConfig,
    /// Find, check or fetch the root file system of a live system
    LiveRootfs,
    /// Show ostree-prepare-root the deployment of a live system as a kernel argument
    LiveOstree {
        /// Before or after it ran
        what: Argument,
    },
    /// Make /etc and /var of a live system writable
    LiveState,
    /// Make way for a /var that the config of a live system brings
    LiveReleaseVar,
    /// Succeed in a live system (Ignition calls this as is-live-image)
    IsLive,
    /// Install without a person, and greet one
    #[command(subcommand)]
    Inst(inst::Step),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Argument {
    Add,
    Remove,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // The kernel runs the script /init with what it was not told the meaning of: no command line
    // of ours, and nothing of it may be refused.
    if args.get(1).is_some_and(|first| first == "init") {
        return live::init::run(args.into_iter().skip(2));
    }
    match step(&Args::parse_from(by_name(args)).step) {
        Ok(exit) => exit.into(),
        Err(err) => {
            term::error(&err);
            Exit::Failed.into()
        }
    }
}

/// Puts the subcommand behind a name that stands for one.
fn by_name(mut args: Vec<OsString>) -> Vec<OsString> {
    let name = args.first().and_then(|arg| Path::new(arg).file_name()?.to_str());
    let step: &[&str] = match name {
        Some("nestos-live-generator") => &["generate"],
        Some("is-live-image") => &["is-live"],
        Some("nestos-installer-generator") => &["inst", "generate"],
        Some("nestos-eject") => &["inst", "eject"],
        Some("ignition-kargs-helper") => &["kargs"],
        _ => return args,
    };
    args.splice(1..1, step.iter().map(OsString::from));
    args
}

fn step(step: &Step) -> Result<Exit> {
    match step {
        Step::SetupUserConfig => user_config::set_up(),
        Step::NetworkUp => network::up(),
        Step::NetworkDown => network::down(),
        Step::NewUuids => disk::new_uuids(),
        Step::GrowRoot => disk::grow_root(),
        Step::MountVar => var::mount(),
        Step::PopulateVar => var::populate(),
        Step::CheckConfig => config::check(),
        Step::Kargs { should_exist, should_not_exist } => kargs::apply(&Demand {
            present: should_exist.clone(),
            absent: should_not_exist.clone(),
        }),
        Step::KargsReboot => kargs::reboot(),
        Step::Emergency => emergency::explain(),
        Step::Generate { dirs } => live::generator::run(dirs),
        Step::LiveConfig => live::config::set_up(),
        Step::LiveRootfs => live::rootfs::provide(),
        Step::LiveOstree { what: Argument::Add } => live::state::add_ostree(),
        Step::LiveOstree { what: Argument::Remove } => live::command_line::remove_ostree(),
        Step::LiveState => live::state::set_up(),
        Step::LiveReleaseVar => live::state::release_var(),
        Step::IsLive => {
            let live = live::is_live(Path::new("/"))?;
            return Ok(if live { Exit::Done } else { Exit::Failed });
        }
        Step::Inst(step) => inst::run(step),
    }?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn names_of_links_stand_for_steps() {
        let step = |args: &[&str]| {
            Args::parse_from(by_name(args.iter().map(OsString::from).collect())).step
        };
        let dirs = ["/usr/lib/systemd/system-generators/nestos-live-generator", "/n", "/e", "/l"];
        assert!(matches!(step(&dirs), Step::Generate { dirs } if dirs.len() == 3));
        assert!(matches!(step(&["is-live-image"]), Step::IsLive));
        let kargs =
            step(&["ignition-kargs-helper", "--should-exist", "-a", "--should-exist", "b=1"]);
        assert!(matches!(kargs, Step::Kargs { should_exist, .. } if should_exist == ["-a", "b=1"]));
        assert!(matches!(step(&["nestos-live", "live-rootfs"]), Step::LiveRootfs));
    }
}
