//! The commands of `pxe`: initramfs that are given configs and settings by archives after them.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::live_media::{CONFIG, Features, Flavour};
use nestos_host::{atomic, term};
use serde::Serialize;

use crate::cli::{
    PxeCommand, PxeCustomizeArgs, PxeIgnitionCommand, PxeIgnitionWrapArgs, PxeNetworkCommand,
    PxeNetworkWrapArgs,
};
use crate::config::embedded;
use crate::customize::summary::Summary;
use crate::customize::{Given, Medium, keyfiles};
use crate::initrd::{LiveInitrd, Members};
use crate::iso::commands::{give_out, read_input};
use crate::iso::patch::{Output, new_file};
use crate::list_stream::Layout;
use crate::stdout;

/// Only the owner reads what holds a config.
const MODE: u32 = 0o600;

/// Runs a command.
pub fn run(command: PxeCommand) -> Result<()> {
    match command {
        PxeCommand::Describe(args) => describe(&args.image, args.json.into()),
        PxeCommand::Customize(args) => customize(*args),
        PxeCommand::Ignition(command) => match command {
            PxeIgnitionCommand::Wrap(args) => wrap_ignition(&args),
            PxeIgnitionCommand::Unwrap(args) => {
                let members = added(args.initrd.as_deref())?;
                stdout::write(members.get(CONFIG).context("No embedded Ignition config.")?)
            }
        },
        PxeCommand::Network(command) => match command {
            PxeNetworkCommand::Wrap(args) => wrap_network(&args),
            PxeNetworkCommand::Unwrap(args) => {
                let members = added(args.initrd.as_deref())?;
                let directories = Flavour::ALL.map(Flavour::firstboot_network);
                give_out(&members, &directories, args.directory.as_deref())
            }
        },
    }
}

fn customize(args: PxeCustomizeArgs) -> Result<()> {
    let given = Given::read(args.customize)?;
    let output = Output::new(Some(args.output));
    output.check()?;
    let mut source = open(&args.initrd)?;
    let shown = args.initrd.display();
    let live = LiveInitrd::read(&source).with_context(|| format!("cannot customize {shown}"))?;
    if live.is_customised() {
        bail!("cannot customize {shown}: input is already customized");
    }
    let readable = source.metadata()?.permissions().mode() & 0o666;
    let made = Medium { flavour: live.flavour, features: &live.features }.customize(&given)?;
    let archive = if made.members.is_empty() { vec![] } else { made.members.pack()? };
    source.seek(SeekFrom::Start(0))?;
    let mut append = |out: &mut dyn Write| -> Result<()> {
        io::copy(&mut source, out)?;
        out.write_all(&archive)?;
        Ok(out.flush()?)
    };
    match &output {
        Output::File(path) => {
            let mode = if made.members.is_empty() { readable } else { MODE };
            new_file(path, mode, |file| append(&mut BufWriter::with_capacity(1 << 20, file)))
                .with_context(|| format!("cannot write {}", path.display()))?;
            if mode == MODE {
                let shown = path.display();
                term::status(format!(
                    "Only you can read {shown}: it may hold secrets. A server that runs as another \
                     user needs to: chgrp GROUP {shown} && chmod 640 {shown}"
                ));
            }
        }
        _ => append(&mut io::stdout().lock()).context("cannot write to standard output")?,
    }
    made.notices.iter().for_each(term::status);
    if made.members.get(CONFIG).is_some() {
        term::status(
            "The kernel arguments of the PXE boot must include \
             `ignition.firstboot ignition.platform.id=metal`, unless the image adds them itself.",
        );
    }
    Ok(())
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

fn wrap_ignition(args: &PxeIgnitionWrapArgs) -> Result<()> {
    let (name, bytes) = read_input(args.ignition_file.as_deref())?;
    let mut members = Members::default();
    members.insert(CONFIG, embedded::as_given(bytes, &name)?);
    write(&members, args.output.as_deref())
}

fn wrap_network(args: &PxeNetworkWrapArgs) -> Result<()> {
    let directory = Flavour::from(args.system).firstboot_network();
    let mut members = Members::default();
    for file in keyfiles(&args.keyfile)? {
        members.insert(format!("{directory}/{}", file.name), file.bytes);
    }
    write(&members, args.output.as_deref())
}

/// Writes an initramfs; one that is there already is replaced.
fn write(members: &Members, output: Option<&Path>) -> Result<()> {
    match output.filter(|path| *path != Path::new("-")) {
        Some(path) => atomic::write(path, &members.pack()?, MODE),
        None => {
            stdout::refuse_terminal()?;
            stdout::write(&members.pack()?)
        }
    }
}

/// Reads what was added to an initramfs.
fn added(initrd: Option<&Path>) -> Result<Members> {
    let wanted = |path: &str| {
        let below = |f: &Flavour| path.starts_with(&format!("{}/", f.firstboot_network()));
        path == CONFIG || Flavour::ALL.iter().any(below)
    };
    let source: Box<dyn Read> = match initrd.filter(|path| *path != Path::new("-")) {
        Some(path) => Box::new(open(path)?),
        None => Box::new(io::stdin().lock()),
    };
    Members::read(source, wanted)
}

/// What `pxe describe --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Description {
    kind: &'static str,
    system: &'static str,
    build: String,
    size: u64,
    rootfs_included: bool,
    customized: bool,
    embedded: Summary,
    features: Features,
}

fn describe(path: &Path, layout: Layout) -> Result<()> {
    let file = open(path)?;
    let live =
        LiveInitrd::read(&file).with_context(|| format!("cannot describe {}", path.display()))?;
    let described = Description {
        kind: "live-initramfs",
        system: live.flavour.title(),
        build: live.build.clone(),
        size: file.metadata()?.len(),
        rootfs_included: live.members.get(&live.flavour.rootfs_stamp()).is_some(),
        customized: live.is_customised(),
        embedded: Summary::of(&live.members, live.flavour),
        features: live.features.clone(),
    };
    if layout == Layout::Json {
        term::result(serde_json::to_string_pretty(&described)?);
        return Ok(());
    }
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut pairs = vec![
        ("image", format!("{} live initramfs", described.system)),
        ("build", described.build.clone()),
        ("rootfs included", yes_no(described.rootfs_included)),
        ("customized", yes_no(described.customized)),
    ];
    pairs.extend(described.embedded.lines());
    for (what, which) in pairs {
        term::result(format!("{:17}{which}", format!("{what}:")));
    }
    Ok(())
}
