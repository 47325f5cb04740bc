//! Checks of the source config, before anything is translated: combinations that have no meaning.

use crate::ignition;
use crate::path::Path;
use crate::report::Report;
use crate::schema::{BOOT_DEVICE, CONTENTS, Dialect, FILESYSTEM, TREE};
use crate::translate::boot_device::LAYOUTS;
use crate::value::{Kind, Object, Value};

mod mode;

/// Below this size the root filesystem fills up with updates.
const SMALLEST_ROOT_MIB: i64 = 8192;

/// Checks a config level by level, in the order of the schema.
pub(crate) fn source(config: &Object, dialect: &Dialect) -> Report {
    let mut check = Check { dialect, report: Report::default() };
    if dialect.fcos.is_some() {
        check.root_partitions(config);
    }
    check.object(config, &Path::default());
    check.report
}

/// Checks an Ignition config that a config merges, and that it is of the version that the config
/// compiles to. `at` is what holds its text.
pub(crate) fn merged_config(text: &[u8], dialect: &Dialect, at: &Path) -> Report {
    let mut report = Report::default();
    match ignition::embedded(text, dialect.ignition) {
        Ok(findings) => report = findings,
        Err(ignition::Unreadable::OtherVersion) => report.warning(
            &at.key("version"),
            "skipping validation for the merge/replace ignition config due to an unkown version",
        ),
        Err(ignition::Unreadable::NoVersion(entry)) => report.entries.push(entry),
        Err(ignition::Unreadable::Syntax(entry)) => {
            report.entries.push(entry);
            report.error(at, "config is not valid");
        }
    }
    report
}

/// Returns whether `at` is a config that Ignition merges or replaces with.
pub(crate) fn is_merged_config(at: &Path) -> bool {
    at.to_string().starts_with("$.ignition.config.")
}

struct Check<'d> {
    dialect: &'d Dialect,
    report: Report,
}

impl Check<'_> {
    fn object(&mut self, object: &Object, at: &Path) {
        let is = |shape| std::ptr::eq(object.shape, shape);
        if is(&CONTENTS) {
            self.contents(object, at);
        } else if is(&FILESYSTEM) {
            self.mount_unit(object, at);
        } else if is(&TREE) && object.filled("local").is_none() {
            self.report.error(at, "local is required");
        } else if is(&BOOT_DEVICE) {
            self.boot_device(object, at);
        }
        self.mode(object, at);
        for (field, value) in object.fields() {
            match &value.kind {
                // The reference writes replacement characters into the output instead.
                Kind::Bytes(_) if field.key() != "inline" => {
                    self.report.error(&value.origin, "text is not valid UTF-8");
                }
                Kind::Object(below) => self.object(below, &value.origin),
                Kind::List(items) => {
                    for item in items {
                        match &item.kind {
                            Kind::Object(below) => self.object(below, &item.origin),
                            Kind::Bytes(_) => {
                                self.report.error(&item.origin, "text is not valid UTF-8");
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn contents(&mut self, object: &Object, at: &Path) {
        let set = ["local", "inline", "source"].into_iter().filter(|k| object.get(k).is_some());
        let set: Vec<_> = set.collect();
        if is_merged_config(at) {
            let text = match object.get("inline").map(|value| &value.kind) {
                Some(Kind::Text(text)) => Some(text.as_bytes()),
                Some(Kind::Bytes(bytes)) => Some(bytes.as_slice()),
                _ => None,
            };
            if let Some(text) = text {
                let found = merged_config(text, self.dialect, &at.key("inline"));
                self.report.entries.extend(found.entries);
            }
        }
        if let [_, .., last] = set.as_slice() {
            let message = "only one of the following can be set: inline, local, source";
            self.report.error(&at.key(*last), message);
        }
    }

    fn mount_unit(&mut self, object: &Object, at: &Path) {
        if object.flag("with_mount_unit") != Some(true) {
            return;
        }
        match object.filled("format") {
            None => self
                .report
                .error(&at.key("format"), "format is required if with_mount_unit is true"),
            Some("swap") => {}
            Some(_) if object.filled("path").is_none() => self.report.error(
                &at.key("path"),
                "path is required if with_mount_unit is true and format is not swap",
            ),
            Some(_) => {}
        }
    }

    fn mode(&mut self, object: &Object, at: &Path) {
        let node = match object.shape.name {
            "File" => mode::Node::File,
            "Directory" => mode::Node::Directory,
            _ => return,
        };
        if object.int("mode").is_some_and(|mode| mode::looks_decimal(mode, node)) {
            let message = "unreasonable mode would be reasonable if specified in octal; \
                           remember to add a leading zero";
            self.report.warning(&at.key("mode"), message);
        }
    }

    fn boot_device(&mut self, boot: &Object, at: &Path) {
        let layout = boot.text("layout");
        if layout.is_some_and(|layout| LAYOUTS.iter().all(|(name, _)| *name != layout)) {
            let names: Vec<_> = LAYOUTS.iter().map(|(name, _)| *name).collect();
            let message = format!("layout must be one of: {}", names.join(", "));
            self.report.error(&at.key("layout"), message);
        }
        let mirror = at.key("mirror");
        let devices = boot.object("mirror").map(|m| m.list("devices")).unwrap_or_default();
        if layout.is_none() && !devices.is_empty() {
            let message =
                "boot_device.layout should be specified when boot_device.mirror is specified";
            self.report.warning(&mirror, message);
        }
        if devices.len() == 1 {
            // The reference says this twice.
            let message = "mirroring requires at least two devices";
            self.report.error(&mirror.key("devices"), message);
        }
    }

    fn root_partitions(&mut self, config: &Object) {
        let Some(storage) = config.object("storage") else { return };
        for (_, _, disk) in storage.objects("disks") {
            for (n, value, partition) in disk.objects("partitions") {
                if partition.text("label") == Some("root") {
                    let others = disk.list("partitions").iter().enumerate();
                    let others = others.filter(|(o, _)| *o != n).map(|(_, value)| value);
                    self.root_partition(partition, &value.origin, others);
                }
            }
        }
    }

    fn root_partition<'v>(
        &mut self,
        root: &Object,
        at: &Path,
        mut others: impl Iterator<Item = &'v Value>,
    ) {
        let unset = |object: &Object, key| object.int(key).unwrap_or_default() == 0;
        let size = root.int("sizeMiB").unwrap_or_default();
        if size != 0 && size < SMALLEST_ROOT_MIB {
            let message = "root should have 8GiB of space assigned";
            self.report.warning(&at.key("size_mib"), message);
        }
        let follows = |other: &Value| other.as_object().is_some_and(|o| unset(o, "startMiB"));
        if size == 0 && others.any(follows) {
            self.report.warning(
                &at.key("label"),
                "root partition cannot expand; it is set to fill available space but is \
                 followed by an auto-positioned partition",
            );
        }
    }
}
