//! The sections that only openshift has.

use super::Check;
use crate::path::Path;
use crate::schema::Layer::Openshift;
use crate::schema::Since;
use crate::translate::boot_device::uses_cex;
use crate::value::{Kind, Object, Value};

/// The label that says which machines a config is for.
const ROLE: &str = "machineconfiguration.openshift.io/role";

/// Without this argument the key of an IBM Crypto Express adapter is not found at boot.
const CEX_ARGUMENT: &str = "rd.luks.key=/etc/luks/cex.key";

impl Check<'_> {
    pub(super) fn metadata(&mut self, metadata: &Object, at: &Path) {
        if metadata.filled("name").is_none() {
            self.report.error(&at.key("name"), "metadata.name is required");
        }
        let role = match metadata.get("labels").map(|value| &value.kind) {
            Some(Kind::Labels(labels)) => labels.get(ROLE).is_some_and(|role| !role.is_empty()),
            _ => false,
        };
        if !role {
            self.report.error(&at.key("labels"), format!("{ROLE} label is required"));
        }
    }

    pub(super) fn openshift(&mut self, openshift: &Object, at: &Path) {
        if !matches!(openshift.text("kernel_type"), None | Some("" | "default" | "realtime")) {
            let message = "must be empty, \"default\", or \"realtime\"";
            self.report.error(&at.key("kernel_type"), message);
        }
    }

    /// Reports roots whose key would not be found because an argument is missing.
    pub(super) fn cex_argument(&mut self, config: &Object) {
        if !self.dialect.reaches(Since(Openshift, 19)) {
            return;
        }
        let arguments = config.object("openshift").map(|o| o.list("kernel_arguments"));
        let mut arguments = arguments.unwrap_or_default().iter().filter_map(Value::as_text);
        if arguments.any(|argument| argument == CEX_ARGUMENT) {
            return;
        }
        let boot = config.object("boot_device").and_then(|boot| boot.object("luks"));
        let boots = boot.is_some_and(uses_cex);
        let roots = config.object("storage").is_some_and(|storage| {
            let mut luks = storage.objects("luks");
            luks.any(|(_, _, luks)| luks.text("name") == Some("root") && uses_cex(luks))
        });
        if boots || roots {
            let at = Path::default().key("openshift").key("kernel_arguments");
            let message = format!(
                "'{CEX_ARGUMENT}' must be set as kernel argument when CEX is enabled for the \
                 boot device"
            );
            self.report.error(&at, message);
        }
    }
}
