//! A sysroot directory with one deployment, made by libostree: what the root and boot partitions
//! will hold.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nestos_formats::bls::Entry;
use nestos_formats::kargs::KernelArgs;
use nestos_host::atomic;
use nestos_host::cmd::Cmd;
use serde_json::json;

use super::Source;

/// A deployed sysroot.
#[derive(Debug)]
pub(crate) struct Sysroot {
    /// Content of the root partition; its `boot` is empty.
    pub(crate) root: PathBuf,
    /// Content of the boot partition.
    pub(crate) boot: PathBuf,
    /// The deployment's directory, relative to the root.
    pub(crate) deployment: String,
}

impl Sysroot {
    /// Deploys the commit with these kernel arguments.
    pub(super) fn deploy(source: &Source<'_>, kargs: &KernelArgs) -> Result<Self> {
        let (root, boot) = (source.work.join("sysroot"), source.work.join("boot"));
        let name = &source.config.manifest.rojig.name;
        let ref_name = &source.config.manifest.ref_name;
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        admin("init-fs").arg("--modern").arg(&root).run()?;
        let sysroot = format!("--sysroot={}", root.display());
        let repo = root.join("ostree/repo");
        for (key, value) in
            [("sysroot.bootloader", "none"), ("sysroot.readonly", "true"), ("core.fsync", "false")]
        {
            ostree(&repo, "config").args(["set", key, value]).run()?;
        }
        admin("os-init").arg(&sysroot).arg(name).run()?;
        // The ref is how the origin names the commit until an update source is chosen.
        ostree(&repo, "pull-local").arg(source.repo.dir()).arg(source.commit).run()?;
        ostree(&repo, "refs").arg(format!("--create={ref_name}")).arg(source.commit).run()?;
        admin("deploy")
            .arg(&sysroot)
            .arg(format!("--os={name}"))
            .args(kargs.iter().map(|arg| format!("--karg={arg}")))
            .arg(ref_name)
            .run()
            .context("cannot deploy the commit")?;
        ostree(&repo, "config").args(["unset", "core.fsync"]).run()?;
        fs::rename(root.join("boot"), &boot).context("cannot move the boot directory")?;
        fs::create_dir(root.join("boot")).context("cannot create the boot mount point")?;
        aleph(source, &root)?;
        let deployment = format!("ostree/deploy/{name}/deploy/{}.0", source.commit);
        if !root.join(&deployment).is_dir() {
            bail!("libostree made no {deployment}");
        }
        Ok(Self { root, boot, deployment })
    }

    /// Puts the boot directory into the root, for a system that runs from one read-only file system,
    /// and returns the root's directory.
    pub(crate) fn unite(self) -> Result<PathBuf> {
        let boot = self.root.join("boot");
        fs::remove_dir(&boot)
            .and_then(|()| fs::rename(&self.boot, &boot))
            .context("cannot move the boot directory back")?;
        // A file system that is never writable need not be made read-only at boot.
        ostree(&self.root.join("ostree/repo"), "config")
            .args(["unset", "sysroot.readonly"])
            .run()?;
        Ok(self.root)
    }

    /// Returns the directory with the deployment's kernel and initramfs.
    pub(crate) fn kernel_dir(&self) -> Result<PathBuf> {
        let modules = self.root.join(&self.deployment).join("usr/lib/modules");
        let list =
            fs::read_dir(&modules).with_context(|| format!("cannot list {}", modules.display()))?;
        for entry in list {
            let dir = entry.with_context(|| format!("cannot list {}", modules.display()))?.path();
            if dir.join("vmlinuz").is_file() {
                return Ok(dir);
            }
        }
        bail!("{} has no kernel", modules.display())
    }

    /// Returns the one boot entry's file and content in a copy of the boot directory.
    pub(super) fn entry(boot: &Path) -> Result<(PathBuf, Entry)> {
        let dir = boot.join("loader/entries");
        let list = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        let files: Vec<PathBuf> = list.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        let [file] = &files[..] else {
            bail!("{} has {} entries, one was expected", dir.display(), files.len());
        };
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let entry = text.parse().with_context(|| format!("reading {}", file.display()))?;
        Ok((file.clone(), entry))
    }
}

/// Records what the disk held when it was new.
fn aleph(source: &Source<'_>, root: &Path) -> Result<()> {
    let name = &source.config.manifest.rojig.name;
    let aleph = json!({
        "build": source.build,
        "ref": source.config.manifest.ref_name,
        "ostree-commit": source.commit,
        "imgid": format!("{name}-{}.{}", source.build, source.arch),
    });
    let text = serde_json::to_string_pretty(&aleph)? + "\n";
    atomic::write(&root.join(".nestos-aleph-version.json"), text.as_bytes(), 0o644)
}

fn admin(command: &str) -> Cmd {
    Cmd::new("ostree").args(["admin", command])
}

fn ostree(repo: &Path, command: &str) -> Cmd {
    Cmd::new("ostree").arg(format!("--repo={}", repo.display())).arg(command)
}
