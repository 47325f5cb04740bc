//! `iso customize`: an image that installs by itself, or that knows more.

use anyhow::{Context, Result, bail};
use nestos_host::term;

use super::{Change, kargs};
use crate::cli::IsoCustomizeArgs;
use crate::customize::{Given, Medium};
use crate::iso::kargs_edit::KargsEdit;

pub(super) fn run(args: IsoCustomizeArgs) -> Result<()> {
    let given = Given::read(args.customize)?;
    let edit = KargsEdit {
        delete: args.live_karg_delete,
        append: args.live_karg_append,
        replace: args.live_karg_replace,
    };
    let mut change = Change::open(args.change)?;
    let iso = &mut change.iso;
    if iso.is_customised()? && !args.force {
        bail!("This ISO image is already customized; use -f to force.");
    }
    let medium = Medium { flavour: iso.flavour(), features: iso.features() };
    let made = medium.customize(&given)?;
    let mut patches = vec![iso.embed(&made.members)?];
    match iso.kargs() {
        Some(areas) => patches.extend(areas.fill(&kargs::apply(&edit, areas.default_kargs()))?),
        None if edit.is_empty() => {}
        None => {
            return iso
                .need_kargs()
                .map(drop)
                .context("This OS image does not support customizing live kernel arguments.");
        }
    }
    change.write(patches)?;
    made.notices.iter().for_each(term::status);
    Ok(())
}
