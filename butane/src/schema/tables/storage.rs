//! Files and what is like them.

use super::config::CONTENTS;
use super::disks::{DISK, FILESYSTEM, LUKS, RAID};
use super::{PATH, flag, int, list, object, shape, text};
use crate::schema::{Absent, Identity, Shape};

pub(crate) static STORAGE: Shape = shape(
    "Storage",
    Identity::None,
    &[
        list("directories", "directories", &DIRECTORY).shared("nodes"),
        list("disks", "disks", &DISK),
        list("files", "files", &FILE).shared("nodes"),
        list("filesystems", "filesystems", &FILESYSTEM),
        list("links", "links", &LINK).shared("nodes"),
        list("luks", "luks", &LUKS).since(3),
        list("raid", "raid", &RAID),
        list("trees", "", &TREE).sugar().since(2),
    ],
);

pub(crate) static NODE_USER: Shape =
    shape("NodeUser", Identity::None, &[int("id", "id"), text("name", "name")]);

pub(crate) static NODE_GROUP: Shape =
    shape("NodeGroup", Identity::None, &[int("id", "id"), text("name", "name")]);

pub(crate) static DIRECTORY: Shape = shape(
    "Directory",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        int("mode", "mode"),
    ],
);

pub(crate) static FILE: Shape = shape(
    "File",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        list("append", "append", &CONTENTS).concatenated(),
        object("contents", "contents", &CONTENTS),
        int("mode", "mode"),
    ],
);

pub(crate) static LINK: Shape = shape(
    "Link",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        flag("hard", "hard"),
        text("target", "target").formerly_absent(Absent::Zero, 4),
    ],
);

pub(crate) static TREE: Shape = shape(
    "Tree",
    Identity::None,
    &[
        object("group", "", &NODE_GROUP).sugar().since(7),
        text("local", "").sugar().always(),
        text("path", "").sugar(),
        object("user", "", &NODE_USER).sugar().since(7),
        int("file_mode", "").sugar().since(7),
        int("dir_mode", "").sugar().since(7),
    ],
);
