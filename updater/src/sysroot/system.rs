//! The deployments of this machine, through libostree.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::image_ref::{ImageRef, OstreeImageRef, Verification};
use nestos_formats::kargs::KernelArgs;
use nestos_host::term::{self, WithHint};
use ostree::gio::{Cancellable, File};
use ostree::glib::KeyFile;
use ostree::{
    Repo, RepoPruneFlags, Sysroot, SysrootDeployTreeOpts, SysrootSimpleWriteDeploymentFlags,
    SysrootWriteDeploymentsOpts,
};

use super::{Deployer, Deployment, Deployments, Offer, Origin};
use crate::fetch;
use crate::import::{self, DiskFull, Progress, Pulled};

/// How many layers are fetched at once.
const JOBS: usize = 4;
const ORIGIN: &str = "origin";
const ORIGIN_IMAGE: &str = "container-image-reference";

/// The sysroot at a path: `/` for the running system.
pub struct System {
    path: PathBuf,
    fetch: fetch::Options,
    progress: Box<dyn Progress + Send>,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("path", &self.path).finish_non_exhaustive()
    }
}

impl System {
    /// Names a sysroot. Whoever changes that of the running system must have entered a mount
    /// namespace of its own ([`nestos_host::mount::enter_namespace`]): libostree makes `/sysroot`
    /// and `/boot` writable in it.
    pub fn new(path: &Path, fetch: fetch::Options, progress: Box<dyn Progress + Send>) -> Self {
        Self { path: path.to_owned(), fetch, progress }
    }

    /// Imports an image into the sysroot's repository, without a deployment.
    pub fn pull(&self, image: &OstreeImageRef) -> Result<Pulled> {
        let sysroot = self.locked()?;
        let source = fetch::open(&image.image, &self.fetch)?;
        self.import(&sysroot.repo(), source.as_ref(), &image.image)
    }

    fn load(&self) -> Result<Sysroot> {
        let sysroot = Sysroot::new(Some(&File::for_path(&self.path)));
        if self.path == Path::new("/") {
            sysroot.set_mount_namespace_in_use();
        }
        sysroot
            .load(Cancellable::NONE)
            .with_context(|| format!("cannot read the deployments of {}", self.path.display()))
            .hint("this needs a system that ostree manages")?;
        Ok(sysroot)
    }

    /// Loads the sysroot for a change that nobody else makes at the same time.
    fn locked(&self) -> Result<Locked> {
        let sysroot = self.load()?;
        let what = || format!("cannot lock the deployments of {}", self.path.display());
        if !sysroot.try_lock().with_context(what).hint("changing deployments needs root")? {
            term::status("waiting for another process that changes deployments");
            sysroot.lock().with_context(what)?;
        }
        let locked = Locked(sysroot);
        locked.load_if_changed(Cancellable::NONE).context("cannot read the deployments again")?;
        Ok(locked)
    }

    fn import(
        &self,
        repo: &Repo,
        source: &dyn fetch::ImageSource,
        image: &ImageRef,
    ) -> Result<Pulled> {
        let arch = self.fetch.arch.as_str();
        let options = import::Options { arch, jobs: JOBS, progress: self.progress.as_ref() };
        let pulled = import::pull(repo, source, image, options);
        if pulled.as_ref().err().is_some_and(|e| e.downcast_ref::<DiskFull>().is_some()) {
            // Layers of imports that were given up may be what fills the disk.
            import::remove_unused_layers(repo)?;
            repo.prune(RepoPruneFlags::REFS_ONLY, 0, Cancellable::NONE)?;
            return pulled.hint("nothing was deployed; free space, then try again");
        }
        pulled
    }

    /// Writes the deployment: staged on the running system, at once on another.
    fn deploy(&self, sysroot: &Sysroot, image: &OstreeImageRef, commit: &str) -> Result<()> {
        let merge = stateroot(sysroot).and_then(|name| sysroot.merge_deployment(Some(&name)));
        let merge = merge.ok_or_else(|| anyhow!("{} has no deployment", self.path.display()))?;
        let name = merge.osname();
        let options = merge.bootconfig().and_then(|config| config.get("options"));
        let kargs: KernelArgs =
            options.unwrap_or_default().parse().context("cannot read the kernel arguments")?;
        let kargs: Vec<String> = kargs.iter().map(ToString::to_string).collect();
        let kargs: Vec<&str> = kargs.iter().map(String::as_str).collect();
        let origin = KeyFile::new();
        origin.set_string(ORIGIN, ORIGIN_IMAGE, &image.to_string());
        let options =
            SysrootDeployTreeOpts { override_kernel_argv: Some(&kargs), ..Default::default() };
        if sysroot.is_booted() {
            sysroot
                .stage_tree_with_options(
                    Some(&name),
                    commit,
                    Some(&origin),
                    Some(&merge),
                    &options,
                    Cancellable::NONE,
                )
                .context("cannot stage the deployment")?;
            return Ok(());
        }
        let deployment = sysroot
            .deploy_tree_with_options(
                Some(&name),
                commit,
                Some(&origin),
                Some(&merge),
                Some(&options),
                Cancellable::NONE,
            )
            .context("cannot write the deployment")?;
        let flags = SysrootSimpleWriteDeploymentFlags::NONE;
        sysroot
            .simple_write_deployment(
                Some(&name),
                &deployment,
                Some(&merge),
                flags,
                Cancellable::NONE,
            )
            .context("cannot write the boot entries")
    }

    /// Drops the refs of images and layers that no deployment has. Their objects go when libostree
    /// cleans up, after the next change of the deployments.
    fn forget_unused(&self, sysroot: &Sysroot) -> Result<()> {
        let images = sysroot.deployments().into_iter().filter_map(|d| match origin_of(&d) {
            Origin::Image(image) => Some(image.image),
            _ => None,
        });
        import::remove_other_images(&sysroot.repo(), &images.collect::<Vec<_>>())?;
        import::remove_unused_layers(&sysroot.repo())?;
        Ok(())
    }
}

impl Deployer for System {
    fn deployments(&self) -> Result<Deployments> {
        read(&self.load()?)
    }

    fn check(&self, image: &OstreeImageRef) -> Result<Offer> {
        check_supported(image)?;
        let source = fetch::open(&image.image, &self.fetch)?;
        let digest = source.digest()?;
        let known = self.deployments()?.0.into_iter().find(|d| d.digest.as_ref() == Some(&digest));
        let version = match known {
            Some(deployment) => deployment.version,
            None => import::offered_version(source.as_ref())?,
        };
        Ok(Offer { digest, version })
    }

    fn stage(&self, image: &OstreeImageRef, digest: &str) -> Result<Deployment> {
        check_supported(image)?;
        let sysroot = self.locked()?;
        let source = fetch::open_pinned(&image.image, digest, &self.fetch)?;
        let pulled = self.import(&sysroot.repo(), source.as_ref(), &image.image)?;
        for warning in pulled.warnings() {
            term::warning(warning);
        }
        let commit = pulled.commit.to_string();
        self.deploy(&sysroot, image, &commit)?;
        self.forget_unused(&sysroot)?;
        let written = read(&sysroot)?.0.into_iter().find(|d| d.checksum == commit);
        written.context("libostree does not show the deployment that it wrote")
    }

    fn unstage(&self) -> Result<()> {
        let sysroot = self.locked()?;
        write_order(&sysroot, &finalized(&sysroot))
    }

    fn rollback(&self) -> Result<Deployment> {
        let sysroot = self.locked()?;
        let now = read(&sysroot)?;
        let Some(target) = now.rollback_target().cloned() else {
            return Err(anyhow!("there is no other deployment to roll back to"))
                .hint("nestos-updater status lists the deployments");
        };
        let is_target = |d: &ostree::Deployment| {
            d.csum() == target.checksum && u32::try_from(d.deployserial()) == Ok(target.serial)
        };
        let mut order = finalized(&sysroot);
        order.sort_by_key(|d| !is_target(d));
        write_order(&sysroot, &order)?;
        Ok(Deployment { staged: false, ..target })
    }
}

/// A sysroot that is locked until this goes.
struct Locked(Sysroot);

impl std::ops::Deref for Locked {
    type Target = Sysroot;

    fn deref(&self) -> &Sysroot {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

fn check_supported(image: &OstreeImageRef) -> Result<()> {
    if image.verification == Verification::Unverified {
        return Ok(());
    }
    Err(anyhow!("{image} asks for a signature, which this version cannot verify"))
        .hint("ostree-unverified-registry:HOST/NAME:TAG accepts the image by its digest alone")
}

fn stateroot(sysroot: &Sysroot) -> Option<String> {
    let booted = sysroot.booted_deployment();
    let any = booted.or_else(|| sysroot.deployments().into_iter().next())?;
    Some(any.osname().to_string())
}

fn finalized(sysroot: &Sysroot) -> Vec<ostree::Deployment> {
    sysroot.deployments().into_iter().filter(|d| !d.is_staged()).collect()
}

fn write_order(sysroot: &Sysroot, order: &[ostree::Deployment]) -> Result<()> {
    let options = SysrootWriteDeploymentsOpts { do_postclean: false };
    sysroot
        .write_deployments_with_options(order, &options, Cancellable::NONE)
        .context("cannot write the boot entries")
}

fn read(sysroot: &Sysroot) -> Result<Deployments> {
    let booted = sysroot.booted_deployment();
    let repo = sysroot.repo();
    let deployments = sysroot.deployments().into_iter();
    deployments
        .map(|d| describe(&repo, &d, booted.as_ref().is_some_and(|b| b.equal(&d))))
        .collect::<Result<_>>()
        .map(Deployments)
}

fn describe(repo: &Repo, deployment: &ostree::Deployment, booted: bool) -> Result<Deployment> {
    let checksum = deployment.csum().to_string();
    let (commit, _) = repo
        .load_commit(&checksum)
        .with_context(|| format!("cannot read commit {checksum} of a deployment"))?;
    let image = import::stored_image(repo, &checksum)?;
    let metadata = ostree::glib::VariantDict::new(Some(&commit.child_value(0)));
    let version = metadata.lookup::<String>("version").ok().flatten();
    Ok(Deployment {
        serial: u32::try_from(deployment.deployserial()).context("a serial is negative")?,
        stateroot: deployment.osname().to_string(),
        origin: origin_of(deployment),
        version: image.as_ref().and_then(|i| i.version.clone()).or(version),
        digest: image.map(|i| i.digest),
        timestamp: ostree::commit_get_timestamp(&commit),
        booted,
        staged: deployment.is_staged(),
        pinned: deployment.is_pinned(),
        checksum,
    })
}

fn origin_of(deployment: &ostree::Deployment) -> Origin {
    let Some(origin) = deployment.origin() else {
        return Origin::Unknown("no origin".to_owned());
    };
    let value = |key| origin.string(ORIGIN, key).ok().map(|text| text.to_string());
    if let Some(image) = value(ORIGIN_IMAGE) {
        return image.parse().map_or(Origin::Unknown(image), Origin::Image);
    }
    match value("refspec").or_else(|| value("baserefspec")) {
        Some(refspec) => Origin::Refspec(refspec),
        None => Origin::Unknown("an origin without image and refspec".to_owned()),
    }
}

/// Imports an image into a repository that belongs to no sysroot.
pub fn pull_into(
    repo: &Path,
    image: &OstreeImageRef,
    fetch: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Pulled> {
    check_supported(image)?;
    let opened = Repo::new_for_path(repo);
    opened
        .open(Cancellable::NONE)
        .with_context(|| format!("cannot open the repository {}", repo.display()))?;
    opened
        .is_writable()
        .with_context(|| format!("the repository {} is not writable", repo.display()))?;
    let source = fetch::open(&image.image, fetch)?;
    let options = import::Options { arch: &fetch.arch, jobs: JOBS, progress };
    let pulled = import::pull(&opened, source.as_ref(), &image.image, options)?;
    import::remove_unused_layers(&opened)?;
    Ok(pulled)
}
