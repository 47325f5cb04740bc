//! Encrypted devices.

use super::node::check_path;
use super::{Place, Rules, url};
use crate::value::Object;

/// The most bytes of a LUKS2 label, without the end mark.
const LONGEST_LABEL: usize = 47;

impl Rules {
    pub(super) fn luks(&mut self, luks: &Object, place: &Place<'_>) {
        if luks.text("name").is_some_and(|name| name.contains('/')) {
            self.error(&place.below(luks, "name"), "device names cannot contain slashes");
        }
        if luks.text("label").is_some_and(|label| label.len() > LONGEST_LABEL) {
            let message = "luks device labels cannot be longer than 47 characters";
            self.error(&place.below(luks, "label"), message);
        }
        let device = place.below(luks, "device");
        match luks.filled("device") {
            None => self.error(&device, "disk device is required"),
            Some(path) => self.require(&device, check_path(path)),
        }
        let clevis = luks.object("clevis");
        if clevis.is_some_and(|clevis| self.has_custom(clevis) && has_plain_pins(clevis)) {
            let message = "cannot use custom clevis config with tpm2, tang, or threshold";
            self.error(&place.below(luks, "clevis"), message);
        }
        let source = luks.object("keyFile").and_then(|key| key.text("source"));
        if source.is_some_and(|source| self.check_source(source).is_err()) {
            // The key that the reference names does not exist.
            self.error(&place.missing("keys"), "invalid key-file source");
        }
        if luks.object("cex").is_some_and(|cex| cex.flag("enabled") == Some(true)) {
            let at = place.below(luks, "cex");
            if clevis.is_some_and(|clevis| self.has_custom(clevis) || has_plain_pins(clevis)) {
                self.error(&at, "cannot use cex with clevis");
            }
            if luks.object("keyFile").is_some_and(|key| key.is_filled("source")) {
                self.error(&at, "cannot use key file with cex");
            }
        }
        if let Some(clevis) = clevis {
            self.clevis(clevis, &place.below(luks, "clevis"));
        }
        self.contents_field(luks, "keyFile", place);
    }

    fn clevis(&mut self, clevis: &Object, place: &Place<'_>) {
        if let Some(custom) = clevis.object("custom") {
            self.custom(custom, &place.below(clevis, "custom"));
        }
        for (n, value, tang) in clevis.objects("tang") {
            let place = place.below(clevis, "tang").item(n, value);
            let at = place.below(tang, "url");
            match url::parse(tang.text("url").unwrap_or_default()).map(|url| url.scheme) {
                Err(message) => self.error(&at, message),
                Ok(scheme) if matches!(scheme.as_str(), "http" | "https") => {}
                Ok(_) => self.error(&at, "invalid url scheme"),
            }
            if tang.filled("thumbprint").is_none() {
                self.error(&place.below(tang, "thumbprint"), "thumbprint is required");
            }
            if let Some(text) = tang.filled("advertisement")
                && serde_json::from_str::<serde_json::Value>(text).is_err()
            {
                let place = place.below(tang, "advertisement");
                self.error(&place, "advertisement is not valid JSON");
            }
        }
    }

    fn custom(&mut self, custom: &Object, place: &Place<'_>) {
        let (pin, config) = (custom.filled("pin"), custom.filled("config"));
        let needs_network = self.since(3) && custom.flag("needsNetwork") == Some(true);
        if pin.is_none() && config.is_none() && !needs_network {
            return;
        }
        let at = place.below(custom, "pin");
        match pin {
            None if self.since(3) => self.error(&at, "missing required custom clevis pin"),
            Some("tpm2" | "tang" | "sss") => {}
            Some(_) if self.since(6) => {}
            None | Some(_) => self.error(&at, "unsupported clevis pin"),
        }
        if config.is_none() {
            let at = place.below(custom, "config");
            self.error(&at, "missing required custom clevis config");
        }
    }

    /// Returns whether a custom pin is asked for; before it could be merged, a mapping was enough.
    fn has_custom(&self, clevis: &Object) -> bool {
        let custom = clevis.object("custom");
        custom.is_some_and(|custom| !self.since(3) || custom.filled("pin").is_some())
    }
}

fn has_plain_pins(clevis: &Object) -> bool {
    !clevis.list("tang").is_empty()
        || clevis.flag("tpm2") == Some(true)
        || clevis.int("threshold").unwrap_or_default() != 0
}
