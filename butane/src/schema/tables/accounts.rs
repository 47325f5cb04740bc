//! Users, groups and units.

use super::{NAME, flag, int, list, shape, text, texts};
use crate::schema::{Identity, Shape};

pub(crate) static PASSWD: Shape = shape(
    "Passwd",
    Identity::None,
    &[list("groups", "groups", &GROUP), list("users", "users", &USER)],
);

pub(crate) static GROUP: Shape = shape(
    "PasswdGroup",
    NAME,
    &[
        int("gid", "gid"),
        text("name", "name").always(),
        text("password_hash", "passwordHash"),
        flag("should_exist", "shouldExist").since(3),
        flag("system", "system"),
    ],
);

pub(crate) static USER: Shape = shape(
    "PasswdUser",
    NAME,
    &[
        text("gecos", "gecos"),
        texts("groups", "groups", "Group"),
        text("home_dir", "homeDir"),
        text("name", "name").always(),
        flag("no_create_home", "noCreateHome"),
        flag("no_log_init", "noLogInit"),
        flag("no_user_group", "noUserGroup"),
        text("password_hash", "passwordHash"),
        text("primary_group", "primaryGroup"),
        texts("ssh_authorized_keys", "sshAuthorizedKeys", "SSHAuthorizedKey"),
        texts("ssh_authorized_keys_local", "", "string").sugar().since(5),
        text("shell", "shell"),
        flag("should_exist", "shouldExist").since(3),
        flag("system", "system"),
        int("uid", "uid"),
    ],
);

pub(crate) static SYSTEMD: Shape = shape(
    "Systemd",
    Identity::None,
    &[list("units", "units", &UNIT), list("quadlets", "", &QUADLET).sugar().since(8)],
);

pub(crate) static UNIT: Shape = shape(
    "Unit",
    NAME,
    &[
        text("contents", "contents"),
        text("contents_local", "").sugar().since(5),
        list("dropins", "dropins", &DROPIN),
        flag("enabled", "enabled"),
        flag("mask", "mask"),
        text("name", "name").always(),
    ],
);

pub(crate) static DROPIN: Shape = shape(
    "Dropin",
    NAME,
    &[
        text("contents", "contents"),
        text("contents_local", "").sugar().since(5),
        text("name", "name").always(),
    ],
);

pub(crate) static QUADLET: Shape = shape(
    "Quadlet",
    NAME,
    &[
        text("contents", "").sugar(),
        text("contents_local", "").sugar(),
        list("dropins", "", &DROPIN).sugar(),
        text("name", "").sugar().always(),
        flag("rootful", "").sugar(),
    ],
);
