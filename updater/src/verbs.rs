//! What the verbs of the command line do, and what they say about it.

use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use nestos_formats::image_ref::{OstreeImageRef, Transport};
use nestos_host::term::{self, WithHint};

use crate::cli::Change;
use crate::daemon::paths::Paths;
use crate::daemon::state::{DenyReason, State};
use crate::daemon::state_file::StateFile;
use crate::sysroot::{Deployer, Deployment, Deployments, Origin};

/// Whether the next boot is another one than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A reboot changes the system.
    Yes,
    /// There was nothing to do.
    No,
}

/// Moves to another image.
pub fn rebase(
    deployer: &dyn Deployer,
    paths: &Paths,
    image: &OstreeImageRef,
    change: &Change,
) -> Result<Changed> {
    take(deployer, paths, image, change)
}

/// Takes what the tag of the current image names now.
pub fn upgrade(deployer: &dyn Deployer, paths: &Paths, change: &Change) -> Result<Changed> {
    let image = followed(&deployer.deployments()?)?;
    take(deployer, paths, &image, change)
}

/// Says whether the tag names something new.
pub fn check(deployer: &dyn Deployer, paths: &Paths) -> Result<()> {
    let now = deployer.deployments()?;
    let image = followed(&now)?;
    let offer = deployer.check(&image)?;
    if next_boot(&now).is_some_and(|d| d.digest.as_ref() == Some(&offer.digest)) {
        term::result("no change");
        return Ok(());
    }
    let version = offer.version.unwrap_or_else(|| "no version".to_owned());
    term::result(format!("update available: {version} ({})", offer.digest));
    if let Some(denied) = StateFile::peek(&paths.state)?.denial(&offer.digest) {
        term::result(format!("but it is denied here: {}, {}", denied.reason, denied.at));
    }
    Ok(())
}

/// Whether a deployment that is known to be bad may become the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No.
    Refuse,
    /// An administrator wants it all the same.
    Allow,
}

/// Goes back to the deployment before. One that failed here is no way back: whoever is in a hurry
/// after an automatic rollback must not land in it again.
pub fn rollback(deployer: &dyn Deployer, paths: &Paths, denied: Denied) -> Result<Changed> {
    let now = deployer.deployments()?;
    let Some(target) = now.rollback_target().cloned() else {
        return Err(anyhow!("there is no other deployment to roll back to"))
            .hint("nestos-updater status lists the deployments");
    };
    let known = StateFile::peek(&paths.state)?;
    if let Some(bad) = target.digest.as_deref().and_then(|digest| known.denial(digest))
        && bad.reason != DenyReason::RolledBackByAdmin
        && denied == Denied::Refuse
    {
        return Err(anyhow!("{}, the only other deployment, is bad", name(&target))).hint(format!(
            "it {} ({}); --allow-denied goes there all the same",
            bad.reason, bad.at
        ));
    }
    // What stood before it in the menu is what is gone back from.
    let from: Vec<String> = now
        .0
        .iter()
        .take_while(|d| **d != target)
        .filter_map(|d| d.digest.clone())
        .filter(|digest| target.digest.as_ref() != Some(digest))
        .collect();
    // First the record: a daemon that wakes up in between must not take the image again.
    remember(paths, |state| {
        for digest in &from {
            state.roll_back_by_admin(Some(digest), Timestamp::now());
        }
        if let Some(digest) = &target.digest {
            state.allow(digest);
        }
    })?;
    let target = deployer.rollback()?;
    term::status(format!("{} boots by default now", name(&target)));
    for digest in &from {
        term::status(format!("the daemon does not take {digest} again"));
    }
    Ok(if target.booted { Changed::No } else { Changed::Yes })
}

fn take(
    deployer: &dyn Deployer,
    paths: &Paths,
    image: &OstreeImageRef,
    change: &Change,
) -> Result<Changed> {
    let offer = deployer.check(image)?;
    let now = deployer.deployments()?;
    if let Some(next) = next_boot(&now)
        && next.digest.as_ref() == Some(&offer.digest)
        && next.origin == Origin::Image(image.clone())
    {
        term::result("no change");
        return Ok(if next.booted { Changed::No } else { Changed::Yes });
    }
    let state = StateFile::peek(&paths.state)?;
    if let Some(denied) = state.denial(&offer.digest) {
        if !change.allow_denied {
            let digest = &offer.digest;
            return Err(anyhow!("{image} names {digest}, which is denied on this machine")).hint(
                format!(
                    "it {} ({}); --allow-denied takes it all the same",
                    denied.reason, denied.at
                ),
            );
        }
        remember(paths, |state| state.allow(&offer.digest))?;
    }
    let version = offer.version.as_deref().unwrap_or("an image without version");
    term::status(format!("taking {version} from {image}"));
    let written = deployer.stage(image, &offer.digest)?;
    if written.staged {
        term::result(format!("staged {}; it boots at the next reboot", name(&written)));
    } else {
        term::result(format!("deployed {}", name(&written)));
    }
    Ok(Changed::Yes)
}

fn remember(paths: &Paths, change: impl FnOnce(&mut State)) -> Result<()> {
    StateFile::open(&paths.state)?.update(change)
}

/// Returns the deployment that boots next.
fn next_boot(deployments: &Deployments) -> Option<&Deployment> {
    deployments.0.first()
}

/// Returns the image that the machine follows.
fn followed(deployments: &Deployments) -> Result<OstreeImageRef> {
    let current = deployments.booted().or_else(|| next_boot(deployments));
    let hint = "nestos-updater rebase ostree-unverified-registry:HOST/NAME:TAG chooses an image";
    match current.map(|d| &d.origin) {
        Some(Origin::Image(image)) => {
            if image.image.transport == Transport::Registry && image.image.name.contains('@') {
                let pinned = anyhow!("{image} is pinned to a digest: nothing can be newer");
                return Err(pinned).hint(hint);
            }
            Ok(image.clone())
        }
        Some(Origin::Refspec(refspec)) => {
            Err(anyhow!("this system follows the ostree branch {refspec}, not an image")).hint(hint)
        }
        Some(Origin::Unknown(found)) => {
            Err(anyhow!("cannot tell what this system follows: {found}")).hint(hint)
        }
        None => bail!("there is no deployment"),
    }
}

/// Names a deployment for a person.
fn name(deployment: &Deployment) -> String {
    let version = deployment.version.as_deref();
    let checksum = deployment.checksum.get(..12).unwrap_or_default();
    version.map_or_else(|| checksum.to_owned(), |v| format!("{v} ({checksum})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysroot::Offer;
    use anyhow::Context;
    use std::cell::RefCell;

    /// Two deployments, of which the first is booted.
    struct Two(RefCell<Deployments>);

    impl Deployer for Two {
        fn deployments(&self) -> Result<Deployments> {
            Ok(self.0.borrow().clone())
        }

        fn check(&self, _image: &OstreeImageRef) -> Result<Offer> {
            bail!("not asked")
        }

        fn stage(&self, _image: &OstreeImageRef, _digest: &str) -> Result<Deployment> {
            bail!("not asked")
        }

        fn unstage(&self) -> Result<()> {
            bail!("not asked")
        }

        fn rollback(&self) -> Result<Deployment> {
            self.0.borrow_mut().0.swap(0, 1);
            self.0.borrow().0.first().cloned().context("empty")
        }
    }

    fn deployment(version: &str, booted: bool) -> Deployment {
        Deployment {
            checksum: version.repeat(64),
            serial: 0,
            stateroot: "nestos".to_owned(),
            origin: Origin::Image("ostree-unverified-registry:h/nestos:stable".parse().unwrap()),
            digest: Some(format!("sha256:{}", version.repeat(64))),
            version: Some(version.to_owned()),
            timestamp: 0,
            booted,
            staged: false,
            pinned: false,
        }
    }

    fn two() -> (tempfile::TempDir, Paths, Two) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let deployments = vec![deployment("4", true), deployment("5", false)];
        (dir, paths, Two(RefCell::new(Deployments(deployments))))
    }

    fn first(two: &Two) -> String {
        two.0.borrow().0[0].version.clone().unwrap()
    }

    #[test]
    fn a_deployment_that_failed_here_is_no_way_back() {
        let (_dir, paths, two) = two();
        let bad = deployment("5", false).digest.unwrap();
        let reason = DenyReason::HealthCheck("50-app failed".to_owned());
        remember(&paths, |s| s.deny(&bad, reason, Timestamp::UNIX_EPOCH)).unwrap();
        let refused = rollback(&two, &paths, Denied::Refuse).unwrap_err();
        assert_eq!(
            term::error_lines(&refused),
            [
                "error: 5 (555555555555), the only other deployment, is bad",
                "hint: it failed its health check: 50-app failed (1970-01-01T00:00:00Z); \
                 --allow-denied goes there all the same"
            ]
        );
        assert_eq!(first(&two), "4");
        rollback(&two, &paths, Denied::Allow).unwrap();
        assert_eq!(first(&two), "5");
        assert!(!StateFile::peek(&paths.state).unwrap().denies(&bad));
    }

    #[test]
    fn a_rollback_can_be_undone() {
        let (_dir, paths, two) = two();
        rollback(&two, &paths, Denied::Refuse).unwrap();
        let (old, new) = (deployment("4", true), deployment("5", false));
        let state = StateFile::peek(&paths.state).unwrap();
        assert!(state.denies(&old.digest.clone().unwrap()));
        // After the reboot.
        *two.0.borrow_mut() = Deployments(vec![
            Deployment { booted: true, ..new },
            Deployment { booted: false, ..old },
        ]);
        rollback(&two, &paths, Denied::Refuse).unwrap();
        assert_eq!(first(&two), "4");
    }
}
