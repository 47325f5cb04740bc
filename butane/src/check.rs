//! Checks of the source config, before anything is translated: combinations that have no meaning.

use crate::ignition;
use crate::path::{Part, Path};
use crate::report::Report;
use crate::schema::Layer::Base;
use crate::schema::{
    BOOT_DEVICE, CONTENTS, DROPIN, Dialect, FILESYSTEM, Feature, GRUB_USER, METADATA, OPENSHIFT,
    QUADLET, Since, TREE, UNIT,
};
use crate::translate::quadlet;
use crate::value::{Kind, Object};

mod boot_device;
mod disks;
mod mode;
mod openshift;

/// Checks a config level by level, in the order of the schema.
pub(crate) fn source(config: &Object, dialect: &Dialect) -> Report {
    let mut check = Check { dialect, report: Report::default() };
    if dialect.does(Feature::NoReuseByLabel) {
        check.reused_partitions(config);
    }
    if dialect.does(Feature::MountPointRules) {
        check.mount_points(config);
    }
    check.cex_argument(config);
    check.object(config, &Path::default());
    if dialect.openshift.is_some() && config.object("metadata").is_none() {
        check.metadata(&Object::new(&METADATA), &Path::default().key("metadata"));
    }
    check.report
}

/// Checks an Ignition config that a config merges, and that it is of the version that the config
/// compiles to. `at` is what holds its text.
pub(crate) fn merged_config(text: &[u8], dialect: &Dialect, at: &Path) -> Report {
    let mut report = Report::default();
    if text.iter().all(u8::is_ascii_whitespace) && is_file(at) {
        // The reference says nothing about files; what it refuses inline it lets pass here.
        report.warning(at, "the file is empty; Ignition refuses an empty config");
        return report;
    }
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

fn is_file(at: &Path) -> bool {
    matches!(at.parts().last(), Some(Part::Key(key)) if key == "local")
}

/// Returns whether `at` is a config that Ignition merges or replaces with.
pub(crate) fn is_merged_config(at: &Path) -> bool {
    let parts = at.parts();
    let is = |n: usize, name: &str| matches!(parts.get(n), Some(Part::Key(key)) if key == name);
    is(0, "ignition") && is(1, "config")
}

struct Check<'d> {
    dialect: &'d Dialect,
    report: Report,
}

impl Check<'_> {
    fn object(&mut self, object: &Object, at: &Path) {
        self.by_shape(object, at);
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

    fn by_shape(&mut self, object: &Object, at: &Path) {
        let is = |shape| std::ptr::eq(object.shape, shape);
        if is(&CONTENTS) {
            self.contents(object, at);
        } else if is(&FILESYSTEM) {
            self.mount_unit(object, at);
        } else if is(&TREE) && object.filled("local").is_none() {
            self.report.error(at, "local is required");
        } else if is(&UNIT) || is(&DROPIN) {
            self.unit_text(object, at);
        } else if is(&QUADLET) {
            self.quadlet(object, at);
        } else if is(&BOOT_DEVICE) {
            self.boot_device(object, at);
        } else if is(&GRUB_USER) {
            self.grub_user(object, at);
        } else if is(&METADATA) {
            self.metadata(object, at);
        } else if is(&OPENSHIFT) {
            self.openshift(object, at);
        }
    }

    fn contents(&mut self, object: &Object, at: &Path) {
        let set = ["local", "inline", "source"].into_iter().filter(|k| object.get(k).is_some());
        let set: Vec<_> = set.collect();
        if let [_, .., last] = set.as_slice() {
            let message = "only one of the following can be set: inline, local, source";
            // The first version looks at what is inline.
            let last = if self.dialect.reaches(Since(Base, 2)) { *last } else { "inline" };
            self.report.error(&at.key(last), message);
        } else if is_merged_config(at) {
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
    }

    fn mount_unit(&mut self, object: &Object, at: &Path) {
        if object.flag("with_mount_unit") != Some(true) {
            return;
        }
        let swaps = self.dialect.does(Feature::SwapUnits);
        let (format, path) = (object.filled("format"), object.filled("path"));
        // Versions without swap units look for both, later ones for one after the other.
        let wants_path = !swaps || format.is_some_and(|format| format != "swap");
        if wants_path && path.is_none() {
            let message = "path is required if with_mount_unit is true and format is not swap";
            self.report.error(&at.key("path"), message);
        }
        if format.is_none() {
            let message = "format is required if with_mount_unit is true";
            self.report.error(&at.key("format"), message);
        }
    }

    fn unit_text(&mut self, object: &Object, at: &Path) {
        if object.get("contents").is_some() && object.get("contents_local").is_some() {
            let message = "only one of the following can be set: contents, contents_local";
            self.report.error(&at.key("contents_local"), message);
        }
    }

    fn quadlet(&mut self, object: &Object, at: &Path) {
        self.unit_text(object, at);
        let name = object.text("name").unwrap_or_default();
        let has_text = ["contents", "contents_local"].iter().any(|key| object.get(key).is_some());
        if has_text && quadlet::template(name).is_some() {
            let message = "template instances cannot have contents or contents_local";
            self.report.error(at, message);
        }
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if !extension.is_some_and(|extension| quadlet::EXTENSIONS.contains(&extension)) {
            let known: Vec<String> = quadlet::EXTENSIONS.iter().map(|e| format!(".{e}")).collect();
            let (last, others) = known.split_last().unzip();
            let message = format!(
                "unsupported file extension for quadlet: must be one of {}, or {}",
                others.unwrap_or_default().join(", "),
                last.map_or("", String::as_str)
            );
            self.report.error(&at.key("name"), message);
        }
    }

    fn grub_user(&mut self, user: &Object, at: &Path) {
        for key in ["name", "password_hash"] {
            if user.filled(key).is_none() {
                self.report.error(&at.key(key), format!("field \"{key}\" is required"));
            }
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
}
