//! The boot device section: layouts, mirrors, and what unlocks an encrypted root.

use super::Check;
use crate::path::Path;
use crate::schema::Feature;
use crate::translate::boot_device::{Layout, has_method, uses_cex};
use crate::value::Object;

impl Check<'_> {
    pub(super) fn boot_device(&mut self, boot: &Object, at: &Path) {
        let luks = boot.object("luks");
        let mirror = boot.object("mirror").map(|m| m.list("devices")).unwrap_or_default();
        let layout = boot.text("layout");
        let known = layout.and_then(|name| Layout::all(self.dialect).find(|l| l.name == name));
        match (layout, known) {
            (Some(_), None) => {
                let names: Vec<_> = Layout::all(self.dialect).map(|l| l.name).collect();
                let message = format!("layout must be one of: {}", names.join(", "));
                self.report.error(&at.key("layout"), message);
            }
            (_, Some(known)) => self.layout(known, luks, &at.key("layout")),
            (None, None) => {}
        }
        let s390x = self.dialect.does(Feature::S390xLayouts)
            && layout.is_some_and(|name| name.starts_with("s390x"));
        if s390x && !mirror.is_empty() {
            let message = "mirroring not supported on layouts: s390x-eckd, s390x-zfcp, s390x-virt";
            self.report.error(&at.key("layout"), message);
        }
        if let Some(luks) = luks {
            self.boot_luks(luks, layout, at);
        }
        if layout.is_none() && !mirror.is_empty() {
            let message =
                "boot_device.layout should be specified when boot_device.mirror is specified";
            match self.dialect.does(Feature::LayoutRequired) {
                true => self.report.error(&at.key("mirror"), message),
                false => self.report.warning(&at.key("mirror"), message),
            }
        }
        if mirror.len() == 1 {
            // The reference says this twice.
            let message = "mirroring requires at least two devices";
            self.report.error(&at.key("mirror").key("devices"), message);
        }
    }

    fn layout(&mut self, layout: &Layout, luks: Option<&Object>, at: &Path) {
        if !layout.needs_device() {
            return;
        }
        let device = luks.and_then(|luks| luks.filled("device"));
        let prefix = if layout.name == "s390x-eckd" { "/dev/dasd" } else { "/dev/sd" };
        match device {
            None => {
                let message = "device is required for layouts: s390x-eckd, s390x-zfcp";
                self.report.error(at, message);
            }
            Some(device) if is_whole_disk(device, prefix) => {}
            Some(_) => {
                let message = "device name must start with /dev/dasd on s390x-eckd layout or \
                               /dev/sd on s390x-zfcp layout";
                self.report.error(at, message);
            }
        }
    }

    fn boot_luks(&mut self, luks: &Object, layout: Option<&str>, at: &Path) {
        if uses_cex(luks) {
            let message = "when using cex the targeted architecture must match s390x";
            match layout {
                None => self.report.error(&at.key("luks").key("cex"), message),
                Some(name) if !name.starts_with("s390x") => {
                    self.report.error(&at.key("layout"), message);
                }
                Some(_) => {}
            }
            if luks.flag("tpm2") == Some(true) || !luks.list("tang").is_empty() {
                self.report.error(&at.key("luks"), "cannot use cex with clevis");
            }
        }
        if self.dialect.does(Feature::LuksMethodRequired)
            && luks.filled("device").is_some()
            && !has_method(luks)
        {
            self.report.error(&at.key("luks"), "no method specified for luks");
        }
    }
}

/// Returns whether a device ends in the name of a disk with one letter.
fn is_whole_disk(device: &str, prefix: &str) -> bool {
    let stem = device.strip_suffix(|c: char| c.is_ascii_lowercase());
    stem.is_some_and(|stem| stem.ends_with(prefix))
}
