//! The commands of `iso`: each reads an image, decides what changes, and writes that.

mod customize;
mod describe;
mod extract;
mod ignition;
mod kargs;
mod minimal;
mod network;

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::live_iso::{Access, LiveIso, read_extent};
use super::patch::{self, Output, Patch, Secrecy};
use crate::cli::{
    IsoArgs, IsoChangeArgs, IsoCommand, IsoExtractCommand, IsoIgnitionCommand,
    IsoIgnitionEmbedArgs, IsoKargsCommand, IsoNetworkCommand,
};

pub use describe::{Areas, areas};
pub(crate) use network::give_out;

/// Runs a command.
pub fn run(command: IsoCommand) -> Result<()> {
    match command {
        IsoCommand::Describe(args) => describe::run(&args.image, args.json.into()),
        IsoCommand::Customize(args) => customize::run(*args),
        IsoCommand::Ignition(command) => match command {
            IsoIgnitionCommand::Embed(args) => ignition::embed(args),
            IsoIgnitionCommand::Show(args) => ignition::show(&args.iso),
            IsoIgnitionCommand::Remove(args) => ignition::remove(args),
        },
        IsoCommand::Network(command) => match command {
            IsoNetworkCommand::Embed(args) => network::embed(args),
            IsoNetworkCommand::Extract(args) => network::extract(&args),
            IsoNetworkCommand::Remove(args) => network::remove(args),
        },
        IsoCommand::Kargs(command) => match command {
            IsoKargsCommand::Modify(args) => kargs::modify(args),
            IsoKargsCommand::Reset(args) => kargs::reset(args),
            IsoKargsCommand::Show(args) => kargs::show(&args),
        },
        IsoCommand::Extract(command) => match command {
            IsoExtractCommand::Pxe(args) => extract::pxe(&args),
            IsoExtractCommand::MinimalIso(args) => minimal::run(&args),
        },
        IsoCommand::Reset(args) => reset(args),
        IsoCommand::Embed(args) => {
            old("embed");
            ignition::embed(IsoIgnitionEmbedArgs {
                force: args.force,
                ignition_file: args.config,
                change: args.change,
            })
        }
        IsoCommand::Show(IsoArgs { iso }) => {
            old("show");
            ignition::show(&iso)
        }
        IsoCommand::Remove(args) => {
            old("remove");
            ignition::remove(args)
        }
    }
}

fn old(name: &str) {
    nestos_host::term::warning(format!("iso {name} is old; use iso ignition {name}"));
}

/// An image to change, and where the changed one goes.
struct Change {
    iso: LiveIso,
    output: Output,
}

impl Change {
    fn open(args: IsoChangeArgs) -> Result<Self> {
        let output = Output::new(args.output);
        output.check()?;
        let access = if output == Output::InPlace { Access::Change } else { Access::Read };
        Ok(Self { iso: LiveIso::open(&args.iso, access)?, output })
    }

    fn write(mut self, patches: Vec<Patch>) -> Result<()> {
        let secrecy = secrecy(&mut self.iso, &patches)?;
        let path = self.iso.path().to_owned();
        patch::write((&path, self.iso.file()), patches, &self.output, secrecy)
    }
}

/// A file with something embedded is its owner's alone.
fn secrecy(iso: &mut LiveIso, patches: &[Patch]) -> Result<Secrecy> {
    let Ok(area) = iso.ignition_area() else { return Ok(Secrecy::AsSource) };
    let embedded = match patches.iter().find(|patch| patch.at == area.offset) {
        Some(patch) => patch.bytes.iter().any(|byte| *byte != 0),
        None => read_extent(iso.file(), area)?.iter().any(|byte| *byte != 0),
    };
    Ok(if embedded { Secrecy::Private } else { Secrecy::AsSource })
}

/// Empties the area for configs, and restores the kernel arguments.
fn reset(args: IsoChangeArgs) -> Result<()> {
    let change = Change::open(args)?;
    let patches = pristine(&change.iso)?;
    change.write(patches)
}

fn pristine(iso: &LiveIso) -> Result<Vec<Patch>> {
    let mut patches = vec![iso.embed(&crate::initrd::Members::default())?];
    if let Some(kargs) = iso.kargs() {
        patches.extend(kargs.fill(kargs.default_kargs())?);
    }
    Ok(patches)
}

/// Reads a file, or standard input.
pub(crate) fn read_input(path: Option<&Path>) -> Result<(String, Vec<u8>)> {
    use std::io::Read;
    if let Some(path) = path {
        let file = crate::customize::read_file(path)?;
        return Ok((path.display().to_string(), file.bytes));
    }
    let mut bytes = Vec::new();
    let most = crate::customize::LARGEST;
    std::io::stdin()
        .take(most + 1)
        .read_to_end(&mut bytes)
        .context("cannot read standard input")?;
    if bytes.len() as u64 > most {
        bail!("standard input has more than {most} bytes");
    }
    Ok(("standard input".to_owned(), bytes))
}
