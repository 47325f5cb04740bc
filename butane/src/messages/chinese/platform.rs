//! What platforms do not support, and the sections that only openshift has.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("metadata.name is required", "必须设置 metadata.name"),
    (
        "machineconfiguration.openshift.io/role label is required",
        "必须设置标签 machineconfiguration.openshift.io/role",
    ),
    ("must be empty, \"default\", or \"realtime\"", "必须为空、\"default\" 或 \"realtime\""),
    (
        "'{argument}' must be set as kernel argument when CEX is enabled for the boot device",
        "启动设备启用 CEX 时，必须设置内核参数 '{argument}'",
    ),
    (
        "kernel argument customization is not supported in this spec version",
        "此规范版本不支持自定义内核参数",
    ),
    (
        "this section cannot be used for kernel arguments in this spec version; use \
         openshift.kernel_arguments instead",
        "此规范版本不能用本节设置内核参数，请改用 openshift.kernel_arguments",
    ),
    ("disk customization is not supported in this spec version", "此规范版本不支持自定义磁盘"),
    (
        "filesystem customization is not supported in this spec version",
        "此规范版本不支持自定义文件系统",
    ),
    ("luks is not supported in this spec version", "此规范版本不支持 luks"),
    ("raid is not supported in this spec version", "此规范版本不支持 raid"),
    ("clevis is not supported in this spec version", "此规范版本不支持 clevis"),
    ("cex is not currently supported on the target platform", "目标平台目前不支持 cex"),
    ("groups are not supported in this spec version", "此规范版本不支持用户组"),
    (
        "users other than \"core\" are not supported in this spec version",
        "此规范版本只支持用户 \"core\"",
    ),
    (
        "fields other than \"name\", \"ssh_authorized_keys\", and \"password_hash\" (4.13.0+) are \
         not supported in this spec version",
        "此规范版本只支持字段 \"name\"、\"ssh_authorized_keys\" 和 \"password_hash\"（4.13.0 起）",
    ),
    ("directories are not supported in this spec version", "此规范版本不支持目录"),
    ("links are not supported in this spec version", "此规范版本不支持链接"),
    ("appending to files is not supported in this spec version", "此规范版本不支持向文件追加内容"),
    (
        "file HTTP headers are not supported in this spec version",
        "此规范版本不支持为文件设置 HTTP 头",
    ),
    ("file compression is not supported in this spec version", "此规范版本不支持压缩文件内容"),
    (
        "file contents source must be data URL in this spec version",
        "此规范版本中，文件内容的来源必须是 data URL",
    ),
    ("special mode bits are not supported in this spec version", "此规范版本不支持特殊权限位"),
    ("btrfs is not supported in this spec version", "此规范版本不支持 btrfs"),
    ("format \"none\" is not supported in this spec version", "此规范版本不支持格式 \"none\""),
];
