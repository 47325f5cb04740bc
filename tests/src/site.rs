//! What machines fetch that boot from the network.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::cpio;

use crate::guide;
use crate::suite::Suite;

/// Where Debian has PXELINUX.
const PXELINUX: &str = "/usr/lib/PXELINUX/pxelinux.0";
const LDLINUX: &str = "/usr/lib/syslinux/modules/bios/ldlinux.c32";

/// A directory with copies of kernel, initramfs and rootfs of the live system, which a test may
/// change: `vmlinuz`, `initrd.img`, `rootfs.img`.
#[derive(Debug)]
pub struct NetworkSite {
    dir: PathBuf,
}

impl NetworkSite {
    /// Makes the directory `site` of a test.
    pub fn make(suite: &Suite) -> Result<Self> {
        let dir = suite.dir().join("site");
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let site = Self { dir };
        for (key, name) in [
            ("live-kernel", "vmlinuz"),
            ("live-initramfs", "initrd.img"),
            ("live-rootfs", "rootfs.img"),
        ] {
            let from = suite.image(key)?;
            fs::copy(&from, site.file(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        Ok(site)
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of a file in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// Adds a file to the initramfs; the last one of a name wins.
    pub fn append_to_initramfs(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.file("initrd.img");
        let mut initramfs = fs::read(&path)?;
        initramfs.resize(initramfs.len().next_multiple_of(4), 0);
        let mut archive = cpio::Writer::new(Vec::new());
        archive.file(name, 0o600, content)?;
        initramfs.extend(archive.finish()?);
        Ok(fs::write(path, initramfs)?)
    }

    /// Puts the rootfs behind the initramfs, as boot loaders do with several files.
    pub fn append_rootfs(&self) -> Result<()> {
        let path = self.file("initrd.img");
        let mut initramfs = File::options().append(true).open(&path)?;
        let odd = initramfs.metadata()?.len() % cpio::ALIGNMENT;
        initramfs
            .write_all(&[0; 4][..usize::try_from((cpio::ALIGNMENT - odd) % cpio::ALIGNMENT)?])?;
        let mut rootfs = File::open(self.file("rootfs.img"))?;
        io::copy(&mut rootfs, &mut initramfs)
            .with_context(|| format!("cannot append to {}", path.display()))?;
        Ok(())
    }

    /// Adds PXELINUX with the lines of the guide's 8.4, and the names that they have for the files;
    /// the config comes from `config`, an address.
    pub fn add_pxelinux(&self, config: &str) -> Result<()> {
        for (from, to) in [(PXELINUX, "pxelinux.0"), (LDLINUX, "ldlinux.c32")] {
            fs::copy(from, self.file(to)).with_context(|| format!("copying {from}"))?;
        }
        // Its arguments after those of APPEND.
        let append = format!("{} {} {}", guide::PXE_APPEND, guide::PXE_DISK, guide::PXE_CONFIG);
        let append = guide::filled(&append, &[(guide::CONFIG_ADDRESS, config)])?;
        let menu = format!("DEFAULT nestos\nLABEL nestos\n{}\n{append}\n", guide::PXE_KERNEL);
        fs::create_dir(self.file("pxelinux.cfg"))?;
        fs::write(self.file("pxelinux.cfg/default"), menu)?;
        for (from, to) in [
            ("vmlinuz", "nestos-live-kernel-x86_64"),
            ("initrd.img", "nestos-live-initramfs.x86_64.img"),
            ("rootfs.img", "nestos-live-rootfs.x86_64.img"),
        ] {
            fs::hard_link(self.file(from), self.file(to))?;
        }
        Ok(())
    }

    /// Removes the directory, so that the next one can be made.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))
    }
}
