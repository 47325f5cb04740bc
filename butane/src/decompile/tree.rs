//! The YAML that is written: a tree of few kinds of nodes, with keys in the order that people
//! write them.

use std::sync::Arc;

use crate::schema::{Absent, Dialect, Field};
use crate::value::{Kind, Object, Value};

/// A node of the text to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A number or a boolean, spelled.
    Word(String),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Vec<Self>),
    /// A mapping.
    Map(Vec<(&'static str, Self)>),
}

/// The order of keys, over all shapes: what identifies a thing, what it is, what is in it. Other
/// keys follow in the order of the schema.
const ORDER: &[&str] = &[
    "ignition",
    "kernel_arguments",
    "boot_device",
    "grub",
    "layout",
    "mirror",
    "number",
    "name",
    "path",
    "target",
    "hard",
    "device",
    "wipe_table",
    "format",
    "level",
    "label",
    "uuid",
    "uid",
    "gid",
    "gecos",
    "primary_group",
    "groups",
    "home_dir",
    "shell",
    "password_hash",
    "ssh_authorized_keys",
    "size_mib",
    "start_mib",
    "enabled",
    "mask",
    "overwrite",
    "mode",
    "user",
    "group",
    "inline",
    "source",
    "wipe_filesystem",
    "wipe_volume",
    "passwd",
    "storage",
    "systemd",
    "users",
    "disks",
    "raid",
    "luks",
    "filesystems",
    "directories",
    "files",
    "links",
    "contents",
    "append",
    "dropins",
    "key_file",
    "url",
    "thumbprint",
    "devices",
    "spares",
];

/// Returns the tree of a config in the spelling of Butane.
pub(super) fn tree(object: &Object, dialect: &Dialect) -> Yaml {
    let said = object.fields().filter(|(field, value)| !says_nothing(field, value, dialect));
    let written = said.filter_map(|(field, value)| {
        let node = node(field, value, dialect);
        // What has only keys of Ignition's own, such as the version, is not written.
        let empty = field.absent_in(dialect) == Absent::UnsetOrEmpty;
        (empty || node != Yaml::Map(vec![])).then_some((field.yaml?, node))
    });
    let mut entries: Vec<_> = written.collect();
    let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    entries.sort_by_key(|(key, _)| rank(key));
    Yaml::Map(entries)
}

fn node(field: &Field, value: &Value, dialect: &Dialect) -> Yaml {
    match &value.kind {
        Kind::Text(text) => Yaml::Text(text.clone()),
        Kind::Int(n) if field.yaml == Some("mode") && *n > 0 => Yaml::Word(format!("0{n:03o}")),
        Kind::Int(n) => Yaml::Word(n.to_string()),
        Kind::Bool(b) => Yaml::Word(b.to_string()),
        Kind::List(items) => {
            Yaml::List(items.iter().map(|item| node(field, item, dialect)).collect())
        }
        Kind::Object(object) => tree(object, dialect),
        // What is read from JSON has none of these.
        Kind::Bytes(_) | Kind::Data(_) | Kind::Labels(_) => Yaml::Map(vec![]),
    }
}

/// Returns whether leaving a field out compiles to the same.
pub(super) fn says_nothing(field: &Field, value: &Value, dialect: &Dialect) -> bool {
    let absent = field.absent_in(dialect);
    match &value.kind {
        Kind::List(items) => items.is_empty(),
        Kind::Object(object) => {
            absent != Absent::UnsetOrEmpty
                && object.fields().all(|(field, value)| says_nothing(field, value, dialect))
        }
        Kind::Text(text) => text.is_empty() && absent != Absent::Unset,
        Kind::Int(n) => *n == 0 && absent != Absent::Unset,
        _ => false,
    }
}
