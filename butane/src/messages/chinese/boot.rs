//! The boot device and the boot menu.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("layout must be one of: {list}", "layout 必须是以下之一：{list}"),
    ("mirroring not supported on layouts: {list}", "以下布局不支持磁盘镜像（mirror）：{list}"),
    (
        "boot_device.layout should be specified when boot_device.mirror is specified",
        "设置 boot_device.mirror 时应同时设置 boot_device.layout",
    ),
    ("mirroring requires at least two devices", "磁盘镜像（mirror）至少需要两个设备"),
    ("device is required for layouts: {list}", "以下布局必须设置 device：{list}"),
    (
        "device name must start with /dev/dasd on s390x-eckd layout or /dev/sd on s390x-zfcp layout",
        "device 的名称在 s390x-eckd 布局中必须以 /dev/dasd 开头，在 s390x-zfcp 布局中必须以 \
         /dev/sd 开头",
    ),
    (
        "when using cex the targeted architecture must match s390x",
        "使用 cex 时，目标架构必须是 s390x",
    ),
    ("cannot use cex with clevis", "cex 不能与 clevis 同时使用"),
    ("no method specified for luks", "没有为 luks 指定解锁方式"),
    ("field \"{key}\" is required", "必须设置 {key}"),
    ("root should have 8GiB of space assigned", "应为 root 分区至少分配 8 GiB 空间"),
    (
        "root partition cannot expand; it is set to fill available space but is followed by an \
         auto-positioned partition",
        "root 分区无法扩展：它被设为占用全部可用空间，但其后有自动定位的分区",
    ),
    (
        "partitions cannot be reused by label; number must be specified except on boot disk \
         ({disk}) or when wipe_table is true",
        "不能按标签重用分区：必须指定 number，除非是启动磁盘（{disk}）或 wipe_table 为 true",
    ),
    (
        "incorrect partition number; a new partition will be created using reserved label",
        "分区编号不正确：将用保留的标签新建一个分区",
    ),
];
