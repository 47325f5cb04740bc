//! The rules of Ignition configs beyond their structure. Walks a config in the order of the
//! schema, a level before what is below it; this is the order reports have.

use super::duplicates;
use crate::path::Path;
use crate::report::Report;
use crate::schema::Dialect;
use crate::value::{Object, Value};

mod contents;
mod data_url;
mod disk;
mod hash;
mod luks;
mod node;
mod storage;
mod systemd;
mod unit_file;
mod url;

/// How values without an origin are named in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// As in the config that is checked.
    AsWritten,
    /// As in the Butane config that it was compiled from.
    AsInButane,
}

/// Returns the scheme of a URL in lower case; `None` if it is not one.
pub(crate) fn scheme(text: &str) -> Option<String> {
    url::parse(text).ok().map(|url| url.scheme)
}

/// Checks a whole config: duplicates, then the rules of its spec version.
pub(crate) fn check_generated(config: &Object, dialect: &Dialect, names: Names) -> Report {
    let mut report = Report::default();
    let start = Path::default();
    let root = Place { json: start.clone(), origin: Some(&start), names };
    duplicates::check(config, &root, &mut report);
    let mut rules = Rules { report, minor: dialect.ignition };
    rules.config(config, &root);
    rules.report
}

/// A place in the config that is checked, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Place<'v> {
    json: Path,
    origin: Option<&'v Path>,
    names: Names,
}

impl<'v> Place<'v> {
    /// Returns the place of a field of `object`, which is at this place.
    pub(super) fn below(&self, object: &'v Object, key: &'static str) -> Self {
        let origin = object.get(key).map(|value| &value.origin);
        Self { json: self.json.key(key), origin, names: self.names }
    }

    /// Returns the place of an entry of the list at this place.
    pub(super) fn item(&self, index: usize, value: &'v Value) -> Self {
        let origin = Some(&value.origin);
        Self { json: self.json.index(index), origin, names: self.names }
    }

    /// Returns the place of a field that the schema does not have.
    pub(super) fn missing(&self, key: &'static str) -> Self {
        Self { json: self.json.key(key), origin: None, names: self.names }
    }

    /// Returns the path that reports about this place name.
    pub(super) fn report_path(&self) -> Path {
        match (self.origin, self.names) {
            (Some(origin), _) => origin.clone(),
            (None, Names::AsWritten) => self.json.clone(),
            (None, Names::AsInButane) => self.json.snake_case(),
        }
    }
}

/// The checks, with what they have found so far.
struct Rules {
    report: Report,
    minor: u8,
}

impl Rules {
    /// Returns whether the config is of spec `3.minor.0` or later.
    fn since(&self, minor: u8) -> bool {
        self.minor >= minor
    }

    fn error(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.report.error(&place.report_path(), message);
    }

    fn warning(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.report.warning(&place.report_path(), message);
    }

    /// Reports a failed check.
    fn require(&mut self, place: &Place<'_>, result: Result<(), String>) {
        if let Err(message) = result {
            self.error(place, message);
        }
    }

    fn config(&mut self, config: &Object, root: &Place<'_>) {
        self.unit_conflicts(config, root);
        if let Some(ignition) = config.object("ignition") {
            self.ignition(ignition, &root.below(config, "ignition"));
        }
        if let Some(storage) = config.object("storage") {
            self.storage(storage, &root.below(config, "storage"));
        }
        if let Some(systemd) = config.object("systemd") {
            self.systemd(systemd, &root.below(config, "systemd"));
        }
    }

    /// Reports files that would replace a systemd unit of the same config.
    fn unit_conflicts(&mut self, config: &Object, root: &Place<'_>) {
        let (Some(storage), Some(systemd)) = (config.object("storage"), config.object("systemd"))
        else {
            return;
        };
        let taken = systemd::unit_paths(systemd);
        let place = root.below(config, "storage");
        for key in ["files", "directories", "links"] {
            for (n, value, node) in storage.objects(key) {
                if node.text("path").is_some_and(|path| taken.contains(path)) {
                    let item = place.below(storage, key).item(n, value);
                    self.error(
                        &item.below(node, "path"),
                        "path conflicts with systemd unit or dropin",
                    );
                }
            }
        }
    }

    fn ignition(&mut self, ignition: &Object, place: &Place<'_>) {
        if let Some(config) = ignition.object("config") {
            let place = place.below(ignition, "config");
            self.required_sources(config, "merge", &place);
            self.contents_list(config, "merge", &place);
            self.contents_field(config, "replace", &place);
        }
        if let Some(proxy) = ignition.object("proxy") {
            let place = place.below(ignition, "proxy");
            self.proxy(proxy, "httpProxy", &place);
            self.proxy(proxy, "httpsProxy", &place);
        }
        let security = ignition.object("security");
        if let Some((security, tls)) = security.and_then(|s| Some((s, s.object("tls")?))) {
            let place = place.below(ignition, "security").below(security, "tls");
            self.required_sources(tls, "certificateAuthorities", &place);
            self.contents_list(tls, "certificateAuthorities", &place);
        }
    }

    fn proxy(&mut self, proxy: &Object, key: &'static str, place: &Place<'_>) {
        let Some(text) = proxy.text(key) else { return };
        let place = place.below(proxy, key);
        match url::parse(text).map(|url| url.scheme) {
            Err(message) => self.error(&place, message),
            Ok(scheme) => match (scheme.as_str(), key) {
                ("http", "httpsProxy") => self
                    .warning(&place, "insecure plaintext HTTP proxy specified for HTTPS resources"),
                ("http" | "https", _) => {}
                _ => self.error(&place, "proxies must be http(s)"),
            },
        }
    }
}
