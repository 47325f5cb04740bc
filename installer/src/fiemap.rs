//! `dev show fiemap`: where a file lies on its file system.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::extents::{self, Extent};
use nestos_host::term;
use serde_json::json;

use crate::list_stream::Layout;

/// Prints the extents of a file.
pub fn show(path: &Path, layout: Layout) -> Result<()> {
    let extents = File::open(path)
        .map_err(anyhow::Error::from)
        .and_then(|file| Ok(extents::of(&file)?))
        .with_context(|| format!("cannot find out where {} lies", path.display()))?;
    match layout {
        Layout::Json => {
            let list: Vec<_> = extents.iter().map(value).collect();
            term::result(serde_json::to_string_pretty(&list)?);
        }
        Layout::Table => {
            term::result(format!("{:>16} {:>16} {:>16}  flags", "logical", "physical", "length"));
            extents.iter().map(line).for_each(term::result);
        }
    }
    Ok(())
}

fn line(extent: &Extent) -> String {
    let Extent { logical, physical, length, .. } = extent;
    let flags = extent.flags().join(",");
    format!("{logical:>16} {physical:>16} {length:>16}  {flags}").trim_end().to_owned()
}

fn value(extent: &Extent) -> serde_json::Value {
    json!({
        "logical": extent.logical,
        "physical": extent.physical,
        "length": extent.length,
        "flags": extent.flags(),
    })
}
