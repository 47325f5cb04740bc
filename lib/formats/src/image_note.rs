//! What a disk image says about itself, where an installer sees it before anything is written:
//! JSON at 64 KiB, between the partition table and the first partition, which starts at 1 MiB.
//! The place is ours: the GPT and boot code leave it alone (UEFI specification 2.10, 5.3; GRUB
//! keeps its core image in a partition). Images without a note are as good as ever.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where the note starts, in bytes.
pub const OFFSET: usize = 64 * 1024;
/// How long it may be, its zero byte included.
pub const LIMIT: usize = 4096;

const MAGIC: &[u8] = b"NESTOS-IMAGE-NOTE-1\n";

/// The image's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageNote {
    /// Name and version for people, such as `NestOS 24.03-LTS.20261122.0`.
    pub title: String,
    /// CPU architecture.
    pub architecture: String,
    /// Newest version of Ignition configs that the image reads, such as `3.3.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignition: Option<String>,
    /// What the image can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// The feature of an image that takes its content out of the way while the first boot makes
/// root, boot or the EFI system partition anew.
pub const RECREATE_SYSTEM: &str = "recreate-system";

/// A note that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the image's note has {0} bytes; {LIMIT} is the most")]
pub struct TooLong(usize);

impl ImageNote {
    /// Returns the note in the first bytes of an image, if there is one.
    pub fn find(head: &[u8]) -> Option<Self> {
        let note = head.get(OFFSET..OFFSET + LIMIT)?.strip_prefix(MAGIC)?;
        let end = note.iter().position(|b| *b == 0)?;
        serde_json::from_slice(&note[..end]).ok()
    }

    /// Returns the bytes that belong at [`OFFSET`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TooLong> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes.push(0);
        if bytes.len() > LIMIT { Err(TooLong(bytes.len())) } else { Ok(bytes) }
    }

    /// Returns whether the image can do something.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|f| f == feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_nothing_is_found_where_none_is() {
        let note = ImageNote {
            title: "NestOS 1".to_owned(),
            architecture: "x86_64".to_owned(),
            ignition: Some("3.3.0".to_owned()),
            features: vec![RECREATE_SYSTEM.to_owned()],
        };
        let mut head = vec![0; 1 << 20];
        assert_eq!(ImageNote::find(&head), None);
        let bytes = note.to_bytes().unwrap();
        head[OFFSET..OFFSET + bytes.len()].copy_from_slice(&bytes);
        assert_eq!(ImageNote::find(&head).as_ref(), Some(&note));
        assert!(note.has(RECREATE_SYSTEM) && !note.has("x"));
        head[OFFSET + MAGIC.len()] = b'}';
        assert_eq!(ImageNote::find(&head), None);
        assert_eq!(ImageNote::find(&head[..OFFSET]), None);
        let long = ImageNote { title: "x".repeat(LIMIT), ..note };
        assert!(long.to_bytes().is_err());
    }
}
