//! `nestos-installer`: the command line.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use nestos_host::exit::Exit;
use nestos_host::{interrupt, term};
use nestos_installer::cli::{
    Cli, Command, DevCommand, DevExtractCommand, DevShowCommand, InstallArgs, PackCommand,
};
use nestos_installer::install::post_process;
use nestos_installer::request::{InstallRequest, PostProcessRequest};
use nestos_installer::{
    dev, download, fiemap, install, iso, list_stream, man, miniso, options, osmet, pxe, restart,
};

const NAME: &str = "nestos-installer";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Install(args) => with_option_files(*args).and_then(run),
        Command::Download(args) => download::run(&(*args).into()),
        Command::ListStream(args) => {
            list_stream::run(&args.from.source(), args.json.into(), args.fetch_retries)
        }
        Command::Completion(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
            term::result(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Iso(command) => iso::commands::run(command),
        Command::Pxe(command) => pxe::run(command),
        Command::Pack(command) => pack(command),
        Command::Dev(command) => run_dev(command),
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

fn pack(command: PackCommand) -> anyhow::Result<()> {
    match command {
        PackCommand::Osmet(args) => osmet::pack(&args.into()),
        PackCommand::MinimalIso(args) => miniso::pack(&args),
    }
}

fn run_dev(command: DevCommand) -> anyhow::Result<()> {
    match command {
        DevCommand::Show(DevShowCommand::Fiemap(args)) => {
            fiemap::show(&args.path, args.json.into())
        }
        DevCommand::Extract(DevExtractCommand::Osmet(args)) => {
            osmet::extract(&args.osmet, &args.repository, &args.to)
        }
        DevCommand::Show(DevShowCommand::Iso(args)) => dev::show_iso(&args),
        DevCommand::Show(DevShowCommand::Initrd(args)) => dev::show_initrd(&args),
        DevCommand::Extract(DevExtractCommand::Initrd(args)) => dev::extract_initrd(&args),
    }
}

/// Reads the command line again, with what option files say before it.
fn with_option_files(args: InstallArgs) -> anyhow::Result<InstallArgs> {
    if args.config_file.is_empty() {
        return Ok(args);
    }
    let given: Vec<OsString> = env::args_os().collect();
    let all = options::expand(&given, &args.config_file, args.device.is_some())
        .context("cannot install; no disk was touched")?;
    match Cli::parse_from(all).command {
        Command::Install(args) => Ok(*args),
        other => anyhow::bail!("option files are for install, not for {other:?}"),
    }
}

fn run(args: InstallArgs) -> anyhow::Result<()> {
    interrupt::watch(|| term::status("interrupted; the disk was not touched"))?;
    let (reboot, dry_run) = (args.reboot, args.dry_run);
    if args.secure_ipl {
        term::warning("--secure-ipl has no effect on this kind of machine");
    }
    if args.post_process_only {
        post_process::run(&PostProcessRequest::try_from(args)?)?;
        return if reboot { restart::reboot() } else { Ok(()) };
    }
    let request = InstallRequest::try_from(args)?;
    if dry_run {
        return install::check(request);
    }
    let report = install::run(request)?;
    if reboot {
        restart::into(report.disk())
    } else if report.is_on_a_disk() {
        restart::offer(report.disk())
    } else {
        Ok(())
    }
}
