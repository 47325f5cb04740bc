//! Files, directories and links.

use super::allows::Allows;
use super::contents::CONTENTS;
use super::notes::{SPECIAL_BITS, WRITABLE};
use super::{PATH, doc, flag, int, list, object, shape, text};
use crate::schema::{Absent, Field, Identity, Shape};

const OWNING_GROUP: Field = object("group", "group", &NODE_GROUP).doc(
    doc("Group that owns it.", "所属的用户组。")
        .default_words("root", "root")
        .example("group:\n  name: wheel"),
);

const OWNER: Field = object("user", "user", &NODE_USER).doc(
    doc("User who owns it.", "所有者。")
        .default_words("root", "root")
        .example("user:\n  name: nest"),
);

pub(crate) static DIRECTORY: Shape = shape(
    "Directory",
    PATH,
    &[
        OWNING_GROUP,
        flag("overwrite", "overwrite").doc(
            doc(
                "Whether to delete what is at the path first, with all that it \
                 contains. Otherwise a directory stays and only gets the owner and \
                 mode, and anything else makes Ignition fail.",
                "是否先删除该路径上已有的内容及其全部下级。否则已有的目录会保留并只设\
                 置所有者和权限，其他类型会使 Ignition 失败。",
            )
            .default("false")
            .example("overwrite: true"),
        ),
        text("path", "path").always().doc(
            doc("Absolute path of the directory.", "目录的绝对路径。")
                .allows(Allows::Path)
                .example("path: /var/lib/app")
                .nestos(WRITABLE.0, WRITABLE.1),
        ),
        OWNER,
        int("mode", "mode").doc(
            doc(
                "Permissions of the directory. Write it in octal with a leading zero: \
                 644 without it is another number.",
                "目录的权限。请用带前导零的八进制书写：没有前导零的 644 是另一个数。",
            )
            .allows(Allows::Mode)
            .default_words("0755, or as it is if it exists", "0755；目录已存在时保持原样")
            .example("mode: 0755")
            .nestos(SPECIAL_BITS.0, SPECIAL_BITS.1),
        ),
    ],
);

pub(crate) static FILE: Shape = shape(
    "File",
    PATH,
    &[
        OWNING_GROUP,
        flag("overwrite", "overwrite").doc(
            doc(
                "Whether to replace what is at the path; needs `contents`. Otherwise \
                 Ignition fails if `contents` are given for a file that exists.",
                "是否替换该路径上已有的内容；需要 `contents`。否则对已存在的文件设置 \
                 `contents` 会使 Ignition 失败。",
            )
            .default("false")
            .example("overwrite: true"),
        ),
        text("path", "path").always().doc(
            doc("Absolute path of the file.", "文件的绝对路径。")
                .allows(Allows::Path)
                .example("path: /etc/hostname")
                .nestos(WRITABLE.0, WRITABLE.1),
        ),
        OWNER,
        list("append", "append", &CONTENTS).concatenated().doc(
            doc("Contents to add at the end of the file, in order.", "依次追加到文件末尾的内容。")
                .example("append:\n  - inline: |\n      vm.swappiness=10"),
        ),
        object("contents", "contents", &CONTENTS).doc(
            doc(
                "Contents of the file. Without them, a file that exists keeps its own \
                 and a new one is empty.",
                "文件的内容。不设置时，已有文件保持原内容，新文件为空。",
            )
            .example("contents:\n  inline: web1"),
        ),
        int("mode", "mode").doc(
            doc(
                "Permissions of the file. Write it in octal with a leading zero: 644 \
                 without it is another number.",
                "文件的权限。请用带前导零的八进制书写：没有前导零的 644 是另一个数。",
            )
            .allows(Allows::Mode)
            .default_words(
                "0644, or as it is if the file exists and gets no contents",
                "0644；文件已存在且未设置内容时保持原样",
            )
            .example("mode: 0600")
            .nestos(SPECIAL_BITS.0, SPECIAL_BITS.1),
        ),
    ],
);

pub(crate) static LINK: Shape = shape(
    "Link",
    PATH,
    &[
        OWNING_GROUP,
        flag("overwrite", "overwrite").doc(
            doc(
                "Whether to delete what is at the path first. Otherwise Ignition \
                 fails if something else is there.",
                "是否先删除该路径上已有的内容。否则若该处有其他内容，Ignition 会失败。",
            )
            .default("false")
            .example("overwrite: true"),
        ),
        text("path", "path").always().doc(
            doc(
                "Absolute path of the link itself. Nothing in the config may lie \
                 below it.",
                "链接自身的绝对路径。配置中的其他内容不能位于其下。",
            )
            .allows(Allows::Path)
            .example("path: /etc/localtime")
            .nestos(WRITABLE.0, WRITABLE.1),
        ),
        OWNER,
        flag("hard", "hard").doc(
            doc(
                "Whether it is a hard link, to a file on the same filesystem; owner \
                 and group then do not count.",
                "是否为硬链接（指向同一文件系统上的文件）；此时所有者和用户组不起作用。",
            )
            .default("false")
            .example("hard: true"),
        ),
        text("target", "target").formerly_absent(Absent::Zero, 4).doc(
            doc(
                "Where the link points to; a relative one counts from the directory \
                 of the link.",
                "链接指向的目标；相对路径以链接所在目录为起点。",
            )
            .example("target: ../usr/share/zoneinfo/Asia/Shanghai"),
        ),
    ],
);

pub(crate) static NODE_USER: Shape = shape(
    "NodeUser",
    Identity::None,
    &[
        int("id", "id").doc(
            doc(
                "Number of the owner. Not together with `name`.",
                "所有者的编号。不能与 `name` 同时使用。",
            )
            .default_words("0, root", "0（root）")
            .example("id: 1000"),
        ),
        text("name", "name").doc(
            doc(
                "Name of the owner, who must exist in the image or be created by this \
                 config. Not together with `id`.",
                "所有者的名称，必须存在于镜像中，或由本配置创建。不能与 `id` 同时使用。",
            )
            .default_words("root", "root")
            .example("name: nest"),
        ),
    ],
);

pub(crate) static NODE_GROUP: Shape = shape(
    "NodeGroup",
    Identity::None,
    &[
        int("id", "id").doc(
            doc(
                "Number of the group. Not together with `name`.",
                "用户组的编号。不能与 `name` 同时使用。",
            )
            .default_words("0, root", "0（root）")
            .example("id: 1000"),
        ),
        text("name", "name").doc(
            doc(
                "Name of the group, which must exist in the image or be created by \
                 this config. Not together with `id`.",
                "用户组的名称，必须存在于镜像中，或由本配置创建。不能与 `id` 同时使用。",
            )
            .default_words("root", "root")
            .example("name: wheel"),
        ),
    ],
);
