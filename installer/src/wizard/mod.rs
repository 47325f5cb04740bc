//! `installnestos`: user, password, disk, go. Four answers on a terminal, or six lines from a
//! pipe in the order user, password, password again, disk, confirmation.
//!
//! The config it makes never leaves memory except into the disk: no file, argument, environment
//! variable or message holds the password or its hash.

mod ask;
pub mod cli;
mod disk;
mod messages;
mod user;

use anyhow::{Context, Result, bail};
use nestos_formats::disk_layout::Arch;
use nestos_host::cmd::Cmd;
use nestos_host::disk_use::Sources;
use nestos_host::term::WithHint;
use nestos_host::{disks, interrupt, term};

use crate::boot::{self, BootEdits};
use crate::config::{CheckedConfig, ConfigSource, Loading};
use crate::fetch::Retries;
use crate::install;
use crate::request::{Handling, ImageChoice, InstallRequest, Output, Proof};
use crate::selector::DeviceSpec;

use ask::Answers;
use cli::WizardArgs;
use messages::Messages;

/// What became of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The system is installed.
    Installed,
    /// The user said no; nothing was touched.
    Declined,
}

/// Holds the conversation and installs.
pub fn run(args: WizardArgs) -> Result<Outcome> {
    let messages = Messages::choose(args.lang);
    let farewell = messages.interrupted;
    interrupt::watch(move || {
        ask::restore_echo();
        term::status("");
        term::status(farewell);
    })?;
    let asked = converse(&args, messages).with_context(|| messages.untouched)?;
    let Some(request) = asked else {
        term::status(messages.declined);
        return Ok(Outcome::Declined);
    };
    install::run(request)?;
    if args.no_reboot {
        term::status(messages.finished);
    } else {
        term::status(messages.rebooting);
        Cmd::new("systemctl").arg("reboot").run()?;
    }
    Ok(Outcome::Installed)
}

/// Asks until everything is known; `None` if the user does not want to install.
fn converse(args: &WizardArgs, messages: &'static Messages) -> Result<Option<InstallRequest>> {
    // What would fail at the end is found out before the first question.
    boot::check_editable().hint("start it with: sudo installnestos")?;
    let image = ImageChoice::given_or_live(args.image_file.clone(), args.image_url.clone())?;
    let proof =
        Proof { digest: args.image_digest, unsigned: args.insecure.into(), ..Proof::default() };

    term::status(messages.welcome);
    let mut answers = Answers::from_stdin(messages);
    let user = answers.until_valid(messages.user, str::parse::<user::UserName>)?;
    let password = user::ask_password(&mut answers, messages)?;
    let device = disk::ask(&mut answers, messages, &disks::list(&Sources::system()))?;
    term::status(messages.erase.replace("{}", &device.display().to_string()));
    if !answers.confirm(messages.confirm)? {
        return Ok(None);
    }
    let config = user::config(&user, &password.hash()?);
    let retries = Retries::from(args.fetch_retries);
    let config = CheckedConfig::load(&ConfigSource::Text(config), Loading { retries, hash: None })?;
    let boot = BootEdits { config: Some(config), ..BootEdits::default() };
    Ok(Some(InstallRequest {
        device: DeviceSpec::Path(device),
        image,
        proof,
        architecture: Arch::of_this_program(),
        boot,
        retries,
        handling: Handling::default(),
        output: Output::default(),
    }))
}

/// Ends a conversation in which nobody can correct an answer.
fn give_up<T>(reason: &str) -> Result<T> {
    bail!("{reason}")
}
