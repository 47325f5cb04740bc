//! Units, and what Podman makes units of.

use super::allows::{Allows, QUADLET_SUFFIXES, UNIT_SUFFIXES};
use super::{NAME, doc, flag, list, shape, text};
use crate::schema::{Identity, Shape};

pub(crate) static SYSTEMD: Shape = shape(
    "Systemd",
    Identity::None,
    &[
        list("units", "units", &UNIT).doc(
            doc(
                "Units to write, extend, enable, disable or mask.",
                "要写入、扩展、启用、禁用或屏蔽的单元。",
            )
            .example(
                "units:\n\
                 \x20 - name: hello.service\n\
                 \x20   enabled: true\n\
                 \x20   contents: |\n\
                 \x20     [Service]\n\
                 \x20     ExecStart=/usr/bin/echo hello\n\
                 \x20     [Install]\n\
                 \x20     WantedBy=multi-user.target",
            ),
        ),
        list("quadlets", "", &QUADLET).sugar().since(8).doc(
            doc(
                "Containers, volumes and networks that Podman turns into services \
                 (podman-systemd.unit(5)).",
                "由 Podman 转换为服务的容器、卷和网络（见 podman-systemd.unit(5)）。",
            )
            .example(
                "quadlets:\n\
                 \x20 - name: web.container\n\
                 \x20   rootful: true\n\
                 \x20   contents: |\n\
                 \x20     [Container]\n\
                 \x20     Image=docker.io/library/nginx",
            ),
        ),
    ],
);

pub(crate) static UNIT: Shape = shape(
    "Unit",
    NAME,
    &[
        text("contents", "contents").doc(
            doc(
                "Text of the unit file. Without it, the unit is one that the image \
                 brings. Lines may be up to 2048 bytes long.",
                "单元文件的文本。不设置时，指镜像自带的单元。每行最长 2048 字节。",
            )
            .example("contents: |\n  [Service]\n  ExecStart=/usr/bin/echo hello"),
        ),
        text("contents_local", "").sugar().since(5).doc(
            doc(
                "File with the text of the unit, relative to the directory given with \
                 --files-dir. Not together with `contents`.",
                "包含单元文本的文件，相对于 --files-dir 指定的目录。不能与 `contents` \
                 同时使用。",
            )
            .example("contents_local: units/hello.service"),
        ),
        list("dropins", "dropins", &DROPIN).doc(
            doc(
                "Files that add to the unit or override parts of it, whoever wrote \
                 it.",
                "对单元进行补充或部分覆盖的文件，无论单元来自何处。",
            )
            .example(
                "dropins:\n\
                 \x20 - name: 10-limits.conf\n\
                 \x20   contents: |\n\
                 \x20     [Service]\n\
                 \x20     MemoryMax=1G",
            ),
        ),
        flag("enabled", "enabled").doc(
            doc(
                "Whether the unit starts at boot: true enables it, which needs an \
                 [Install] section; false disables it.",
                "单元是否随系统启动：true 启用（需要 [Install] 节），false 禁用。",
            )
            .default_words("as the image's presets say", "由镜像的预设决定")
            .example("enabled: true"),
        ),
        flag("mask", "mask").doc(
            doc(
                "Whether to make the unit impossible to start, even by hand or by \
                 other units.",
                "是否屏蔽该单元，使其无法被手动或其他单元启动。",
            )
            .default("false")
            .example("mask: true"),
        ),
        text("name", "name").always().doc(
            doc(
                "Name of the unit with its type, such as `app.service`.",
                "单元名称，包含类型后缀，例如 `app.service`。",
            )
            .allows(Allows::Suffix(UNIT_SUFFIXES))
            .example("name: app.service"),
        ),
    ],
);

pub(crate) static DROPIN: Shape = shape(
    "Dropin",
    NAME,
    &[
        text("contents", "contents").doc(
            doc(
                "Text of the drop-in; its settings add to those of the unit or \
                 replace them.",
                "附加配置的文本；其中的设置会补充或覆盖单元的设置。",
            )
            .example("contents: |\n  [Service]\n  Restart=always"),
        ),
        text("contents_local", "").sugar().since(5).doc(
            doc(
                "File with the text of the drop-in, relative to the directory given \
                 with --files-dir. Not together with `contents`.",
                "包含附加配置文本的文件，相对于 --files-dir 指定的目录。不能与 \
                 `contents` 同时使用。",
            )
            .example("contents_local: units/restart.conf"),
        ),
        text("name", "name").always().doc(
            doc(
                "File name of the drop-in, ending in .conf; drop-ins apply in the \
                 order of their names.",
                "附加配置的文件名，以 .conf 结尾；按名称顺序生效。",
            )
            .allows(Allows::Suffix(&["conf"]))
            .example("name: 10-restart.conf"),
        ),
    ],
);

pub(crate) static QUADLET: Shape = shape(
    "Quadlet",
    NAME,
    &[
        text("contents", "").sugar().doc(
            doc("Text of the quadlet file.", "Quadlet 文件的文本。")
                .example("contents: |\n  [Container]\n  Image=docker.io/library/nginx"),
        ),
        text("contents_local", "").sugar().doc(
            doc(
                "File with the text of the quadlet, relative to the directory given \
                 with --files-dir. Not together with `contents`.",
                "包含 Quadlet 文本的文件，相对于 --files-dir 指定的目录。不能与 \
                 `contents` 同时使用。",
            )
            .example("contents_local: quadlets/web.container"),
        ),
        list("dropins", "", &DROPIN).sugar().doc(
            doc(
                "Files that add to the quadlet or override parts of it.",
                "对 Quadlet 进行补充或部分覆盖的文件。",
            )
            .example(
                "dropins:\n\
                 \x20 - name: 10-port.conf\n\
                 \x20   contents: |\n\
                 \x20     [Container]\n\
                 \x20     PublishPort=8080:80",
            ),
        ),
        text("name", "").sugar().always().doc(
            doc(
                "File name of the quadlet. An instance of a template, such as \
                 `web@1.container`, becomes a link and has no contents.",
                "Quadlet 的文件名。模板的实例（如 `web@1.container`）会变成链接，不能\
                 有内容。",
            )
            .allows(Allows::Suffix(QUADLET_SUFFIXES))
            .example("name: web.container"),
        ),
        flag("rootful", "").sugar().doc(
            doc(
                "Whether the system runs it, as root; otherwise every user does, \
                 without privileges.",
                "是否由系统以 root 身份运行；否则由每个用户以普通权限运行。",
            )
            .default("false")
            .example("rootful: true"),
        ),
    ],
);
