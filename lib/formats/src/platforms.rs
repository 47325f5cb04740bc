//! `/boot/nestos/platforms.json`: what a platform adds to GRUB and to the kernel arguments.
//!
//! The builder writes it for one architecture; the installer applies it for `--platform`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Name of the platform that a disk image is made for.
pub const DEFAULT: &str = "metal";

/// What one platform needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Lines for the console block of the GRUB configuration.
    #[serde(default)]
    pub grub_commands: Vec<String>,
    /// Kernel arguments, in the kernel's spelling.
    #[serde(default)]
    pub kernel_arguments: Vec<String>,
}

/// All platforms by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platforms(pub BTreeMap<String, Platform>);

impl Platforms {
    /// Reads the file.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Prints the file.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Returns what `name` needs.
    pub fn get(&self, name: &str) -> Option<&Platform> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let text = r#"{"qemu": {"grub_commands": ["serial --speed=115200"],
                                "kernel_arguments": ["console=ttyS0,115200n8"]}, "aws": {}}"#;
        let platforms = Platforms::from_json(text).unwrap();
        assert_eq!(Platforms::from_json(&platforms.to_json().unwrap()).unwrap(), platforms);
        assert_eq!(platforms.get("qemu").unwrap().kernel_arguments, ["console=ttyS0,115200n8"]);
        assert_eq!(platforms.get("aws"), Some(&Platform::default()));
    }
}
