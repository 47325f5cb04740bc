//! `remove-files` and `remove-from-packages`.

use std::path::Path;

use anyhow::{Context, Result};
use regex::RegexSet;

use super::{remove_if_there, resolve};
use crate::config::manifest::{Manifest, PackageFiles};
use crate::packages;

/// Removes what the manifest names. A path that does not exist is fine: another architecture or
/// version may have it.
pub(super) fn remove(root: &Path, manifest: &Manifest) -> Result<()> {
    for path in &manifest.remove_files {
        remove_if_there(&resolve(root, Path::new(path))?)?;
    }
    for rule in &manifest.remove_from_packages {
        let files = packages::files_of(root, &rule.package)?;
        for file in matching(&files, rule)? {
            let path = resolve(root, Path::new(file.trim_start_matches('/')))?;
            // A directory may hold files of other packages: it goes only when it is empty.
            if path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
                let list = std::fs::read_dir(&path)
                    .with_context(|| format!("cannot list {}", path.display()))?;
                let empty = list.count() == 0;
                if empty {
                    std::fs::remove_dir(&path)
                        .with_context(|| format!("cannot remove {}", path.display()))?;
                }
            } else {
                remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}

/// Returns the matching paths, longest first, so that a directory comes after its content.
fn matching<'a>(files: &'a [String], rule: &PackageFiles) -> Result<Vec<&'a String>> {
    let patterns = RegexSet::new(&rule.patterns)?;
    let mut found: Vec<&String> = files.iter().filter(|f| patterns.is_match(f)).collect();
    found.sort_by_key(|f| std::cmp::Reverse(f.len()));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_searched_in_absolute_paths() {
        let files = ["/usr/share/x", "/usr/share/x/y", "/usr/bin/x"].map(str::to_owned);
        let rule =
            PackageFiles { package: "p".to_owned(), patterns: vec!["/usr/share/.*".to_owned()] };
        assert_eq!(matching(&files, &rule).unwrap(), ["/usr/share/x/y", "/usr/share/x"]);
    }
}
