//! What openshift wraps around an Ignition config, and which configs its operator can apply.

use std::collections::BTreeMap;

use super::grub::USER_CONFIG;
use crate::ignition;
use crate::path::Path;
use crate::report::Report;
use crate::schema::Layer::Openshift;
use crate::schema::{Dialect, Since};
use crate::value::{Kind, Object, Value};

/// The option whose default FIPS 140-2 does not allow.
const CIPHER: &str = "--cipher";
const CIPHER_SHORT: &str = "-c";
const FIPS_CIPHER: &str = "aes-cbc-essiv:sha256";

/// The only user that machine configs may change.
const ONLY_USER: &str = "core";

const PERMISSION_BITS: i64 = 0o777;

/// What a machine config has besides the Ignition config.
#[derive(Debug)]
pub(crate) struct MachineConfig {
    name: String,
    labels: BTreeMap<String, String>,
    openshift: Option<Object>,
}

impl MachineConfig {
    /// Takes the sections that are openshift's own out of a config; `None` for other variants.
    pub(crate) fn take(config: &mut Object) -> Option<Self> {
        let mut metadata = match config.take("metadata")?.kind {
            Kind::Object(metadata) => metadata,
            _ => return None,
        };
        let name = metadata.text("name").unwrap_or_default().to_owned();
        let labels = match metadata.take("labels").map(|value| value.kind) {
            Some(Kind::Labels(labels)) => labels,
            _ => BTreeMap::new(),
        };
        let openshift = match config.take("openshift").map(|value| value.kind) {
            Some(Kind::Object(openshift)) => Some(openshift),
            _ => None,
        };
        Some(Self { name, labels, openshift })
    }

    /// Changes the Ignition config as the other sections ask for.
    pub(crate) fn apply(&self, config: &mut Object, dialect: &Dialect) {
        let Some(Kind::Object(storage)) = config.get_mut("storage").map(|v| &mut v.kind) else {
            return;
        };
        if dialect.reaches(Since(Openshift, 23)) {
            replace_user_config(storage);
        }
        if self.fips() && !dialect.reaches(Since(Openshift, 20)) {
            add_fips_cipher(storage);
        }
    }

    /// Reports what the operator, or the machines, would refuse.
    pub(crate) fn check(&self, config: &Object, dialect: &Dialect, report: &mut Report) {
        if let Some(storage) = config.object("storage") {
            check_storage(storage, dialect, report);
        }
        for (_, value, user) in config.object("passwd").iter().flat_map(|p| p.objects("users")) {
            if user.text("name") != Some(ONLY_USER) {
                let at = user.get("name").map_or(&value.origin, |name| &name.origin);
                let message = "users other than \"core\" are not supported in this spec version";
                report.error(at, message);
            }
        }
    }

    /// Returns the sections that only a machine config can carry, with what they came from.
    pub(crate) fn beside_ignition(&self) -> impl Iterator<Item = &Path> {
        const KEYS: [&str; 4] = ["kernel_arguments", "extensions", "fips", "kernel_type"];
        let set = self.openshift.iter().flat_map(|o| KEYS.iter().filter_map(|key| o.get(key)));
        set.filter(|value| !is_empty(value)).map(|value| &value.origin)
    }

    /// Wraps an Ignition config.
    pub(crate) fn wrap(&self, ignition: serde_json::Value) -> serde_json::Value {
        let mut spec = serde_json::Map::new();
        spec.insert("config".to_owned(), ignition);
        let keys = [
            ("extensions", "extensions"),
            ("fips", "fips"),
            ("kernel_arguments", "kernelArguments"),
            ("kernel_type", "kernelType"),
        ];
        for (key, name) in keys {
            let value = self.openshift.as_ref().and_then(|o| o.get(key));
            if let Some(value) = value.filter(|value| !is_empty(value)) {
                spec.insert(name.to_owned(), plain(value));
            }
        }
        let mut metadata = serde_json::json!({ "name": self.name });
        if !self.labels.is_empty() {
            metadata["labels"] = serde_json::json!(self.labels);
        }
        serde_json::json!({
            "apiVersion": "machineconfiguration.openshift.io/v1",
            "kind": "MachineConfig",
            "metadata": metadata,
            "spec": spec,
        })
    }

    fn fips(&self) -> bool {
        self.openshift.as_ref().is_some_and(|openshift| openshift.flag("fips") == Some(true))
    }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.is_empty(),
        _ => false,
    }
}

fn plain(value: &Value) -> serde_json::Value {
    match &value.kind {
        Kind::Text(text) => serde_json::json!(text.as_ref()),
        Kind::Bool(flag) => serde_json::json!(flag),
        Kind::Int(number) => serde_json::json!(number),
        Kind::List(items) => items.iter().map(plain).collect(),
        Kind::Bytes(_) | Kind::Data(_) | Kind::Object(_) | Kind::Labels(_) => {
            serde_json::Value::Null
        }
    }
}

/// Turns the file that `grub` stands for from one that is appended to into one that is written:
/// the operator cannot append.
fn replace_user_config(storage: &mut Object) {
    let Some(Kind::List(files)) = storage.get_mut("files").map(|value| &mut value.kind) else {
        return;
    };
    let objects = files.iter_mut().filter_map(|value| match &mut value.kind {
        Kind::Object(file) => Some(file),
        _ => None,
    });
    for file in objects.filter(|file| file.text("path") == Some(USER_CONFIG)) {
        if file.list("append").len() != 1 {
            return;
        }
        let Some(Value { kind: Kind::List(append), .. }) = file.take("append") else { return };
        append.into_iter().for_each(|contents| file.set("contents", contents));
    }
}

/// Adds the cipher that FIPS allows to volumes that choose none.
fn add_fips_cipher(storage: &mut Object) {
    let origin = Path::default().key("openshift").key("fips");
    let Some(Kind::List(volumes)) = storage.get_mut("luks").map(|value| &mut value.kind) else {
        return;
    };
    for volume in volumes {
        let Kind::Object(volume) = &mut volume.kind else { continue };
        let Some(options) = volume.list_mut("options", &origin) else { continue };
        let chooses = |option: &str| {
            option == CIPHER || option.starts_with("--cipher=") || option == CIPHER_SHORT
        };
        if !options.iter().filter_map(Value::as_text).any(chooses) {
            options.extend([CIPHER, FIPS_CIPHER].map(|text| Value::new(&origin, text)));
        }
    }
}

fn check_storage(storage: &Object, dialect: &Dialect, report: &mut Report) {
    let formats = |wanted: &'static str| {
        let all = storage.objects("filesystems").filter_map(|(_, _, fs)| fs.get("format"));
        all.filter(move |format| format.as_text() == Some(wanted))
    };
    for format in formats("btrfs") {
        report.error(&format.origin, "btrfs is not supported in this spec version");
    }
    if dialect.reaches(Since(Openshift, 14)) {
        for format in formats("none") {
            report.error(&format.origin, "format \"none\" is not supported in this spec version");
        }
    }
    for (_, _, file) in storage.objects("files") {
        let source = file.object("contents").and_then(|contents| contents.get("source"));
        let remote = |value: &&Value| {
            let scheme = value.as_text().and_then(ignition::scheme);
            scheme.is_some_and(|scheme| scheme != "data")
        };
        if let Some(source) = source.filter(remote) {
            let message = "file contents source must be data URL in this spec version";
            report.error(&source.origin, message);
        }
        let special =
            |value: &&Value| matches!(value.kind, Kind::Int(n) if n & !PERMISSION_BITS != 0);
        if let Some(mode) = file.get("mode").filter(special)
            && dialect.reaches(Since(Openshift, 10))
        {
            report.error(&mode.origin, "special mode bits are not supported in this spec version");
        }
    }
}
