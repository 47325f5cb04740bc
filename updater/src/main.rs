//! `nestos-updater`: the command line.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use nestos_host::cmd::Cmd;
use nestos_host::exit::Exit;
use nestos_host::{mount, term};
use nestos_updater::cli::{Cli, Command, Pull, Status};
use nestos_updater::daemon::paths::Paths;
use nestos_updater::daemon::state_file::StateFile;
use nestos_updater::import::{Progress, Silent};
use nestos_updater::progress::Shown;
use nestos_updater::status::{self, Detail};
use nestos_updater::sysroot::{Deployer, System, pull_into};
use nestos_updater::verbs::{self, Changed, Denied};
use nestos_updater::{daemon, fetch, health};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(e) => {
            term::error(&e);
            Exit::Failed.into()
        }
    }
}

fn run(cli: &Cli) -> Result<Exit> {
    let paths = Paths::under(&cli.sysroot);
    let done = |changed, reboot| finish(changed, reboot).map(|()| Exit::Done);
    match &cli.command {
        Command::Status(args) => show(&system(cli, Shows::No), &paths, args),
        Command::Rebase(args) => {
            let system = changing(cli, Shows::Progress)?;
            let changed = verbs::rebase(&system, &paths, &args.image, &args.change)?;
            done(changed, args.change.reboot)
        }
        Command::Upgrade(args) if args.check => {
            verbs::check(&system(cli, Shows::No), &paths).map(|()| Exit::Done)
        }
        Command::Upgrade(args) => {
            let system = changing(cli, Shows::Progress)?;
            done(verbs::upgrade(&system, &paths, &args.change)?, args.change.reboot)
        }
        Command::Rollback(args) => {
            let system = changing(cli, Shows::No)?;
            let denied = if args.allow_denied { Denied::Allow } else { Denied::Refuse };
            done(verbs::rollback(&system, &paths, denied)?, args.reboot)
        }
        Command::Daemon => service(cli, |system| daemon::run::run(system, &paths)),
        Command::Health => service(cli, |system| health::run(system, &paths)),
        Command::Arm => service(cli, |system| health::arm(system, &paths)),
        Command::Pull(args) => pull(cli, args),
        Command::Man { dir } => std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
            .with_context(|| format!("cannot write manual pages to {}", dir.display()))
            .map(|()| Exit::Done),
    }
}

/// Whether progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Progress,
    No,
}

fn progress(cli: &Cli, shows: Shows) -> Box<dyn Progress + Send> {
    if shows == Shows::No || cli.quiet { Box::new(Silent) } else { Box::new(Shown::default()) }
}

fn fetch_options(cli: &Cli) -> fetch::Options {
    fetch::Options { authfile: cli.authfile.clone(), ..fetch::Options::default() }
}

fn system(cli: &Cli, shows: Shows) -> System {
    System::new(&cli.sysroot, fetch_options(cli), progress(cli, shows))
}

/// Names the system for a verb that changes it: in a mount namespace of our own, so that what
/// libostree makes writable stays read-only for everybody else. No thread runs yet.
fn changing(cli: &Cli, shows: Shows) -> Result<System> {
    if cli.sysroot == Path::new("/") {
        mount::enter_namespace()?;
    }
    Ok(system(cli, shows))
}

fn service(cli: &Cli, run: impl FnOnce(&dyn Deployer) -> Result<Exit>) -> Result<Exit> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .init();
    run(&changing(cli, Shows::No)?)
}

fn show(system: &System, paths: &Paths, args: &Status) -> Result<Exit> {
    let deployments = system.deployments()?;
    let state = StateFile::peek(&paths.state)?;
    if args.json {
        let text = serde_json::to_string_pretty(&status::json(&deployments, &state))?;
        term::result(text);
        return Ok(Exit::Done);
    }
    let detail = if args.verbose { Detail::Verbose } else { Detail::Brief };
    for line in status::lines(&deployments, &state, detail) {
        term::result(line);
    }
    Ok(Exit::Done)
}

fn pull(cli: &Cli, args: &Pull) -> Result<Exit> {
    let progress = progress(cli, Shows::Progress);
    let pulled = pull_into(&args.repo, &args.image, &fetch_options(cli), progress.as_ref())?;
    for warning in pulled.warnings() {
        term::warning(warning);
    }
    term::status(format!("{} layers fetched, {} already present", pulled.fetched, pulled.present));
    term::result(pulled.commit);
    Ok(Exit::Done)
}

fn finish(changed: Changed, reboot: bool) -> Result<()> {
    if !reboot || changed == Changed::No {
        return Ok(());
    }
    term::status("rebooting");
    Cmd::new("systemctl").arg("reboot").run().context("everything is written, but cannot reboot")
}
