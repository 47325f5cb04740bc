//! The steps that add live media to a build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::builds::Meta;
use nestos_host::term::{self, WithHint};
use serde_json::Value;

use super::Session;
use super::images::artifact;
use crate::disk::{self, Source};
use crate::live::{self, Effort, Installer, initrd, iso, rootfs, squashfs};
use crate::steps::bytes;

impl Session {
    /// Adds live media of the build's commit; the images that they install are there already.
    pub(super) fn add_live(
        &self,
        meta: &mut Meta,
        source: &Source<'_>,
        system: disk::System,
        effort: Effort,
    ) -> Result<()> {
        let stem = format!("{}-{}", meta.name, meta.buildid);
        let file = |key| source.work.join(live::file_name(key, &stem, self.arch));
        let kernel = system.sysroot.kernel_dir()?;
        let installer = Installer::find();
        let osmet = self.osmet(meta, source, effort, &installer)?;
        let squashfs = self.steps.run("root file system as squashfs", || {
            sized(squashfs::make(&system.sysroot.unite()?, source.work, effort)?)
        })?;
        let hash = self.steps.run("live rootfs", || {
            let contents =
                rootfs::Contents { squashfs: &squashfs, build: source.build, osmet: &osmet };
            let hash = rootfs::write(&contents, &file(live::ROOTFS))?;
            Ok((hash, bytes(size(&file(live::ROOTFS))?)))
        })?;
        fs::remove_file(&squashfs).context("cannot remove the squashfs")?;
        self.steps.run("live kernel and initramfs", || {
            fs::copy(kernel.join("vmlinuz"), file(live::KERNEL))
                .context("cannot copy the kernel")?;
            let initramfs = kernel.join("initramfs.img");
            initrd::write(&initramfs, source.build, &hash, &file(live::INITRAMFS))?;
            sized(file(live::INITRAMFS))
        })?;
        self.steps.run("live ISO", || {
            let files = iso::Files {
                kernel: &file(live::KERNEL),
                initrd: &file(live::INITRAMFS),
                rootfs: &file(live::ROOTFS),
            };
            let tree = iso::Tree::lay_out(source, &files, &meta.ostree_timestamp)?;
            tree.make(&file(live::ISO))?;
            if installer.packs_minimal_iso()? {
                let minimal = source.work.join("minimal.iso");
                tree.minimize()?;
                tree.make(&minimal)?;
                installer.pack_minimal_iso(&file(live::ISO), &minimal)?;
            } else {
                term::warning("this nestos-installer packs no minimal ISO: none can be extracted");
            }
            sized(file(live::ISO))
        })?;
        for key in live::KEYS {
            let name = live::file_name(key, &stem, self.arch);
            let mut artifact = artifact(&file(key), &name)?;
            artifact.other.insert("skip-compression".to_owned(), Value::from(true));
            self.add_artifact(meta, key, &file(key), artifact)?;
        }
        Ok(())
    }

    /// Describes the images that live media install: names of the descriptions, and files.
    fn osmet(
        &self,
        meta: &Meta,
        source: &Source<'_>,
        effort: Effort,
        installer: &Installer,
    ) -> Result<Vec<(String, PathBuf)>> {
        let mut all = Vec::new();
        for kind in live::MADE_FROM {
            let image = meta.images.get(kind.name());
            let image = image.ok_or_else(|| anyhow!("the build has no {} image", kind.name()))?;
            let path =
                self.workdir.build_dir(&meta.buildid, &self.arch.to_string()).join(&image.path);
            let name = format!("{}.osmet", image.path);
            let out = source.work.join(&name);
            self.steps
                .run(&format!("osmet of the {} image", kind.name()), || {
                    installer.pack_osmet(&path, &image.sha256, effort, &out)?;
                    Ok(((), bytes(size(&out)?)))
                })
                .hint(format!("nosa buildextend-{} --force makes the image again", kind.name()))?;
            all.push((name, out));
        }
        Ok(all)
    }
}

fn sized(path: PathBuf) -> Result<(PathBuf, String)> {
    let detail = bytes(size(&path)?);
    Ok((path, detail))
}

fn size(path: &Path) -> Result<u64> {
    let meta = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    Ok(meta.len())
}
