//! `platforms.yaml`: console settings per architecture and platform.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::KernelArgs;
use serde::Serialize;

use super::reader::{self, Reader};

const KEYS: [&str; 2] = ["grub_commands", "kernel_arguments"];

/// What one platform needs; also the shape of `/boot/nestos/platforms.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Platform {
    /// Lines for the console block of grub.cfg.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) grub_commands: Vec<String>,
    /// Kernel arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kernel_arguments: Vec<String>,
}

/// Platforms by name, for one architecture.
pub(crate) type Platforms = BTreeMap<String, Platform>;

/// Reads the platforms of `arch`; a missing file means none.
pub(crate) fn load(path: &Path, arch: Arch) -> Result<Platforms> {
    if !path.exists() {
        return Ok(Platforms::new());
    }
    let root = reader::load(path)?;
    let mut platforms = Platforms::new();
    for (name, platform_list) in Reader::new(path, &root).entries()? {
        let architecture = name.parse::<Arch>();
        for (platform, settings) in platform_list.entries()? {
            let read = read(&settings)?;
            if architecture == Ok(arch) {
                platforms.insert(platform.to_owned(), read);
            }
        }
    }
    Ok(platforms)
}

fn read(settings: &Reader<'_>) -> Result<Platform> {
    let mut platform = Platform::default();
    for (key, value) in settings.entries()? {
        match key {
            "grub_commands" => platform.grub_commands = value.texts()?,
            "kernel_arguments" => {
                for item in value.items()? {
                    let args: KernelArgs =
                        item.text()?.parse().map_err(|e| item.error(&format!("{e}")))?;
                    platform.kernel_arguments.extend(args.iter().map(ToString::to_string));
                }
            }
            other => return Err(value.unknown_key(other, &KEYS)),
        }
    }
    Ok(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_of_the_architecture_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("platforms.yaml");
        std::fs::write(
            &path,
            "x86_64:\n  qemu:\n    grub_commands: [serial]\n    kernel_arguments: [console=tty0]\n\
             aarch64:\n  qemu: {}\n  openstack: {}\nppc64le:\n  qemu: {}\n",
        )
        .unwrap();
        let platforms = load(&path, Arch::X86_64).unwrap();
        assert_eq!(platforms.keys().collect::<Vec<_>>(), ["qemu"]);
        assert_eq!(platforms["qemu"].kernel_arguments, ["console=tty0"]);
        assert_eq!(load(&path, Arch::Aarch64).unwrap().len(), 2);
    }
}
