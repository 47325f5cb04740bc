//! nosa, the image builder of NestOS: config -> root file system -> ostree commit -> disk images.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::{CommandFactory, Parser};
use nestos_formats::disk_layout::Arch;
use nestos_host::cmd::Cmd;
use nestos_host::exit::Exit;
use nestos_host::term::{self, WithHint};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;

mod build;
mod calendar;
mod chroot;
mod cli;
mod commit;
mod compress;
mod config;
mod container;
mod digest;
mod disk;
mod init;
mod live;
mod packages;
mod push;
mod release_meta;
mod scratch;
mod space;
mod steps;
mod tree;
mod workdir;

use build::{Fetch, Redo, Session, Wanted};
use cli::{Cli, Command, Extend, Mirrored, Target};
use disk::Kind;
use init::{InitRequest, Occupied};
use live::Effort;
use packages::Mirror;
use workdir::WorkDir;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let workdir = cli.workdir.clone();
    // What lands in an image must not depend on who builds it.
    umask(Mode::from_bits_truncate(0o022));
    match run(cli).map_err(|err| space::explain(err, &workdir)) {
        Ok(()) => Exit::Done.into(),
        Err(err) => {
            term::error(&err);
            Exit::Failed.into()
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let open = |mirrored: Mirrored| -> Result<Session> {
        let mirror = mirrored.mirror.map_or(Mirror::OfHost, Mirror::Given);
        Session::open(WorkDir::open(&cli.workdir)?, arch()?, &mirror)
    };
    match cli.command {
        Command::Init(args) => init(&cli.workdir, args),
        Command::Fetch(mirrored) => open(mirrored)?.fetch(),
        Command::Build(args) => {
            require_root("build")?;
            let wanted = wanted(&args.targets, effort(args.fast));
            let fetch = if args.fetch { Fetch::Always } else { Fetch::IfNeeded };
            open(args.mirrored)?.build(&wanted, fetch, redo(args.force))
        }
        Command::BuildextendQemu(args) => extend(open, args, image(Kind::Qemu)),
        Command::BuildextendMetal(args) => extend(open, args, image(Kind::Metal)),
        Command::BuildextendMetal4k(args) => extend(open, args, image(Kind::Metal4k)),
        Command::BuildextendLive(args) => {
            let live = Some(effort(args.fast));
            extend(open, args.extend, Wanted { kinds: vec![], live })
        }
        Command::PushContainer(args) => push::push(&WorkDir::open(&cli.workdir)?, arch()?, &args),
        Command::GenerateReleaseMeta(args) => {
            release_meta::generate(&WorkDir::open(&cli.workdir)?, &args)
        }
        Command::Compress(args) => compress::run(&cli.workdir, &arch()?.to_string(), &args),
        Command::List => list(&WorkDir::open(&cli.workdir)?),
        Command::Basearch => {
            term::result(arch()?);
            Ok(())
        }
        Command::Man => write_manual(&cli.workdir),
    }
}

fn write_manual(dir: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .with_context(|| format!("cannot write manual pages to {}", dir.display()))
}

fn init(root: &std::path::Path, args: cli::Init) -> Result<()> {
    let occupied = if args.force { Occupied::Use } else { Occupied::Refuse };
    let request = InitRequest {
        config: args.config,
        subdir: args.subdir,
        branch: args.branch,
        tools_root: args.tools_root,
        occupied,
    };
    std::fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
    init::init(root, &request)
}

fn image(kind: Kind) -> Wanted {
    Wanted { kinds: vec![kind], live: None }
}

fn extend(open: impl Fn(Mirrored) -> Result<Session>, args: Extend, wanted: Wanted) -> Result<()> {
    require_root(&format!("buildextend-{}", wanted.name()))?;
    let redo = redo(args.force);
    open(args.mirrored)?.extend(&wanted, args.build.as_deref(), redo)
}

/// Owners in the tree, mounts for programs that run in it, and immutable deployments take root.
fn require_root(command: &str) -> Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    Err(anyhow!("nosa {command} needs root: it makes a tree whose files belong to root"))
        .hint(format!("sudo nosa {command}"))
}

fn redo(force: bool) -> Redo {
    if force { Redo::Yes } else { Redo::No }
}

fn effort(fast: bool) -> Effort {
    if fast { Effort::Fast } else { Effort::Thorough }
}

/// Without a target: the qemu image. The commit and its container image are always made.
fn wanted(targets: &[Target], effort: Effort) -> Wanted {
    if targets.is_empty() {
        term::status("no target given: making the container image and the qemu image");
        return image(Kind::Qemu);
    }
    let mut wanted = Wanted::default();
    for target in targets {
        match target {
            Target::Ostree => {}
            Target::Qemu => wanted.kinds.push(Kind::Qemu),
            Target::Metal => wanted.kinds.push(Kind::Metal),
            Target::Metal4k => wanted.kinds.push(Kind::Metal4k),
            Target::Live => wanted.live = Some(effort),
        }
    }
    wanted
}

fn arch() -> Result<Arch> {
    Ok(Cmd::new("uname").arg("-m").output()?.trim().parse()?)
}

fn list(workdir: &WorkDir) -> Result<()> {
    let builds = workdir.builds()?;
    if builds.builds.is_empty() {
        term::result("No builds!");
    }
    for build in &builds.builds {
        term::result(&build.id);
        for arch in &build.arches {
            let meta = workdir.meta(&build.id, arch)?;
            let images = meta.images.keys().map(String::as_str);
            let images: Vec<&str> = images.filter(|name| *name != build::ARCHIVE).collect();
            term::result(format!("   Timestamp: {}", meta.ostree_timestamp));
            term::result(format!("   Artifacts: {arch}: ostree {}", images.join(" ")));
        }
    }
    Ok(())
}
