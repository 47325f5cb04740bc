//! os-release(5). The version of the build is its last line while scripts run, and /etc/os-release
//! is a file of its own then: scripts read the one and overwrite both.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{remove_if_there, symlink};

const FILE: &str = "usr/lib/os-release";
const LINK: &str = "etc/os-release";
const KEY: &str = "OSTREE_VERSION";

/// Adds the version and makes /etc/os-release a copy.
pub(super) fn write(root: &Path, version: &str) -> Result<()> {
    let file = root.join(FILE);
    // Written through, an absolute link would change the host's file.
    if file.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
        bail!("/{FILE} in the tree is a link; a package has to bring it as a file");
    }
    let old =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut text: String =
        old.lines().filter(|l| !l.starts_with(KEY)).map(|l| format!("{l}\n")).collect();
    text.push_str(&format!("{KEY}='{version}'\n"));
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    let link = root.join(LINK);
    remove_if_there(&link)?;
    fs::write(&link, &text).with_context(|| format!("cannot write {}", link.display()))
}

/// Makes /etc/os-release a link again unless a script gave it other content, and checks what boot
/// menus show.
pub(super) fn settle(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(FILE)).context("the tree has no usr/lib/os-release")?;
    let link = root.join(LINK);
    if fs::read_to_string(&link).ok().as_deref() == Some(&text) {
        remove_if_there(&link)?;
        symlink(Path::new("..").join(FILE), &link)?;
    }
    check_title(&text)
}

/// libostree makes the boot entry's title of PRETTY_NAME and the version; GRUB without `blscfg`
/// reads the title as script text.
fn check_title(text: &str) -> Result<()> {
    let value = |key: &str| {
        let line = text.lines().rev().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    for key in ["PRETTY_NAME", KEY] {
        let value = value(key);
        if let Some(bad) =
            value.chars().find(|c| !(' '..='~').contains(c) || ";&|<>{}$\"'`\\#".contains(*c))
        {
            bail!("os-release: {key} {value:?} contains {bad:?}, which a boot menu cannot show");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/lib")).unwrap();
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join(FILE), text).unwrap();
        symlink("../usr/lib/os-release", &dir.path().join(LINK)).unwrap();
        dir
    }

    #[test]
    fn scripts_see_the_version_in_the_last_line_of_a_real_file() {
        let dir = tree("NAME=x\nOSTREE_VERSION='old'\n");
        write(dir.path(), "1.0.20260101.0").unwrap();
        let etc = dir.path().join(LINK);
        assert!(etc.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&etc).unwrap(), "NAME=x\nOSTREE_VERSION='1.0.20260101.0'\n");
        settle(dir.path()).unwrap();
        assert_eq!(fs::read_link(&etc).unwrap(), Path::new("../usr/lib/os-release"));
    }

    #[test]
    fn a_link_that_may_lead_out_of_the_tree_is_not_written_through() {
        let (dir, outside) = (tree("NAME=x\n"), tempfile::NamedTempFile::new().unwrap());
        fs::remove_file(dir.path().join(FILE)).unwrap();
        symlink(outside.path(), &dir.path().join(FILE)).unwrap();
        assert!(write(dir.path(), "1").unwrap_err().to_string().contains("is a link"));
        assert_eq!(fs::read_to_string(outside.path()).unwrap(), "");
    }

    #[test]
    fn a_title_that_would_break_the_menu_is_refused() {
        let dir = tree("PRETTY_NAME=\"Nest; reboot\"\n");
        let err = settle(dir.path()).unwrap_err().to_string();
        assert!(err.contains("PRETTY_NAME") && err.contains("';'"), "{err}");
    }
}
