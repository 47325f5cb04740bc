//! The command line of nestos-updater.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use nestos_formats::image_ref::OstreeImageRef;

/// Move this node to another image, and back
///
/// A node follows the tag of a container image. `rebase` chooses the image, `upgrade` takes what
/// the tag names now, `rollback` goes back to the deployment before. What they write is booted at
/// the next reboot; /etc and /var stay. The daemon does the same by itself, in its reboot windows,
/// and goes back when the new deployment fails its health checks.
#[derive(Debug, Parser)]
#[command(name = "nestos-updater", version, propagate_version = true)]
pub struct Cli {
    /// Work on the system below PATH instead of the running one
    #[arg(long, global = true, value_name = "PATH", default_value = "/")]
    pub sysroot: PathBuf,
    /// Credentials for registries (containers-auth.json)
    #[arg(long, global = true, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
    /// Print no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What nestos-updater can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the deployments
    ///
    /// The first one boots next; a dot marks the one that runs.
    Status(Status),
    /// Move to another image
    ///
    /// The image is imported and staged; it boots at the next reboot, and the node follows its tag
    /// from then on. Example:
    ///
    ///   nestos-updater rebase ostree-unverified-registry:registry.example.com/nestos:stable
    Rebase(Rebase),
    /// Take what the tag of the current image names now
    Upgrade(Upgrade),
    /// Make the deployment before the default again
    ///
    /// A staged deployment is dropped. The daemon does not take the image that was rolled back
    /// from again; `upgrade --allow-denied` does.
    Rollback(Rollback),
    /// Follow the tag, stage, reboot; run by nestos-updater.service
    Daemon,
    /// Judge this boot; run by nestos-updater-health.service
    Health,
    /// Put the staged deployment on trial; run at shutdown
    #[command(hide = true)]
    Arm,
    /// Import an image into a repository, without a deployment
    #[command(hide = true)]
    Pull(Pull),
    /// Write the manual pages into DIR; for packagers
    #[command(hide = true)]
    Man {
        /// Where to
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Show checksums, digests of all deployments, denied images and the daemon's state
    #[arg(short, long)]
    pub verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `rebase`.
#[derive(Debug, Args)]
pub struct Rebase {
    /// ostree-unverified-registry:HOST/NAME:TAG, or ostree-unverified-image:TRANSPORT:NAME
    #[arg(value_name = "IMAGE")]
    pub image: OstreeImageRef,
    /// How
    #[command(flatten)]
    pub change: Change,
}

/// Arguments of `upgrade`.
#[derive(Debug, Args)]
pub struct Upgrade {
    /// Only say whether there is something new
    #[arg(long, conflicts_with = "reboot")]
    pub check: bool,
    /// How
    #[command(flatten)]
    pub change: Change,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Reboot at once
    #[arg(short, long)]
    pub reboot: bool,
    /// Go there even if that deployment failed its health check or did not boot here
    #[arg(long)]
    pub allow_denied: bool,
}

/// What all changes take.
#[derive(Debug, Args)]
pub struct Change {
    /// Reboot when it is done
    #[arg(short, long)]
    pub reboot: bool,
    /// Take the image even if it failed its health check or was rolled back here
    #[arg(long)]
    pub allow_denied: bool,
    /// Accepted for rpm-ostree's sake: no other update driver is asked
    #[arg(long)]
    pub bypass_driver: bool,
}

/// Arguments of `pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// The repository
    #[arg(long, value_name = "DIR")]
    pub repo: PathBuf,
    /// The image
    #[arg(value_name = "IMAGE")]
    pub image: OstreeImageRef,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_fits_a_terminal() {
        Cli::command().debug_assert();
        for mut command in Cli::command().get_subcommands().cloned() {
            let help = command.render_long_help().to_string();
            assert!(help.lines().all(|l| l.chars().count() <= 100), "{help}");
        }
    }

    #[test]
    fn the_commands_of_the_guide_are_taken() {
        for line in [
            "rebase ostree-unverified-registry:registry.example.com/nestos:1.0.20240903.0-x86_64",
            "rebase ostree-unverified-registry:h/nestos/nestos-test:demo-strace --bypass-driver",
            "upgrade",
            "rollback",
            "status",
            "status -v",
        ] {
            let words = std::iter::once("nestos-updater").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        assert!(Cli::try_parse_from(["nestos-updater", "rebase", "h/nestos:1"]).is_err());
    }
}
