//! The package mirror: the one given, else the one that the host's apt is configured with.

use anyhow::{Result, anyhow};
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;

/// Where packages come from when a source file names no address.
#[derive(Debug, Clone)]
pub(crate) enum Mirror {
    /// Named on the command line.
    Given(String),
    /// Asked of the host's apt.
    OfHost,
}

impl Mirror {
    /// Returns the base address.
    pub(crate) fn url(&self) -> Result<String> {
        match self {
            Self::Given(url) => Ok(url.clone()),
            Self::OfHost => {
                let targets = Cmd::new("apt-get")
                    .args([
                        "indextargets",
                        "--format",
                        "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)",
                    ])
                    .arg("Identifier: Packages")
                    .when_missing("give the mirror with --mirror")
                    .output()?;
                debian_mirror(&targets)
                    .ok_or_else(|| anyhow!("the host's apt has no Debian mirror configured"))
                    .hint("run \"apt-get update\", or give the mirror with --mirror URL")
            }
        }
    }
}

/// Picks the first Debian archive (not security, not backports by another vendor) of apt's list.
fn debian_mirror(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.splitn(4, '|');
        let (origin, label) = (fields.next()?, fields.next()?);
        let (component, uri) = (fields.next()?, fields.next()?);
        let debian = origin == "Debian" && label == "Debian" && component == "main";
        debian.then(|| uri.trim_end_matches('/').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_picked() {
        let targets = "Vendor|Vendor|main|https://v.example/apt/\n\
                       Debian|Debian-Security|main|http://m.example/debian-security/\n\
                       Debian|Debian|main|http://m.example/debian/\n";
        assert_eq!(debian_mirror(targets).as_deref(), Some("http://m.example/debian"));
        assert_eq!(debian_mirror("Vendor|V|main|x\n"), None);
    }
}
