//! What variants have keys for, because they share them, but no use.

use serde_json::{Value, json};

use super::conditions::with;
use super::definitions::Definitions;
use crate::schema::Layer::{Base, Openshift};
use crate::schema::{Dialect, Since};

/// Edge and IoT images are written as they are.
const SIMPLIFIED: &[&str] =
    &["kernel_arguments", "storage.disks", "storage.filesystems", "storage.luks", "storage.raid"];

const MACHINES: &[&str] = &[
    "kernel_arguments",
    "passwd.groups",
    "passwd.users.gecos",
    "passwd.users.groups",
    "passwd.users.home_dir",
    "passwd.users.no_create_home",
    "passwd.users.no_log_init",
    "passwd.users.no_user_group",
    "passwd.users.primary_group",
    "passwd.users.shell",
    "passwd.users.should_exist",
    "passwd.users.system",
    "passwd.users.uid",
    "storage.directories",
    "storage.files.append",
    "storage.files.contents.http_headers",
    "storage.links",
];

/// Keys of lists, which paths pass through.
const LISTS: [&str; 4] = ["users", "files", "luks", "filesystems"];

/// The greatest mode without special bits, read as the decimal number that YAML 1.2 takes it for.
const GREATEST_MODE: u32 = 777;

/// Returns the rules of a variant.
pub(super) fn rules(dialect: &Dialect, definitions: &mut Definitions) -> Vec<Value> {
    let empty = empty_paths(dialect);
    if empty.is_empty() {
        return vec![];
    }
    let nothing = definitions.add("nothing", nothing());
    let mut rules: Vec<Value> = empty.iter().map(|path| at(path, nothing.clone())).collect();
    if dialect.openshift.is_some() {
        rules.extend(machines(dialect));
    }
    rules
}

/// Returns the keys that must hold nothing.
fn empty_paths(dialect: &Dialect) -> Vec<&'static str> {
    let since = |minor| dialect.reaches(Since(Openshift, minor));
    match dialect.variant {
        "r4e" | "fiot" => SIMPLIFIED.to_vec(),
        "flatcar" if dialect.reaches(Since(Base, 8)) => vec!["storage.luks.cex"],
        "flatcar" => vec!["storage.luks.clevis"],
        "openshift" => {
            let mut paths = MACHINES.to_vec();
            if !since(13) {
                paths.push("passwd.users.password_hash");
            }
            if !since(10) {
                paths.push("storage.files.contents.compression");
            }
            // The section becomes a file that is appended to.
            if since(14) && !since(23) {
                paths.push("grub.users");
            }
            paths
        }
        _ => vec![],
    }
}

fn machines(dialect: &Dialect) -> Vec<Value> {
    let mut rules = vec![
        at("passwd.users", json!({ "anyOf": [{ "type": "null" }, core()] })),
        at("storage.files.contents.source", json!({ "pattern": "^($|data:)" })),
        at("storage.filesystems.format", json!({ "not": { "enum": ["btrfs"] } })),
    ];
    if dialect.reaches(Since(Openshift, 10)) {
        rules.push(at("storage.files.mode", json!({ "maximum": GREATEST_MODE })));
    }
    if dialect.reaches(Since(Openshift, 14)) {
        rules.push(at("storage.filesystems.format", json!({ "not": { "enum": ["none"] } })));
    }
    rules
}

/// The only user that machine configs may change.
fn core() -> Value {
    let user = with("name", json!({ "const": "core" }));
    json!({ "type": "array", "items": { "anyOf": [{ "type": "null" }, user] } })
}

/// What is as good as absent.
fn nothing() -> Value {
    let itself = json!({ "$ref": "#/definitions/nothing" });
    json!({
        "anyOf": [
            { "enum": [null, ""] },
            { "type": "array", "items": { "type": "null" } },
            { "type": "object", "additionalProperties": itself },
        ],
    })
}

/// Applies a rule to what is at a path, through lists.
fn at(path: &str, rule: Value) -> Value {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let below = match rest {
        "" => rule,
        rest if LISTS.contains(&key) => json!({ "items": at(rest, rule) }),
        rest => at(rest, rule),
    };
    json!({ "properties": { key: below } })
}
