//! `image.yaml`: how disk images are made from a commit.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nestos_formats::kargs::KernelArgs;
use nestos_host::term;

use super::reader::{self, Reader};

const KEYS: [&str; 5] = ["include", "size", "extra-kargs", "rootfs", "ignition"];

/// Keys of other builders' image.yaml that change nothing here.
const WITHOUT_EFFECT: [&str; 16] = [
    "bootfs",
    "rootfs-args",
    "composefs",
    "ostree-format",
    "ostree-remote",
    "deploy-via-container",
    "container-imgref",
    "ignition-network-kcmdline",
    "squashfs-compression",
    "compressor",
    "bootfs_metadata_csum_seed",
    "vmware-hw-version",
    "vmware-os-type",
    "vmware-secure-boot",
    "live-rootfs-fstype",
    "live-rootfs-fsoptions",
];

/// Far above any disk image, far below where numbers of bytes overflow.
const MAX_SIZE_GIB: u64 = 64 * 1024;

/// File system of the root partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootFs {
    /// The default.
    Ext4,
    /// Needs mkfs.xfs 6.17 or newer, which can fill a file system from a directory.
    Xfs,
}

impl fmt::Display for RootFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        })
    }
}

/// The settings of `image.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageConfig {
    /// Size of a virtual machine's disk in GiB.
    pub(crate) size_gib: u64,
    /// Kernel arguments of every image.
    pub(crate) extra_kargs: KernelArgs,
    /// File system of the root partition.
    pub(crate) rootfs: RootFs,
    /// Newest version of Ignition configs that the images read.
    pub(crate) ignition: Option<String>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// Reads `image.yaml` with its includes.
pub(crate) fn load(path: &Path) -> Result<ImageConfig> {
    let mut image = ImageConfig {
        size_gib: 10,
        extra_kargs: KernelArgs::default(),
        rootfs: RootFs::Ext4,
        ignition: None,
        files: Vec::new(),
    };
    read_into(&mut image, path)?;
    Ok(image)
}

fn read_into(image: &mut ImageConfig, path: &Path) -> Result<()> {
    if image.files.iter().any(|f| f == path) {
        anyhow::bail!("{} is included twice", path.display());
    }
    image.files.push(path.to_owned());
    let root = reader::load(path)?;
    let reader = Reader::new(path, &root);
    let entries = reader.entries()?;
    for (_, value) in entries.iter().filter(|(key, _)| *key == "include") {
        for name in value.text_or_texts()? {
            read_into(image, &value.path_beside(&name))?;
        }
    }
    for (key, value) in entries.iter().filter(|(key, _)| *key != "include") {
        set(image, key, value)?;
    }
    Ok(())
}

fn set(image: &mut ImageConfig, key: &str, value: &Reader<'_>) -> Result<()> {
    match key {
        "size" => {
            image.size_gib = value.number()?;
            if !(1..=MAX_SIZE_GIB).contains(&image.size_gib) {
                return Err(value.error(&format!("expected a size of 1 to {MAX_SIZE_GIB} GiB")));
            }
        }
        "extra-kargs" => {
            for item in value.items()? {
                let args: KernelArgs =
                    item.text()?.parse().map_err(|e| item.error(&format!("{e}")))?;
                args.into_iter().for_each(|arg| image.extra_kargs.append_if_missing(arg));
            }
        }
        "ignition" => image.ignition = Some(spec_version(value)?),
        "rootfs" => {
            image.rootfs = match value.text()?.as_str() {
                "ext4" => RootFs::Ext4,
                "xfs" => RootFs::Xfs,
                other => {
                    return Err(value.error(&format!(
                        "root file system {other:?} is not supported; choose ext4 or xfs"
                    )));
                }
            }
        }
        other if WITHOUT_EFFECT.contains(&other) => {
            term::warning(value.error(&format!("the key {other:?} has no effect in this builder")));
        }
        other => return Err(value.unknown_key(other, &[&KEYS[..], &WITHOUT_EFFECT[..]].concat())),
    }
    Ok(())
}

fn spec_version(value: &Reader<'_>) -> Result<String> {
    let version = value.text()?;
    let mut numbers = version.split('.');
    let number = |n: Option<&str>| n.is_some_and(|n| n.parse::<u32>().is_ok());
    let three = (0..3).all(|_| number(numbers.next())) && numbers.next().is_none();
    if !three {
        return Err(value.error("expected the version of an Ignition specification, such as 3.3.0"));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_arguments_append_through_includes_and_scalars_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("base.yaml"), "size: 10\nextra-kargs: [a=1, quiet]\n").unwrap();
        std::fs::write(
            path("image.yaml"),
            "include: base.yaml\nsize: 16\nextra-kargs: [quiet, 'x=\"p q\"']\nrootfs: xfs\n\
             ignition: 3.3.0\n",
        )
        .unwrap();
        let image = load(&path("image.yaml")).unwrap();
        assert_eq!((image.size_gib, image.rootfs), (16, RootFs::Xfs));
        assert_eq!(image.ignition.as_deref(), Some("3.3.0"));
        assert_eq!(image.extra_kargs.to_string(), "a=1 quiet x=\"p q\"");
    }

    #[test]
    fn an_argument_grub_would_change_is_refused_where_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.yaml");
        std::fs::write(&path, "extra-kargs:\n  - ok\n  - x=$y\n").unwrap();
        let err = load(&path).unwrap_err().to_string();
        assert!(err.contains("image.yaml:3:5: kernel argument \"x=$y\""), "{err}");
    }
}
