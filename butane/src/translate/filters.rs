//! Parts of Ignition that the machines of a variant cannot use: an error each, where a config has
//! them, also where sugar stands for them.

use crate::report::Report;
use crate::schema::Layer::{Base, Openshift};
use crate::schema::{Dialect, Since};
use crate::value::{Kind, Object, Value};

/// A part that is refused.
struct Filter {
    /// The keys that lead to it, in Ignition's spelling; lists are passed through.
    path: &'static str,
    /// What is said.
    message: &'static str,
}

const fn filter(path: &'static str, message: &'static str) -> Filter {
    Filter { path, message }
}

const KARGS: &str = "kernel argument customization is not supported in this spec version";
const LUKS: &str = "luks is not supported in this spec version";
const USER_FIELD: &str = "fields other than \"name\", \"ssh_authorized_keys\", and \
                          \"password_hash\" (4.13.0+) are not supported in this spec version";

/// Edge and IoT images are written as they are: no other disks, no arguments.
static SIMPLIFIED: &[Filter] = &[
    filter("kernelArguments", KARGS),
    filter("storage.disks", "disk customization is not supported in this spec version"),
    filter("storage.filesystems", "filesystem customization is not supported in this spec version"),
    filter("storage.luks", LUKS),
    filter("storage.raid", "raid is not supported in this spec version"),
];

static FLATCAR: &[Filter] =
    &[filter("storage.luks.clevis", "clevis is not supported in this spec version")];
static FLATCAR_NEW: &[Filter] =
    &[filter("storage.luks.cex", "cex is not currently supported on the target platform")];

/// What the operator that applies machine configs cannot change or does not allow.
static MACHINES: &[Filter] = &[
    filter(
        "kernelArguments",
        "this section cannot be used for kernel arguments in this spec version; use \
         openshift.kernel_arguments instead",
    ),
    filter("passwd.groups", "groups are not supported in this spec version"),
    filter("passwd.users.gecos", USER_FIELD),
    filter("passwd.users.groups", USER_FIELD),
    filter("passwd.users.homeDir", USER_FIELD),
    filter("passwd.users.noCreateHome", USER_FIELD),
    filter("passwd.users.noLogInit", USER_FIELD),
    filter("passwd.users.noUserGroup", USER_FIELD),
    filter("passwd.users.primaryGroup", USER_FIELD),
    filter("passwd.users.shell", USER_FIELD),
    filter("passwd.users.shouldExist", USER_FIELD),
    filter("passwd.users.system", USER_FIELD),
    filter("passwd.users.uid", USER_FIELD),
    filter("storage.directories", "directories are not supported in this spec version"),
    filter("storage.files.append", "appending to files is not supported in this spec version"),
    filter(
        "storage.files.contents.httpHeaders",
        "file HTTP headers are not supported in this spec version",
    ),
    filter("storage.links", "links are not supported in this spec version"),
];

static MACHINES_WITHOUT_PASSWORDS: &[Filter] = &[filter("passwd.users.passwordHash", USER_FIELD)];
static MACHINES_WITHOUT_COMPRESSION: &[Filter] = &[filter(
    "storage.files.contents.compression",
    "file compression is not supported in this spec version",
)];

/// Reports what the machines of a variant cannot use.
pub(crate) fn check(config: &Object, dialect: &Dialect, report: &mut Report) {
    let filters: Vec<&Filter> = lists(dialect).iter().flat_map(|list| list.iter()).collect();
    if !filters.is_empty() {
        let paths: Vec<(&str, &str)> = filters.iter().map(|f| (f.path, f.message)).collect();
        object(config, &paths, report);
    }
}

fn lists(dialect: &Dialect) -> Vec<&'static [Filter]> {
    let new_base = dialect.reaches(Since(Base, 8));
    match dialect.variant {
        "r4e" | "fiot" => vec![SIMPLIFIED],
        "flatcar" if new_base => vec![FLATCAR_NEW],
        "flatcar" => vec![FLATCAR],
        "openshift" => {
            let mut lists = vec![MACHINES];
            if !dialect.reaches(Since(Openshift, 13)) {
                lists.push(MACHINES_WITHOUT_PASSWORDS);
            }
            if !dialect.compresses() {
                lists.push(MACHINES_WITHOUT_COMPRESSION);
            }
            lists
        }
        _ => vec![],
    }
}

/// Checks the fields of one mapping; `filters` holds the rest of each path and its message.
fn object(object: &Object, filters: &[(&str, &str)], report: &mut Report) {
    for (field, value) in object.fields() {
        let key = field.key();
        if let Some((_, message)) = filters.iter().find(|(path, _)| *path == key) {
            if says_something(value) {
                report.error(&value.origin, *message);
            }
            continue;
        }
        let below: Vec<(&str, &str)> = filters
            .iter()
            .filter_map(|(path, message)| Some((path.strip_prefix(key)?, *message)))
            .filter_map(|(rest, message)| Some((rest.strip_prefix('.')?, message)))
            .collect();
        if below.is_empty() {
            continue;
        }
        match &value.kind {
            Kind::Object(inner) => self::object(inner, &below, report),
            Kind::List(items) => {
                for inner in items.iter().filter_map(Value::as_object) {
                    self::object(inner, &below, report);
                }
            }
            _ => {}
        }
    }
}

/// Returns whether a value is more than an empty list, text or mapping.
fn says_something(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => !items.is_empty(),
        Kind::Object(object) => object.fields().any(|(_, value)| says_something(value)),
        Kind::Text(text) => !text.is_empty(),
        _ => true,
    }
}
