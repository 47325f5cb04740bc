//! Users and groups.

use super::{NAME, doc, flag, int, list, shape, text, texts};
use crate::schema::{Identity, Shape};

pub(crate) static PASSWD: Shape = shape(
    "Passwd",
    Identity::None,
    &[
        list("groups", "groups", &GROUP).doc(
            doc("Groups to create or change.", "要创建或修改的用户组。")
                .example("groups:\n  - name: builders\n    gid: 1500"),
        ),
        list("users", "users", &USER).doc(
            doc("Users to create or change.", "要创建或修改的用户。")
                .example(
                    "users:\n\
                     \x20 - name: nest\n\
                     \x20   ssh_authorized_keys: [ssh-ed25519 AAAA...]",
                )
                .nestos(
                    "The image brings user nest (groups adm, sudo, systemd-journal, wheel \
                     and docker) without a password: give it a key or a password to be \
                     able to log in.",
                    "镜像自带用户 nest（属于 adm、sudo、systemd-journal、wheel 和 docker \
                     组），但没有密码：请为其设置密钥或密码，否则无法登录。",
                ),
        ),
    ],
);

pub(crate) static GROUP: Shape = shape(
    "PasswdGroup",
    NAME,
    &[
        int("gid", "gid").doc(
            doc("Number of the group.", "用户组的编号。")
                .default_words("the next free one", "下一个空闲的编号")
                .example("gid: 1500"),
        ),
        text("name", "name")
            .always()
            .doc(doc("Name of the group.", "用户组的名称。").example("name: builders")),
        text("password_hash", "passwordHash").doc(
            doc(
                "Hash of the group's password, as crypt(5) has it; seldom needed.",
                "用户组密码的散列值，格式见 crypt(5)；很少需要。",
            )
            .example("password_hash: $6$salt$..."),
        ),
        flag("should_exist", "shouldExist").since(3).doc(
            doc(
                "Whether the group is to exist; false deletes it.",
                "用户组是否应存在；false 会将其删除。",
            )
            .default("true")
            .example("should_exist: false"),
        ),
        flag("system", "system").doc(
            doc(
                "Whether a group that is created is a system group, with a number \
                 from the range for those.",
                "新建的用户组是否为系统组（编号取自系统组范围）。",
            )
            .default("false")
            .example("system: true"),
        ),
    ],
);

pub(crate) static USER: Shape = shape(
    "PasswdUser",
    NAME,
    &[
        text("gecos", "gecos").doc(
            doc("Full name or comment (the GECOS field).", "全名或备注（GECOS 字段）。")
                .example("gecos: Build robot"),
        ),
        texts("groups", "groups", "Group").doc(
            doc(
                "Supplementary groups the user joins; they must exist or be created \
                 by this config.",
                "用户加入的附加组；这些组必须已存在，或由本配置创建。",
            )
            .example("groups: [wheel, docker]"),
        ),
        text("home_dir", "homeDir").doc(
            doc("Home directory.", "主目录。")
                .default_words("/home/NAME", "/home/用户名")
                .example("home_dir: /var/lib/builder"),
        ),
        text("name", "name").always().doc(
            doc(
                "Login name. A user who exists is changed, another one created.",
                "登录名。已存在的用户会被修改，否则新建。",
            )
            .example("name: nest"),
        ),
        flag("no_create_home", "noCreateHome").doc(
            doc(
                "Whether to leave out the home directory of a user who is created.",
                "新建用户时是否不创建主目录。",
            )
            .default("false")
            .example("no_create_home: true"),
        ),
        flag("no_log_init", "noLogInit").doc(
            doc(
                "Whether to leave a user who is created out of the login records \
                 (lastlog, faillog); for very large user numbers.",
                "新建用户时是否不写入登录记录（lastlog、faillog）；用于编号非常大的用\
                 户。",
            )
            .default("false")
            .example("no_log_init: true"),
        ),
        flag("no_user_group", "noUserGroup").doc(
            doc(
                "Whether to create the user without a group of the same name.",
                "新建用户时是否不创建同名用户组。",
            )
            .default("false")
            .example("no_user_group: true"),
        ),
        text("password_hash", "passwordHash").doc(
            doc(
                "Hash of the password, as crypt(5) has it, for instance from \
                 `mkpasswd -m sha-512` or `openssl passwd -6`. Never the password \
                 itself.",
                "密码的散列值，格式见 crypt(5)，可用 `mkpasswd -m sha-512` 或 \
                 `openssl passwd -6` 生成。切勿填写明文密码。",
            )
            .default_words("no login by password", "不能用密码登录")
            .example("password_hash: $6$salt$..."),
        ),
        text("primary_group", "primaryGroup").doc(
            doc(
                "Primary group of a user who is created; it must exist.",
                "新建用户的主组；该组必须已存在。",
            )
            .default_words("a new group with the user's name", "与用户同名的新组")
            .example("primary_group: builders"),
        ),
        texts("ssh_authorized_keys", "sshAuthorizedKeys", "SSHAuthorizedKey").doc(
            doc(
                "Public SSH keys that may log in as the user, one entry per key.",
                "可以以该用户身份登录的 SSH 公钥，每个条目一个。",
            )
            .example("ssh_authorized_keys:\n  - ssh-ed25519 AAAAC3Nza... admin@example.com")
            .nestos(
                "They are written to .ssh/authorized_keys.d/ignition in the home \
                 directory; .ssh/authorized_keys stays the user's own.",
                "公钥写入主目录下的 .ssh/authorized_keys.d/ignition；\
                 .ssh/authorized_keys 仍归用户自己管理。",
            ),
        ),
        texts("ssh_authorized_keys_local", "", "string").sugar().since(5).doc(
            doc(
                "Files with public SSH keys, one key per line, relative to the \
                 directory given with --files-dir; added after `ssh_authorized_keys`.",
                "包含 SSH 公钥的文件（每行一个），相对于 --files-dir 指定的目录；追加\
                 在 `ssh_authorized_keys` 之后。",
            )
            .example("ssh_authorized_keys_local:\n  - keys/admins.pub"),
        ),
        text("shell", "shell").doc(
            doc(
                "Login shell, as an absolute path; it must be in the image.",
                "登录 shell 的绝对路径；必须存在于镜像中。",
            )
            .default_words(
                "the image's default, usually /bin/bash",
                "镜像的默认值，通常为 /bin/bash",
            )
            .example("shell: /sbin/nologin"),
        ),
        flag("should_exist", "shouldExist").since(3).doc(
            doc(
                "Whether the user is to exist; false deletes the user.",
                "用户是否应存在；false 会将其删除。",
            )
            .default("true")
            .example("should_exist: false"),
        ),
        flag("system", "system").doc(
            doc(
                "Whether a user who is created is a system user, with a number from \
                 the range for those and a password that does not age.",
                "新建的用户是否为系统用户：编号取自系统用户范围，密码不会过期。",
            )
            .default("false")
            .example("system: true"),
        ),
        int("uid", "uid").doc(
            doc("Number of the user.", "用户的编号。")
                .default_words("the next free one", "下一个空闲的编号")
                .example("uid: 1500"),
        ),
    ],
);
