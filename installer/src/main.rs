//! `nestos-installer`: the command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use nestos_host::cmd::Cmd;
use nestos_host::exit::Exit;
use nestos_host::{interrupt, term};
use nestos_installer::cli::{Cli, Command, InstallArgs};
use nestos_installer::request::InstallRequest;
use nestos_installer::{install, man};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Install(args) => run(*args),
        Command::Man(args) => man::write(Cli::command(), &args.directory),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(e) => {
            term::error(&e);
            Exit::Failed.into()
        }
    }
}

fn run(args: InstallArgs) -> anyhow::Result<()> {
    interrupt::watch(|| term::status("interrupted; the disk was not touched"))?;
    let (reboot, dry_run) = (args.reboot, args.dry_run);
    let request = InstallRequest::try_from(args)?;
    if dry_run {
        return install::check(request);
    }
    install::run(request)?;
    if !reboot {
        return Ok(());
    }
    Cmd::new("systemctl").arg("reboot").run().context("NestOS is installed, but cannot reboot")
}
