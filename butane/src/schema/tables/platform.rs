//! What variants add to the base.

use super::allows::{Allows, LAYOUTS, always};
use super::filesystems::{CEX, TANG};
use super::notes::REPROVISIONED;
use super::{NAME, doc, fcos, flag, int, list, object, openshift, text, texts};
use crate::schema::{Field, Identity, Shape, Type};

pub(crate) static BOOT_DEVICE: Shape = fcos(
    "BootDevice",
    Identity::None,
    &[
        text("layout", "").sugar().doc(
            doc(
                "Partition layout of the image, which is that of its architecture. \
                 Say it whenever `mirror` is used.",
                "镜像的分区布局，即其架构的布局。使用 `mirror` 时请务必写明。",
            )
            .allows(Allows::OneOf(LAYOUTS))
            .default_words("x86_64", "x86_64")
            .example("layout: aarch64")
            .nestos(
                "Images exist for x86_64 and aarch64; the other layouts do not fit \
                 them.",
                "镜像只有 x86_64 和 aarch64 两种；其他布局不适用。",
            ),
        ),
        object("luks", "", &BOOT_DEVICE_LUKS).sugar().doc(
            doc("Encrypts the root filesystem.", "加密根文件系统。")
                .example("luks:\n  tpm2: true")
                .nestos(REPROVISIONED.0, REPROVISIONED.1),
        ),
        object("mirror", "", &BOOT_DEVICE_MIRROR).sugar().doc(
            doc(
                "Keeps the whole boot disk on two or more disks, so that the machine \
                 boots from any that is left.",
                "将整个启动磁盘保存在两个或更多磁盘上，任意一个留存即可启动。",
            )
            .example("mirror:\n  devices: [/dev/vda, /dev/vdb]")
            .nestos(REPROVISIONED.0, REPROVISIONED.1),
        ),
    ],
);

pub(crate) static BOOT_DEVICE_LUKS: Shape = fcos(
    "BootDeviceLuks",
    Identity::None,
    &[
        object("cex", "", &CEX).sugar().since_fcos(6).doc(
            doc(
                "Unlocks with a secure key in an IBM Crypto Express card; on s390x \
                 only.",
                "使用 IBM Crypto Express 卡中的安全密钥解锁；仅限 s390x。",
            )
            .example("cex:\n  enabled: true")
            .nestos(
                "NestOS runs on x86_64 and aarch64; these cards exist in s390x \
                 machines only.",
                "NestOS 支持 x86_64 和 aarch64；这种卡只存在于 s390x 机器中。",
            ),
        ),
        flag("discard", "").sugar().since_fcos(5).doc(
            doc(
                "Whether discards (TRIM) reach the disk: better for SSDs, but shows \
                 which blocks are in use.",
                "是否将丢弃（TRIM）请求传给磁盘：对 SSD 更好，但会暴露哪些块在使用。",
            )
            .default("false")
            .example("discard: true"),
        ),
        text("device", "").sugar().since_fcos(6).doc(
            doc(
                "Whole disk that holds the root partition; needed for, and only used \
                 by, layouts s390x-eckd and s390x-zfcp.",
                "根分区所在的整个磁盘；仅 s390x-eckd 和 s390x-zfcp 布局需要并使用。",
            )
            .example("device: /dev/dasda")
            .nestos(
                "Has no use on x86_64 and aarch64, where the root partition is found \
                 by its label.",
                "在 x86_64 和 aarch64 上没有用处，根分区按标签查找。",
            ),
        ),
        list("tang", "", &TANG).sugar().doc(
            doc(
                "Tang servers that help to unlock; the machine needs the network at \
                 every boot.",
                "参与解锁的 Tang 服务器；机器每次启动都需要网络。",
            )
            .example("tang:\n  - url: http://tang.example.com\n    thumbprint: REPLACE-ME"),
        ),
        int("threshold", "").sugar().doc(
            doc(
                "How many of the means (each Tang server counts, and the TPM) are \
                 needed to unlock.",
                "解锁所需的方式数量（每个 Tang 服务器和 TPM 各算一个）。",
            )
            .default("1")
            .example("threshold: 2"),
        ),
        flag("tpm2", "").sugar().doc(
            doc("Whether the machine's TPM 2.0 unlocks.", "是否使用机器的 TPM 2.0 解锁。")
                .default("false")
                .example("tpm2: true"),
        ),
    ],
);

pub(crate) static BOOT_DEVICE_MIRROR: Shape = fcos(
    "BootDeviceMirror",
    Identity::None,
    &[texts("devices", "", "string").sugar().doc(
        doc(
            "Absolute paths of at least two whole disks. Everything on them is \
             erased.",
            "至少两个整盘的绝对路径。其中的一切都会被清除。",
        )
        .allows(Allows::Path)
        .example("devices: [/dev/vda, /dev/vdb]"),
    )],
);

pub(crate) static GRUB: Shape = fcos(
    "Grub",
    Identity::None,
    &[list("users", "", &GRUB_USER).sugar().doc(
        doc(
            "Who may edit boot entries and use GRUB's command line. Booting stays \
             open to everybody.",
            "可以编辑启动项和使用 GRUB 命令行的用户。正常启动不受限制。",
        )
        .example(
            "users:\n\
             \x20 - name: root\n\
             \x20   password_hash: grub.pbkdf2.sha512.10000.AB12...",
        ),
    )],
);

pub(crate) static GRUB_USER: Shape = fcos(
    "GrubUser",
    NAME,
    &[
        text("name", "").sugar().always().doc(
            doc(
                "Name to type at the boot menu; it has nothing to do with users of \
                 the system.",
                "在启动菜单输入的名称；与系统用户无关。",
            )
            .allows(Allows::Filled)
            .example("name: root"),
        ),
        text("password_hash", "").sugar().doc(
            doc(
                "Hash of the password, from `grub2-mkpasswd-pbkdf2`.",
                "密码的散列值，由 `grub2-mkpasswd-pbkdf2` 生成。",
            )
            .allows(Allows::Filled)
            .example("password_hash: grub.pbkdf2.sha512.10000.AB12..."),
        ),
    ],
);

pub(crate) static METADATA: Shape = openshift(
    "Metadata",
    &[
        text("name", "").sugar().always().doc(
            doc(
                "Name of the MachineConfig; unique in the cluster. Configs apply in \
                 the order of their names.",
                "MachineConfig 的名称；在集群中唯一。按名称顺序应用。",
            )
            .allows(Allows::Filled)
            .example("name: 99-worker-custom"),
        ),
        Field::new("labels", "", Type::Labels).sugar().doc(
            doc(
                "Labels of the MachineConfig. The role label says which machines get \
                 it and is required.",
                "MachineConfig 的标签。role 标签指明由哪些机器应用，必须提供。",
            )
            .example("labels:\n  machineconfiguration.openshift.io/role: worker"),
        ),
    ],
);

pub(crate) static OPENSHIFT: Shape = openshift(
    "OpenShift",
    &[
        texts("kernel_arguments", "", "string").sugar().doc(
            doc("Kernel arguments to add.", "要添加的内核参数。")
                .example("kernel_arguments: [nosmt]"),
        ),
        texts("extensions", "", "string").sugar().doc(
            doc("Extensions of the operating system to install.", "要安装的操作系统扩展。")
                .example("extensions: [usbguard]"),
        ),
        flag("fips", "").sugar().doc(
            doc(
                "Whether the machines run in FIPS mode; LUKS volumes then get a \
                 cipher that FIPS allows.",
                "机器是否运行在 FIPS 模式；此时 LUKS 卷会使用 FIPS 允许的加密算法。",
            )
            .default("false")
            .example("fips: true"),
        ),
        text("kernel_type", "").sugar().doc(
            doc("Which kernel the machines run.", "机器使用哪种内核。")
                .allows(Allows::OneOf(&[always("default"), always("realtime"), always("")]))
                .default("default")
                .example("kernel_type: realtime"),
        ),
    ],
);
