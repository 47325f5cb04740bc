//! `platforms.yaml`: console settings per architecture and platform.

use std::path::Path;

use anyhow::Result;
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::KernelArgs;
use nestos_formats::platforms::{Platform, Platforms};

use super::reader::{self, Reader};

const KEYS: [&str; 2] = ["grub_commands", "kernel_arguments"];

/// Architectures that other builders' files name.
const ARCHITECTURES: [&str; 5] = ["x86_64", "aarch64", "ppc64le", "riscv64", "s390x"];

/// Reads the platforms of `arch`; a missing file means none.
pub(crate) fn load(path: &Path, arch: Arch) -> Result<Platforms> {
    if !path.exists() {
        return Ok(Platforms::default());
    }
    let root = reader::load(path)?;
    let mut platforms = Platforms::default();
    for (name, platform_list) in Reader::new(path, &root).entries()? {
        if !ARCHITECTURES.contains(&name) {
            return Err(platform_list.unknown_key(name, &ARCHITECTURES));
        }
        let architecture = name.parse::<Arch>();
        for (platform, settings) in platform_list.entries()? {
            let read = read(&settings)?;
            if architecture == Ok(arch) {
                platforms.0.insert(platform.to_owned(), read);
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
        assert_eq!(platforms.0.keys().collect::<Vec<_>>(), ["qemu"]);
        assert_eq!(platforms.get("qemu").unwrap().kernel_arguments, ["console=tty0"]);
        assert_eq!(load(&path, Arch::Aarch64).unwrap().0.len(), 2);
    }
}
