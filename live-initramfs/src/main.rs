//! Does the work of the initramfs units in `live-initramfs/dracut`: each unit runs one subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nestos_host::exit::Exit;
use nestos_host::term;

mod disk;
mod emergency;
mod network;
mod user_config;
mod var;

/// Initramfs steps of a NestOS boot; started by units, not by hand
#[derive(Debug, Parser)]
#[command(name = "nestos-live", version)]
struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Clone, Copy, Subcommand)]
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
    /// Mount the stateful /var of the deployment and create its directories
    MountVar,
    /// Say on every console why the boot stopped, and wait
    Emergency,
}

fn main() -> ExitCode {
    let done = match Args::parse().step {
        Step::SetupUserConfig => user_config::set_up(),
        Step::NetworkUp => network::up(),
        Step::NetworkDown => network::down(),
        Step::NewUuids => disk::new_uuids(),
        Step::GrowRoot => disk::grow_root(),
        Step::MountVar => var::mount(),
        Step::Emergency => emergency::explain(),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(err) => {
            term::error(&err);
            Exit::Failed.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
