//! `installnestos`: the conversation.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use nestos_host::exit::Exit;
use nestos_host::term;
use nestos_installer::man;
use nestos_installer::wizard::cli::WizardArgs;
use nestos_installer::wizard::{Outcome, run};

fn main() -> ExitCode {
    let args = WizardArgs::parse();
    let done = match &args.man {
        Some(dir) => man::write(WizardArgs::command(), dir).map(|()| None),
        None => run(args).map(Some),
    };
    match done {
        Ok(None | Some(Outcome::Installed)) => Exit::Done.into(),
        Ok(Some(Outcome::Declined)) => Exit::Failed.into(),
        Err(e) => {
            term::error(&e);
            Exit::Failed.into()
        }
    }
}
