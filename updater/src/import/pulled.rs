//! What came of an import.

use std::collections::BTreeMap;

use nestos_formats::ostree::Checksum;

/// An image that is in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Checksum of its commit.
    pub commit: Checksum,
    /// Digest of its manifest.
    pub digest: String,
    /// Version by its label.
    pub version: Option<String>,
    /// How many layers were fetched.
    pub fetched: usize,
    /// How many layers were there already.
    pub present: usize,
    /// Entries of derived layers that cannot be part of the system, by their topmost folder.
    pub dropped: BTreeMap<String, u32>,
    /// The system has an SELinux policy, and files of derived layers have no labels of it.
    pub unlabelled: bool,
}

impl Pulled {
    /// Returns what a person should know about the image.
    pub fn warnings(&self) -> Vec<String> {
        let dropped = self.dropped.iter();
        let mut warnings: Vec<String> = dropped
            .map(|(top, n)| format!("{n} entries of the image below {top} are left out"))
            .collect();
        if self.unlabelled {
            warnings.push(
                "files of the image's own layers get no SELinux labels: set \
                 SELINUX=permissive in them, or build them into the commit"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// Returns whether selinux_config(5) asks for labels.
pub(super) fn enables_selinux(config: &str) -> bool {
    let mut modes = config.lines().filter_map(|line| line.trim().strip_prefix("SELINUX="));
    modes.next_back().is_some_and(|mode| mode.trim() != "disabled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_matter_unless_selinux_is_disabled() {
        assert!(enables_selinux("# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"));
        assert!(enables_selinux("SELINUX=permissive"));
        assert!(!enables_selinux("SELINUX=disabled\nSELINUXTYPE=targeted\n"));
        assert!(!enables_selinux(""));
    }
}
