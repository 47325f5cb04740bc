//! Filesystems and encrypted volumes.

use super::allows::{Allows, FORMATS, TANG_URL};
use super::contents::CONTENTS;
use super::{NAME, doc, flag, int, list, object, shape, text, texts};
use crate::schema::{Absent, Identity, Layer, Shape, Since, Type};

pub(crate) static FILESYSTEM: Shape = shape(
    "Filesystem",
    Identity::Field("device"),
    &[
        text("device", "device").always().doc(
            doc(
                "Absolute path of the device that holds the filesystem; must be \
                 unique in the list.",
                "文件系统所在设备的绝对路径；在列表中须唯一。",
            )
            .allows(Allows::Path)
            .example("device: /dev/disk/by-partlabel/data"),
        ),
        text("format", "format").doc(
            doc(
                "Kind of filesystem. `none` only wipes the device.",
                "文件系统类型。`none` 只清除设备内容。",
            )
            .allows(Allows::OneOf(FORMATS))
            .example("format: xfs")
            .nestos(
                "The root filesystem of the image is xfs; ext4 works too, but without \
                 project quotas.",
                "镜像的根文件系统是 xfs；也可以使用 ext4，但不启用项目配额。",
            ),
        ),
        text("label", "label").doc(
            doc(
                "Label of the filesystem. Longest, in bytes: ext4 16, btrfs 256, xfs \
                 12, swap 15, vfat 11.",
                "文件系统的标签。最大长度（字节）：ext4 16、btrfs 256、xfs 12、swap \
                 15、vfat 11。",
            )
            .example("label: data"),
        ),
        texts("mount_options", "mountOptions", "string").concatenated().since(2).doc(
            doc(
                "Options to mount with, while Ignition writes files and in the unit \
                 of `with_mount_unit`.",
                "挂载选项，用于 Ignition 写入文件时，以及 `with_mount_unit` 生成的单\
                 元。",
            )
            .example("mount_options: [noatime]"),
        ),
        texts("options", "options", "string")
            .formerly(Type::Texts("FilesystemOption"), 2)
            .concatenated()
            .doc(
                doc("Further options for mkfs.", "mkfs 的其他选项。")
                    .example("options: [-m, reflink=1]"),
            ),
        text("path", "path").doc(
            doc(
                "Where Ignition mounts it, as an absolute path, to write the files of \
                 this config. Later boots mount it only with `with_mount_unit`.",
                "Ignition 挂载它以写入本配置中文件的绝对路径。之后的启动只有设置了 \
                 `with_mount_unit` 才会挂载。",
            )
            .allows(Allows::PathOrEmpty)
            .example("path: /var/lib/data")
            .nestos(
                "Mount points belong below /etc or /var, as / and /usr are read-only. \
                 A filesystem at /var is populated at the first boot.",
                "挂载点应位于 /etc 或 /var 之下，因为 / 和 /usr 是只读的。挂载到 /var \
                 的文件系统会在首次启动时填充。",
            ),
        ),
        text("uuid", "uuid").doc(
            doc(
                "UUID of the filesystem, in the form its kind uses.",
                "文件系统的 UUID，格式由类型决定。",
            )
            .default_words("a random one", "随机生成")
            .example("uuid: 5df1c0c5-0bb5-4d5e-9c0a-5c8b1a4c9c2f"),
        ),
        flag("wipe_filesystem", "wipeFilesystem").doc(
            doc(
                "Whether to format even if the device has a fitting filesystem. \
                 Otherwise one of the same format, label and UUID is kept with its \
                 files, and another one makes Ignition fail.",
                "即使设备上已有符合要求的文件系统，是否仍重新格式化。否则格式、标签和 \
                 UUID 相同的文件系统及其文件会保留，不同的则使 Ignition 失败。",
            )
            .default("false")
            .example("wipe_filesystem: true"),
        ),
        flag("with_mount_unit", "").sugar().since(2).doc(
            doc(
                "Whether to generate and enable a systemd unit that mounts `path` at \
                 every boot, or uses the swap space. Needs `format`, and `path` \
                 unless that is swap.",
                "是否生成并启用一个 systemd 单元，在每次启动时挂载 `path`，或启用交换\
                 空间。需要 `format`；除 swap 外还需要 `path`。",
            )
            .default("false")
            .example("with_mount_unit: true"),
        ),
    ],
);

pub(crate) static LUKS: Shape = shape(
    "Luks",
    NAME,
    &[
        object("cex", "cex", &CEX).since(6).doc(
            doc(
                "Unlocks with a secure key in an IBM Crypto Express card.",
                "使用 IBM Crypto Express 卡中的安全密钥解锁。",
            )
            .example("cex:\n  enabled: true")
            .nestos(
                "NestOS runs on x86_64 and aarch64; these cards exist in s390x \
                 machines only.",
                "NestOS 支持 x86_64 和 aarch64；这种卡只存在于 s390x 机器中。",
            ),
        ),
        object("clevis", "clevis", &CLEVIS).formerly_absent(Absent::UnsetOrEmpty, 4).doc(
            doc(
                "Unlocks at boot without anybody typing: by the machine's TPM, by \
                 Tang servers in the network, or both.",
                "启动时无需人工输入即可解锁：使用机器的 TPM、网络中的 Tang 服务器，或\
                 两者结合。",
            )
            .example("clevis:\n  tpm2: true"),
        ),
        text("device", "device").doc(
            doc("Absolute path of the device to encrypt.", "要加密的设备的绝对路径。")
                .allows(Allows::Path)
                .example("device: /dev/disk/by-partlabel/secret"),
        ),
        flag("discard", "discard").since(5).doc(
            doc(
                "Whether discards (TRIM) reach the disk: better for SSDs, but shows \
                 which blocks are in use.",
                "是否将丢弃（TRIM）请求传给磁盘：对 SSD 更好，但会暴露哪些块在使用。",
            )
            .default("false")
            .example("discard: true"),
        ),
        object("key_file", "keyFile", &CONTENTS).doc(
            doc("Key that unlocks the volume.", "用于解锁卷的密钥。")
                .default_words(
                    "without Clevis, a random key that is stored in /etc/luks of the \
                     machine",
                    "未使用 Clevis 时，生成随机密钥并保存在机器的 /etc/luks 中",
                )
                .example("key_file:\n  local: keys/data.key"),
        ),
        text("label", "label").doc(
            doc("Label of the LUKS volume, at most 47 bytes.", "LUKS 卷的标签，最长 47 字节。")
                .allows(Allows::MaxBytes(47))
                .example("label: luks-data"),
        ),
        text("name", "name").always().doc(
            doc(
                "Name of the unlocked volume, without slashes; its device is \
                 /dev/mapper/NAME.",
                "解锁后卷的名称，不含斜杠；其设备为 /dev/mapper/名称。",
            )
            .allows(Allows::NoSlash)
            .example("name: data"),
        ),
        texts("open_options", "openOptions", "string").concatenated().since(5).doc(
            doc(
                "Further options for `cryptsetup luksOpen`; they stay in force at \
                 later boots.",
                "`cryptsetup luksOpen` 的其他选项；在之后的启动中持续有效。",
            )
            .example("open_options: [--perf-no_read_workqueue]"),
        ),
        texts("options", "options", "string")
            .formerly(Type::Texts("LuksOption"), 5)
            .concatenated()
            .doc(
                doc(
                    "Further options for `cryptsetup luksFormat`.",
                    "`cryptsetup luksFormat` 的其他选项。",
                )
                .example("options: [--cipher, aes-xts-plain64]"),
            ),
        text("uuid", "uuid").doc(
            doc("UUID of the LUKS volume.", "LUKS 卷的 UUID。")
                .default_words("a random one", "随机生成")
                .example("uuid: 5df1c0c5-0bb5-4d5e-9c0a-5c8b1a4c9c2f"),
        ),
        flag("wipe_volume", "wipeVolume").doc(
            doc(
                "Whether to format the device even if it has a LUKS volume already; \
                 everything in it is lost.",
                "即使设备上已有 LUKS 卷，是否仍重新格式化；其中的一切都会丢失。",
            )
            .default("false")
            .example("wipe_volume: true"),
        ),
    ],
);

pub(crate) static CLEVIS: Shape = shape(
    "Clevis",
    Identity::None,
    &[
        object("custom", "custom", &CLEVIS_CUSTOM).formerly_absent(Absent::UnsetOrEmpty, 4).doc(
            doc(
                "A Clevis pin with its own configuration, for what the other keys \
                 cannot say. Not together with them.",
                "带有自身配置的 Clevis pin，用于其他键无法表达的情况。不能与其他键同\
                 时使用。",
            )
            .example("custom:\n  pin: tpm2\n  config: '{\"pcr_ids\":\"7\"}'"),
        ),
        list("tang", "tang", &TANG).doc(
            doc(
                "Tang servers that help to unlock; the machine needs the network at \
                 every boot.",
                "参与解锁的 Tang 服务器；机器每次启动都需要网络。",
            )
            .example("tang:\n  - url: http://tang.example.com\n    thumbprint: REPLACE-ME"),
        ),
        int("threshold", "threshold").doc(
            doc(
                "How many of the means (each Tang server counts, and the TPM) are \
                 needed to unlock.",
                "解锁所需的方式数量（每个 Tang 服务器和 TPM 各算一个）。",
            )
            .default("1")
            .example("threshold: 2"),
        ),
        flag("tpm2", "tpm2").doc(
            doc("Whether the machine's TPM 2.0 unlocks.", "是否使用机器的 TPM 2.0 解锁。")
                .default("false")
                .example("tpm2: true"),
        ),
    ],
);

pub(crate) static CLEVIS_CUSTOM: Shape = Shape {
    formerly: Some(("Custom", Since(Layer::Base, 4))),
    ..shape(
        "ClevisCustom",
        Identity::None,
        &[
            text("config", "config").formerly_absent(Absent::Zero, 4).doc(
                doc("Configuration of the pin, in JSON.", "pin 的配置，JSON 格式。")
                    .example("config: '{\"pcr_ids\":\"7\"}'"),
            ),
            flag("needs_network", "needsNetwork").doc(
                doc(
                    "Whether the pin needs the network, so that it is brought up before \
                 unlocking.",
                    "pin 是否需要网络；需要时会在解锁前启动网络。",
                )
                .default("false")
                .example("needs_network: true"),
            ),
            text("pin", "pin").formerly_absent(Absent::Zero, 4).doc(
                doc("Which Clevis pin to use.", "要使用的 Clevis pin。")
                    .allows(Allows::Pin)
                    .example("pin: tpm2"),
            ),
        ],
    )
};

pub(crate) static TANG: Shape = shape(
    "Tang",
    Identity::Field("url"),
    &[
        text("advertisement", "advertisement").since(5).doc(
            doc(
                "The server's advertisement, in JSON, so that it need not be \
                 reachable at the first boot.",
                "服务器的公告（JSON），提供后首次启动时无需访问该服务器。",
            )
            .example("advertisement: '{\"payload\":\"...\"}'"),
        ),
        text("thumbprint", "thumbprint").doc(
            doc(
                "Thumbprint of the server's signing key, as `tang-show-keys` prints \
                 it.",
                "服务器签名密钥的指纹，由 `tang-show-keys` 输出。",
            )
            .example("thumbprint: REPLACE-ME"),
        ),
        text("url", "url").zero().doc(
            doc("URL of the server.", "服务器的 URL。")
                .allows(TANG_URL)
                .example("url: http://tang.example.com"),
        ),
    ],
);

pub(crate) static CEX: Shape = shape(
    "Cex",
    Identity::None,
    &[flag("enabled", "enabled").doc(
        doc("Whether the card is used.", "是否使用该卡。")
            .default("false")
            .example("enabled: true")
            .nestos(
                "NestOS runs on x86_64 and aarch64; these cards exist in s390x \
                 machines only.",
                "NestOS 支持 x86_64 和 aarch64；这种卡只存在于 s390x 机器中。",
            ),
    )],
);
