//! `iso kargs`: kernel arguments of the live system, in the menus of the image.

use anyhow::Result;
use nestos_host::term;

use super::Change;
use crate::cli::{IsoChangeArgs, IsoKargsModifyArgs, IsoKargsShowArgs};
use crate::iso::kargs_edit::KargsEdit;
use crate::iso::live_iso::{Access, LiveIso};

pub(super) fn modify(args: IsoKargsModifyArgs) -> Result<()> {
    let change = Change::open(args.change)?;
    let edit = KargsEdit { delete: args.delete, append: args.append, replace: args.replace };
    let areas = change.iso.need_kargs()?;
    let patches = areas.fill(&apply(&edit, areas.current()))?;
    change.write(patches)
}

pub(super) fn reset(args: IsoChangeArgs) -> Result<()> {
    let change = Change::open(args)?;
    let areas = change.iso.need_kargs()?;
    let patches = areas.fill(areas.default_kargs())?;
    change.write(patches)
}

pub(super) fn show(args: &IsoKargsShowArgs) -> Result<()> {
    let iso = LiveIso::open(&args.iso, Access::Read)?;
    let areas = iso.need_kargs()?;
    term::result(if args.default { areas.default_kargs() } else { areas.current() });
    Ok(())
}

/// Returns the changed arguments, and says what was not there to be changed.
pub(super) fn apply(edit: &KargsEdit, line: &str) -> String {
    let (line, missing) = edit.apply(line);
    for argument in missing {
        term::warning(format!("the image has no kernel argument {argument}"));
    }
    line
}
