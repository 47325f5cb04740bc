//! Configuration fragments: `*.toml` of several directories, as zincati reads them
//! (<https://coreos.github.io/zincati/usage/agent-configuration/>).
//!
//! A file in a later directory takes the place of one with the same name in an earlier directory,
//! and a link to `/dev/null` takes it away. What is left is read in the order of file names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One file.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) path: PathBuf,
    /// Dotted keys and their values, in the order of the file's tables. Arrays are values.
    pub(super) values: Vec<(String, toml::Value)>,
}

/// Reads the fragments of `dirs`, in the order in which they are to be applied.
pub(super) fn read(dirs: &[PathBuf]) -> Result<Vec<Fragment>> {
    named(dirs, |path| path.extension().is_some_and(|e| e == "toml"))?
        .into_values()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            parse(&path, &text)
        })
        .collect()
}

/// Returns the entries of `dirs` that `wanted` accepts, by name: a later directory wins, and what
/// links to `/dev/null` is left out. A directory that does not exist is empty.
pub(crate) fn named(
    dirs: &[PathBuf],
    wanted: impl Fn(&Path) -> bool,
) -> Result<BTreeMap<OsString, PathBuf>> {
    let mut found = BTreeMap::new();
    for dir in dirs {
        let list = match fs::read_dir(dir) {
            Ok(list) => list,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("cannot list {}", dir.display())),
        };
        for entry in list {
            let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
            found.insert(entry.file_name(), entry.path());
        }
    }
    found.retain(|_, path| {
        wanted(path) && fs::canonicalize(&*path).ok().as_deref() != Some(Path::new("/dev/null"))
    });
    Ok(found)
}

fn parse(path: &Path, text: &str) -> Result<Fragment> {
    let table: toml::Table =
        text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let mut values = Vec::new();
    flatten("", table, &mut values);
    Ok(Fragment { path: path.to_owned(), values })
}

fn flatten(prefix: &str, table: toml::Table, values: &mut Vec<(String, toml::Value)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, values),
            other => values.push((name, other)),
        }
    }
}
