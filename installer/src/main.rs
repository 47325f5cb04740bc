//! `nestos-installer`: the command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use nestos_host::cmd::Cmd;
use nestos_host::exit::Exit;
use nestos_host::{interrupt, term};
use nestos_installer::cli::{Cli, Command, InstallArgs};
use nestos_installer::install;
use nestos_installer::request::InstallRequest;

fn main() -> ExitCode {
    let Cli { command: Command::Install(args) } = Cli::parse();
    match run(args) {
        Ok(()) => Exit::Done.into(),
        Err(e) => {
            term::error(&e);
            Exit::Failed.into()
        }
    }
}

fn run(args: InstallArgs) -> anyhow::Result<()> {
    interrupt::watch(|| term::status("interrupted; the disk was not touched"))?;
    let reboot = args.reboot;
    install::run(InstallRequest::try_from(args)?)?;
    if !reboot {
        return Ok(());
    }
    Cmd::new("systemctl").arg("reboot").run().context("NestOS is installed, but cannot reboot")
}
