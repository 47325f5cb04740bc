//! Disks, partitions, arrays, filesystems and encrypted volumes.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("disk device is required", "必须设置磁盘设备 device"),
    // Partitions.
    ("partition numbers collide", "分区编号重复"),
    ("partitions overlap", "分区重叠"),
    (
        "shouldExist is false for a partition and other partition(s) has start or size 0",
        "有分区的 should_exist 为 false，而其他分区的编号、起始位置或大小为 0",
    ),
    ("cannot use the same partition label twice", "分区标签不能重复"),
    (
        "shouldExist specified false with other options also specified",
        "should_exist 为 false 时不能设置其他选项",
    ),
    (
        "a partition number >= 1 or a label must be specified",
        "必须指定分区编号（大于等于 1）或标签",
    ),
    ("partition labels may not exceed 36 characters", "分区标签不能超过 36 个字符"),
    ("partition label will be truncated to text before the colon", "分区标签会在冒号处截断"),
    ("doesn't match the form \"{form}\"", "不符合格式 \"{form}\""),
    // Arrays.
    ("raid level is required", "必须设置 RAID 级别 level"),
    ("unrecognized raid level", "无法识别的 RAID 级别"),
    ("raid devices required", "必须设置 RAID 设备 devices"),
    ("spares unsupported for linear and raid0 arrays", "linear 和 raid0 阵列不支持热备（spares）"),
    // Filesystems.
    (
        "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is \
         specified",
        "设置了 path、label、uuid、wipe_filesystem、options 或 mount_options 时，format 不能为空",
    ),
    (
        "format cannot be empty when path, label, uuid, wipeFilesystem, or options is specified",
        "设置了 path、label、uuid、wipe_filesystem 或 options 时，format 不能为空",
    ),
    ("invalid filesystem format", "无效的文件系统格式"),
    (
        "filesystem must specify format if label is specified",
        "文件系统设置了 label 时必须设置 format",
    ),
    (
        "filesystem labels cannot be longer than {most} characters when using {format}",
        "使用 {format} 时，文件系统标签不能超过 {most} 个字符",
    ),
    ("filesystem overwrites partitioned device", "文件系统会覆盖已分区的设备"),
    (
        "device matches disk with wipeTable enabled; filesystem will be wiped",
        "该设备所在磁盘启用了 wipe_table：文件系统会被清除",
    ),
    ("format is required if with_mount_unit is true", "with_mount_unit 为 true 时必须设置 format"),
    (
        "path is required if with_mount_unit is true and format is not swap",
        "with_mount_unit 为 true 且 format 不是 swap 时必须设置 path",
    ),
    (
        "path must be under /etc or /var if with_mount_unit is true",
        "with_mount_unit 为 true 时，path 必须位于 /etc 或 /var 之下",
    ),
    // Encrypted volumes.
    ("device names cannot contain slashes", "设备名称不能包含斜杠"),
    ("luks device labels cannot be longer than 47 characters", "LUKS 设备标签不能超过 47 个字符"),
    (
        "cannot use custom clevis config with tpm2, tang, or threshold",
        "自定义的 clevis 配置不能与 tpm2、tang 或 threshold 同时使用",
    ),
    ("invalid key-file source", "密钥文件的来源无效"),
    ("cannot use key file with cex", "密钥文件不能与 cex 同时使用"),
    ("thumbprint is required", "必须设置 thumbprint"),
    ("advertisement is not valid JSON", "advertisement 不是有效的 JSON"),
    ("missing required custom clevis pin", "自定义的 clevis 配置缺少 pin"),
    ("missing required custom clevis config", "自定义的 clevis 配置缺少 config"),
    ("unsupported clevis pin", "不支持的 clevis pin"),
];
