//! The config as a whole, and what it tells Ignition and the kernel.

use super::accounts::PASSWD;
use super::allows::PROXY_URL;
use super::contents::{CA_REFERENCE, CONFIG_REFERENCE, CONTENTS};
use super::notes::REPROVISIONED;
use super::platform::{BOOT_DEVICE, GRUB, METADATA, OPENSHIFT};
use super::storage::STORAGE;
use super::systemd::SYSTEMD;
use super::{doc, home, int, list, object, shape, text, texts};
use crate::schema::{Identity, Layer, Shape, Type};

pub(crate) static CONFIG: Shape = home(
    "Config",
    Layer::Variant,
    Identity::None,
    &[
        text("version", "").sugar().doc(
            doc(
                "Version of the variant's language that this config is written in; \
                 decides which keys exist and which Ignition version comes out.",
                "本配置所用语言变体的版本；它决定有哪些键可用，以及生成哪个版本的 \
                 Ignition 配置。",
            )
            .example("version: 1.0.0"),
        ),
        text("variant", "").sugar().doc(
            doc(
                "Which operating system the config is for; with `version` it selects \
                 the language.",
                "配置所面向的操作系统；与 `version` 一起确定所用的语言。",
            )
            .example("variant: nestos")
            .nestos(
                "Use nestos; configs of other variants compile too, but may ask for \
                 an Ignition that the image does not have.",
                "请使用 nestos；其他变体也能编译，但可能需要镜像中没有的 Ignition 版\
                 本。",
            ),
        ),
        object("ignition", "ignition", &IGNITION).doc(
            doc(
                "Settings of Ignition itself: other configs to include, proxies, \
                 certificates and timeouts while it fetches things at the first boot.",
                "Ignition 自身的设置：要引入的其他配置，以及首次启动下载内容时使用的\
                 代理、证书和超时。",
            )
            .example("ignition:\n  timeouts:\n    http_total: 120"),
        ),
        object("kernel_arguments", "kernelArguments", &KERNEL_ARGUMENTS).since(4).doc(
            doc(
                "Kernel arguments that the machine must or must not boot with. \
                 Ignition changes them at the first boot and restarts once if \
                 anything had to change.",
                "机器启动时必须带有或不得带有的内核参数。Ignition 在首次启动时修改；\
                 如有变化，会自动重启一次。",
            )
            .default_words("the arguments of the image stay", "保持镜像自带的参数")
            .example(
                "kernel_arguments:\n\
                 \x20 should_exist: [mitigations=auto]\n\
                 \x20 should_not_exist: [\"mitigations=auto,nosmt\"]",
            )
            .nestos(
                "Works on installed systems only: a live system has no boot entry to \
                 change.",
                "仅对已安装的系统有效：Live 系统没有可以修改的启动项。",
            ),
        ),
        object("passwd", "passwd", &PASSWD).doc(
            doc("Users and groups to create or change.", "要创建或修改的用户和用户组。").example(
                "passwd:\n\
                 \x20 users:\n\
                 \x20   - name: nest\n\
                 \x20     ssh_authorized_keys: [ssh-ed25519 AAAA...]",
            ),
        ),
        object("storage", "storage", &STORAGE).doc(
            doc(
                "Everything on disks: partition tables, RAID, encryption, \
                 filesystems, then directories, files, links and whole trees in them.",
                "磁盘上的一切：分区表、RAID、加密、文件系统，以及其中的目录、文件、链\
                 接和整个目录树。",
            )
            .example(
                "storage:\n\
                 \x20 files:\n\
                 \x20   - path: /etc/hostname\n\
                 \x20     mode: 0644\n\
                 \x20     contents:\n\
                 \x20       inline: web1",
            ),
        ),
        object("systemd", "systemd", &SYSTEMD).doc(
            doc(
                "Services and other systemd units to write, extend, enable or mask.",
                "要写入、扩展、启用或屏蔽的 systemd 服务及其他单元。",
            )
            .example("systemd:\n  units:\n    - name: docker.service\n      enabled: true"),
        ),
        object("boot_device", "", &BOOT_DEVICE).sugar().since_fcos(3).doc(
            doc(
                "Encrypts the root filesystem or mirrors the boot disk, without \
                 spelling out the partitions. What it generates can be adjusted by \
                 entries of the same name in `storage`.",
                "加密根文件系统或镜像启动磁盘，无需逐个写出分区。生成的内容可以用 \
                 `storage` 中同名的条目调整。",
            )
            .default_words("the boot disk stays as the image made it", "启动磁盘保持镜像原样")
            .example("boot_device:\n  luks:\n    tpm2: true")
            .nestos(REPROVISIONED.0, REPROVISIONED.1),
        ),
        object("grub", "", &GRUB).sugar().since_fcos(5).extension().doc(
            doc(
                "Protects the boot menu with passwords. Without it, anybody at the \
                 console can edit boot entries.",
                "用密码保护启动菜单。不设置时，任何能接触控制台的人都可以编辑启动项。",
            )
            .example(
                "grub:\n\
                 \x20 users:\n\
                 \x20   - name: root\n\
                 \x20     password_hash: grub.pbkdf2.sha512.10000.AB12...",
            )
            .nestos(
                "Version 1.0.0 of variant nestos accepts this section although fcos \
                 of the same age does not: it becomes ordinary files, which need no \
                 newer Ignition.",
                "nestos 变体的 1.0.0 版接受此节，而同期的 fcos 不接受：它只会转换为普\
                 通文件，不需要更新的 Ignition。",
            ),
        ),
        object("metadata", "", &METADATA).sugar().since_openshift(8).doc(
            doc(
                "Name and labels of the MachineConfig that is generated.",
                "所生成 MachineConfig 的名称和标签。",
            )
            .example(
                "metadata:\n\
                 \x20 name: 99-worker-custom\n\
                 \x20 labels:\n\
                 \x20   machineconfiguration.openshift.io/role: worker",
            ),
        ),
        object("openshift", "", &OPENSHIFT).sugar().since_openshift(8).doc(
            doc(
                "Settings of the MachineConfig that have no place in an Ignition \
                 config.",
                "MachineConfig 中不属于 Ignition 配置的设置。",
            )
            .example("openshift:\n  kernel_type: realtime"),
        ),
    ],
);

pub(crate) static IGNITION: Shape = shape(
    "Ignition",
    Identity::None,
    &[
        object("config", "config", &IGNITION_CONFIG).doc(
            doc(
                "Other Ignition configs that are merged into this one or take its \
                 place.",
                "要合并进来、或者取代本配置的其他 Ignition 配置。",
            )
            .example("config:\n  merge:\n    - source: https://example.com/site.ign"),
        ),
        object("proxy", "proxy", &PROXY).since(2).doc(
            doc(
                "Proxies that Ignition uses to fetch configs and files. The booted \
                 system does not use them.",
                "Ignition 下载配置和文件时使用的代理。启动后的系统不会使用它们。",
            )
            .default_words("direct connections", "直接连接")
            .example("proxy:\n  https_proxy: http://proxy.example.com:3128"),
        ),
        object("security", "security", &SECURITY).doc(doc(
            "Which servers Ignition trusts when it fetches things.",
            "Ignition 下载内容时信任哪些服务器。",
        )),
        object("timeouts", "timeouts", &TIMEOUTS).doc(
            doc("How long Ignition waits for servers.", "Ignition 等待服务器的时间。")
                .example("timeouts:\n  http_response_headers: 20"),
        ),
        text("", "version").ignition_only().doc(doc(
            "Version of the Ignition spec. Butane writes it; a Butane config does \
             not have this key.",
            "Ignition 规范的版本。由 Butane 写入；Butane 配置中没有这个键。",
        )),
    ],
);

pub(crate) static IGNITION_CONFIG: Shape = shape(
    "IgnitionConfig",
    Identity::None,
    &[
        list("merge", "merge", &CONTENTS).formerly(Type::Objects(&CONFIG_REFERENCE, None), 2).doc(
            doc(
                "Configs to merge into this one, in order; where they differ, the \
                 later one wins over the earlier, and all of them over this config. \
                 A `local` file that ends in .bu is compiled along; all others must \
                 be Ignition configs.",
                "依次合并进来的配置；内容不同时，后面的优先于前面的，它们又都优先于本\
                 配置。以 .bu 结尾的 `local` 文件会一并编译；其他的必须是 Ignition 配置。",
            )
            .example(
                "merge:\n\
                 \x20 - source: https://example.com/site.ign\n\
                 \x20   verification:\n\
                 \x20     hash: sha512-...",
            ),
        ),
        object("replace", "replace", &CONTENTS).formerly(Type::Object(&CONFIG_REFERENCE), 2).doc(
            doc(
                "A config that is used instead of this one: everything else in this \
                 config except settings of Ignition itself is dropped.",
                "取代本配置的配置：除 Ignition 自身的设置外，本配置的其他内容都会被丢\
                 弃。",
            )
            .example("replace:\n  source: https://example.com/real.ign"),
        ),
    ],
);

pub(crate) static PROXY: Shape = shape(
    "Proxy",
    Identity::None,
    &[
        text("http_proxy", "httpProxy").doc(
            doc(
                "URL of the proxy for http:// requests, and for https:// ones unless \
                 `https_proxy` is set.",
                "用于 http:// 请求的代理 URL；未设置 `https_proxy` 时也用于 https:// \
                 请求。",
            )
            .allows(PROXY_URL)
            .example("http_proxy: http://proxy.example.com:3128"),
        ),
        text("https_proxy", "httpsProxy").doc(
            doc(
                "URL of the proxy for https:// requests. A plain http:// proxy draws \
                 a warning, since its operator sees which hosts are asked.",
                "用于 https:// 请求的代理 URL。使用明文 http:// 代理会得到警告，因为\
                 代理方能看到访问了哪些主机。",
            )
            .allows(PROXY_URL)
            .default_words("as http_proxy", "与 http_proxy 相同")
            .example("https_proxy: https://proxy.example.com:3129"),
        ),
        texts("no_proxy", "noProxy", "string").doc(
            doc(
                "Hosts that are reached directly: names (with their subdomains), \
                 addresses, CIDR ranges, or `*` for all.",
                "不经代理直接访问的主机：域名（含其子域）、地址、CIDR 网段，或用 `*` \
                 表示全部。",
            )
            .example("no_proxy: [example.com, 10.0.0.0/8]"),
        ),
    ],
);

pub(crate) static SECURITY: Shape = shape(
    "Security",
    Identity::None,
    &[object("tls", "tls", &TLS).doc(
        doc("Certificates for https:// sources.", "用于 https:// 来源的证书。")
            .example("tls:\n  certificate_authorities:\n    - local: site-ca.pem"),
    )],
);

pub(crate) static TLS: Shape = shape(
    "TLS",
    Identity::None,
    &[list("certificate_authorities", "certificateAuthorities", &CONTENTS)
        .formerly(Type::Objects(&CA_REFERENCE, None), 2)
        .doc(
            doc(
                "Certificate bundles (PEM) that Ignition trusts besides the system's \
                 own. They do not reach the booted system; for that, also write them \
                 below /etc/pki/ca-trust/source/anchors.",
                "除系统自带的之外，Ignition 还信任的证书（PEM）。它们不会进入启动后的\
                 系统；如有需要，请同时写入 /etc/pki/ca-trust/source/anchors 之下。",
            )
            .example(
                "certificate_authorities:\n\
                 \x20 - source: http://example.com/ca.pem\n\
                 \x20   verification:\n\
                 \x20     hash: sha512-...",
            ),
        )],
);

pub(crate) static TIMEOUTS: Shape = shape(
    "Timeouts",
    Identity::None,
    &[
        int("http_response_headers", "httpResponseHeaders").doc(
            doc(
                "Seconds to wait for the headers of an answer after a request was \
                 sent; 0 waits for ever.",
                "发出请求后等待响应头的秒数；0 表示一直等待。",
            )
            .default("10")
            .example("http_response_headers: 20"),
        ),
        int("http_total", "httpTotal").doc(
            doc(
                "Seconds that one transfer may take in all, retries included; 0 sets \
                 no limit.",
                "一次传输（含重试）允许的总秒数；0 表示不限。",
            )
            .default("0")
            .example("http_total: 300"),
        ),
    ],
);

pub(crate) static KERNEL_ARGUMENTS: Shape = shape(
    "KernelArguments",
    Identity::None,
    &[
        texts("should_exist", "shouldExist", "KernelArgument").shared("kargs").doc(
            doc(
                "Arguments to add where they are missing. Each entry may hold one \
                 argument; order is kept.",
                "缺少时要添加的参数。每个条目写一个参数，并保持先后顺序。",
            )
            .example("should_exist:\n  - console=ttyS0,115200n8"),
        ),
        texts("should_not_exist", "shouldNotExist", "KernelArgument").shared("kargs").doc(
            doc(
                "Arguments to remove; they must match exactly, value included.",
                "要删除的参数；必须完全一致，包括取值。",
            )
            .example("should_not_exist:\n  - \"mitigations=auto,nosmt\""),
        ),
    ],
);
