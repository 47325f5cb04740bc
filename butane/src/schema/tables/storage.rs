//! Lists of what is on disks, and trees of files.

use super::allows::Allows;
use super::disks::{DISK, RAID};
use super::filesystems::{FILESYSTEM, LUKS};
use super::nodes::{DIRECTORY, FILE, LINK, NODE_GROUP, NODE_USER};
use super::notes::WRITABLE;
use super::{doc, int, list, object, shape, text};
use crate::schema::{Identity, Shape};

pub(crate) static STORAGE: Shape = shape(
    "Storage",
    Identity::None,
    &[
        list("directories", "directories", &DIRECTORY).shared("nodes").doc(
            doc(
                "Directories to create or to give an owner and mode.",
                "要创建的目录，或要设置所有者和权限的目录。",
            )
            .example("directories:\n  - path: /var/lib/app\n    mode: 0755"),
        ),
        list("disks", "disks", &DISK).doc(
            doc("Disks whose partition table is to be changed.", "要修改分区表的磁盘。").example(
                "disks:\n\
                 \x20 - device: /dev/vdb\n\
                 \x20   wipe_table: true\n\
                 \x20   partitions:\n\
                 \x20     - label: data",
            ),
        ),
        list("files", "files", &FILE).shared("nodes").doc(
            doc(
                "Files to write, extend or give an owner and mode. Missing parent \
                 directories are created, with root as owner.",
                "要写入、追加的文件，或要设置所有者和权限的文件。缺少的上级目录会自动\
                 创建，所有者为 root。",
            )
            .example(
                "files:\n\
                 \x20 - path: /etc/hostname\n\
                 \x20   mode: 0644\n\
                 \x20   contents:\n\
                 \x20     inline: web1",
            ),
        ),
        list("filesystems", "filesystems", &FILESYSTEM).doc(
            doc(
                "Filesystems to create, or to mount while files are written.",
                "要创建的文件系统，或写入文件时要挂载的文件系统。",
            )
            .example(
                "filesystems:\n\
                 \x20 - device: /dev/disk/by-partlabel/data\n\
                 \x20   format: xfs\n\
                 \x20   path: /var/lib/data\n\
                 \x20   with_mount_unit: true",
            ),
        ),
        list("links", "links", &LINK).shared("nodes").doc(
            doc("Symbolic or hard links to create.", "要创建的符号链接或硬链接。").example(
                "links:\n\
                 \x20 - path: /etc/localtime\n\
                 \x20   target: ../usr/share/zoneinfo/Asia/Shanghai",
            ),
        ),
        list("luks", "luks", &LUKS).since(3).doc(
            doc("Encrypted volumes to create.", "要创建的加密卷。").example(
                "luks:\n\
                 \x20 - name: data\n\
                 \x20   device: /dev/disk/by-partlabel/secret\n\
                 \x20   clevis:\n\
                 \x20     tpm2: true",
            ),
        ),
        list("raid", "raid", &RAID).doc(
            doc("RAID arrays to create.", "要创建的 RAID 阵列。").example(
                "raid:\n\
                 \x20 - name: data\n\
                 \x20   level: raid1\n\
                 \x20   devices: [/dev/vdb, /dev/vdc]",
            ),
        ),
        list("trees", "", &TREE).sugar().since(2).doc(
            doc(
                "Directories on the machine that compiles the config, embedded with \
                 all their files and symbolic links. Files that `files` mentions too \
                 get their attributes from there.",
                "编译配置的机器上的目录，连同其中的所有文件和符号链接一起嵌入。\
                 `files` 中也提到的文件，其属性以 `files` 为准。",
            )
            .example("trees:\n  - local: overlay\n    path: /"),
        ),
    ],
);

pub(crate) static TREE: Shape = shape(
    "Tree",
    Identity::None,
    &[
        object("group", "", &NODE_GROUP).sugar().since(7).doc(
            doc("Group of the files and directories.", "文件和目录所属的用户组。")
                .default_words("root", "root")
                .example("group:\n  name: wheel"),
        ),
        text("local", "").sugar().always().doc(
            doc(
                "The directory to embed, relative to the directory given with \
                 --files-dir. Empty directories are left out.",
                "要嵌入的目录，相对于 --files-dir 指定的目录。空目录会被忽略。",
            )
            .allows(Allows::Filled)
            .example("local: overlay"),
        ),
        text("path", "").sugar().doc(
            doc(
                "Absolute path on the machine that the tree is put at.",
                "目录树在机器上的绝对路径。",
            )
            .allows(Allows::PathOrEmpty)
            .default("/")
            .example("path: /etc/app")
            .nestos(WRITABLE.0, WRITABLE.1),
        ),
        object("user", "", &NODE_USER).sugar().since(7).doc(
            doc("User who owns the files and directories.", "文件和目录的所有者。")
                .default_words("root", "root")
                .example("user:\n  name: nest"),
        ),
        int("file_mode", "").sugar().since(7).doc(
            doc(
                "Permissions of the files. Write it in octal with a leading zero: 644 \
                 without it is another number.",
                "文件的权限。请用带前导零的八进制书写：没有前导零的 644 是另一个数。",
            )
            .allows(Allows::Mode)
            .default_words(
                "0755 for executable files, 0644 for others",
                "可执行文件为 0755，其他为 0644",
            )
            .example("file_mode: 0640"),
        ),
        int("dir_mode", "").sugar().since(7).doc(
            doc(
                "Permissions of the directories. Write it in octal with a leading \
                 zero: 644 without it is another number.",
                "目录的权限。请用带前导零的八进制书写：没有前导零的 644 是另一个数。",
            )
            .allows(Allows::Mode)
            .default("0755")
            .example("dir_mode: 0750"),
        ),
    ],
);
