//! A deployer whose deployments do not change.

use std::cell::Cell;

use anyhow::{Result, anyhow, bail};
use nestos_formats::image_ref::OstreeImageRef;
use nestos_updater::sysroot::{Deployer, Deployment, Deployments, Offer};

use crate::deployments::menu;

/// Deployments as they are written, and a count of rollbacks.
pub(crate) struct Fixed {
    deployments: Deployments,
    rollbacks: Cell<u32>,
}

impl Fixed {
    pub(crate) fn new(text: &str) -> Self {
        Self { deployments: menu(text), rollbacks: Cell::new(0) }
    }

    pub(crate) fn rollbacks(&self) -> u32 {
        self.rollbacks.get()
    }
}

impl Deployer for Fixed {
    fn deployments(&self) -> Result<Deployments> {
        Ok(self.deployments.clone())
    }

    fn check(&self, _: &OstreeImageRef) -> Result<Offer> {
        bail!("the health check asks no source")
    }

    fn stage(&self, _: &OstreeImageRef, _: &str) -> Result<Deployment> {
        bail!("the health check stages nothing")
    }

    fn unstage(&self) -> Result<()> {
        bail!("the health check drops nothing")
    }

    fn rollback(&self) -> Result<Deployment> {
        self.rollbacks.set(self.rollbacks.get() + 1);
        self.deployments.rollback_target().cloned().ok_or_else(|| anyhow!("nothing else"))
    }
}
