//! The command line of `installnestos`: types only.

use std::path::PathBuf;

use clap::{ArgGroup, Parser};
use reqwest::Url;

pub use super::lang::Lang;
use crate::digest::Digest;
use crate::fetch::Retries;

/// Install NestOS by answering four questions
///
/// Asks for a user name, a password and a disk, confirms, installs the system
/// of the running live medium and reboots. The user may become root with sudo
/// and logs in with the password. At the confirmation, "more" opens further
/// settings: ssh keys, host name, network, time zone, kernel arguments and
/// updates. A < goes back to the question before.
///
/// Without a terminal the answers are read as lines from standard input: user,
/// password, password again, disk (an empty line takes the default), yes.
/// A wrong answer then ends the program before the disk is touched.
#[derive(Debug, Parser)]
#[command(name = "installnestos", version, max_term_width = 80)]
#[command(group = ArgGroup::new("image").args(["image_file", "image_url"]))]
pub struct WizardArgs {
    /// Image on a local file system instead of the live medium's
    #[arg(short = 'f', long, value_name = "PATH")]
    pub image_file: Option<PathBuf>,

    /// Image on a web server instead of the live medium's
    #[arg(short = 'u', long, value_name = "URL", value_parser = crate::fetch::parse_url)]
    pub image_url: Option<Url>,

    /// Digest of the image file as stored: sha256:HEX
    #[arg(long, value_name = "DIGEST")]
    pub image_digest: Option<Digest>,

    /// Keys that may sign images, instead of the system's; may be repeated
    #[arg(long, value_name = "PATH")]
    pub keyring: Vec<PathBuf>,

    /// Accept an image that nobody signed
    #[arg(long)]
    pub insecure: bool,

    /// How often a failed download starts again: a number or "infinite"
    #[arg(long, value_name = "N", default_value = "3")]
    pub fetch_retries: Retries,

    /// Language; the default is that of the locale
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,

    /// Take the answers from FILE and ask nothing
    ///
    /// The file is YAML; its keys are described in docs/installnestos.md. One
    /// that is incomplete or has unknown keys is refused, and so is one with a
    /// password or hash that others can read.
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,

    /// Write the answers to FILE, without the password
    #[arg(long, value_name = "FILE")]
    pub save_answers: Option<PathBuf>,

    /// Check everything and say what would be done, but touch no disk
    #[arg(long)]
    pub dry_run: bool,

    /// Do not reboot when the installation is complete
    #[arg(long)]
    pub no_reboot: bool,

    /// Only write the manual page to DIR; for packagers
    #[arg(long, value_name = "DIR", hide = true, exclusive = true)]
    pub man: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_its_help_fits_80_columns() {
        WizardArgs::command().debug_assert();
        let help = WizardArgs::command().term_width(80).render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
