//! `installnestos`: the conversation.

use std::process::ExitCode;

use clap::Parser;
use nestos_host::exit::Exit;
use nestos_host::term;
use nestos_installer::wizard::cli::WizardArgs;
use nestos_installer::wizard::{Outcome, run};

fn main() -> ExitCode {
    match run(WizardArgs::parse()) {
        Ok(Outcome::Installed) => Exit::Done.into(),
        Ok(Outcome::Declined) => Exit::Failed.into(),
        Err(e) => {
            term::error(&e);
            Exit::Failed.into()
        }
    }
}
