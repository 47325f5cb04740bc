//! Disks and arrays of them.

use super::allows::{Allows, RAID_LEVELS};
use super::{NAME, doc, flag, int, list, shape, text, texts};
use crate::schema::{Absent, Identity, Shape, Type};

pub(crate) static DISK: Shape = shape(
    "Disk",
    Identity::Field("device"),
    &[
        text("device", "device").always().doc(
            doc(
                "Absolute path of the disk. Names below /dev/disk/by-id stay the same \
                 when disks are added; /dev/vda may not.",
                "磁盘的绝对路径。/dev/disk/by-id 下的名称在增加磁盘后不变，而 \
                 /dev/vda 可能会变。",
            )
            .allows(Allows::Path)
            .example("device: /dev/disk/by-id/virtio-data"),
        ),
        list("partitions", "partitions", &PARTITION).doc(
            doc(
                "Partitions to create, check or delete on the disk.",
                "要在磁盘上创建、核对或删除的分区。",
            )
            .example("partitions:\n  - label: data\n    size_mib: 10240"),
        ),
        flag("wipe_table", "wipeTable").doc(
            doc(
                "Whether to erase the partition table first; everything on the disk \
                 is lost. Otherwise partitions that are not mentioned stay.",
                "是否先清除分区表；磁盘上的一切都会丢失。否则未提及的分区会保留。",
            )
            .default("false")
            .example("wipe_table: true")
            .nestos(
                "Never set it for the boot disk unless `storage` or `boot_device` \
                 recreates all of its partitions.",
                "请勿对启动磁盘设置，除非 `storage` 或 `boot_device` 会重建其全部分区。",
            ),
        ),
    ],
);

pub(crate) static PARTITION: Shape = shape(
    "Partition",
    Identity::Partition,
    &[
        text("guid", "guid").doc(
            doc("GUID of the partition itself.", "分区自身的 GUID。")
                .allows(Allows::Guid)
                .default_words("a random one", "随机生成")
                .example("guid: 63194B49-E4B7-43F9-9A8B-DF0FD8279BB7"),
        ),
        text("label", "label").doc(
            doc(
                "Label of the partition, at most 36 bytes and without colon; the \
                 partition then is /dev/disk/by-partlabel/LABEL. Unique on its disk.",
                "分区的标签，最长 36 字节，不含冒号；分区随后可用 \
                 /dev/disk/by-partlabel/标签 访问。在磁盘内须唯一。",
            )
            .allows(Allows::PartitionLabel)
            .example("label: data"),
        ),
        int("number", "number").zero().doc(
            doc(
                "Number of the partition; 0 takes the next free one. A partition \
                 needs a number or a label.",
                "分区编号；0 表示下一个空闲编号。分区必须有编号或标签。",
            )
            .default("0")
            .example("number: 5")
            .nestos(
                "On the boot disk, numbers 1 to 4 are the image's: 3 is boot, 4 is \
                 root.",
                "启动磁盘上的 1 至 4 号分区属于镜像：3 号为 boot，4 号为 root。",
            ),
        ),
        flag("resize", "resize").since(3).doc(
            doc(
                "Whether a partition that exists may grow or shrink to `size_mib`, \
                 all else being equal. Its filesystem is not resized.",
                "已存在的分区在其他属性一致时，是否可以扩大或缩小到 `size_mib`。其中\
                 的文件系统不会随之调整。",
            )
            .default("false")
            .example("resize: true"),
        ),
        flag("should_exist", "shouldExist").doc(
            doc(
                "Whether the partition is to exist; false deletes it, and needs \
                 `number` with nothing else.",
                "分区是否应存在；false 会将其删除，此时只能写 `number`。",
            )
            .default("true")
            .example("should_exist: false"),
        ),
        int("size_mib", "sizeMiB").doc(
            doc(
                "Size in MiB (1,048,576 bytes); 0 takes all the space there is.",
                "大小，单位 MiB（1,048,576 字节）；0 表示占用全部可用空间。",
            )
            .default_words("as it is, or all the space there is", "保持原样，或占用全部可用空间")
            .example("size_mib: 10240")
            .nestos(
                "Leave root at least 8192 MiB: updates keep two deployments.",
                "请为 root 至少保留 8192 MiB：升级时会同时保留两个部署。",
            ),
        ),
        int("start_mib", "startMiB").doc(
            doc(
                "Where it starts, in MiB; 0 starts it in the largest free area.",
                "起始位置，单位 MiB；0 表示从最大的空闲区域开始。",
            )
            .default_words("as it is, or the largest free area", "保持原样，或最大的空闲区域")
            .example("start_mib: 25000"),
        ),
        text("type_guid", "typeGuid").doc(
            doc("GUID of the partition's type.", "分区类型的 GUID。")
                .allows(Allows::Guid)
                .default_words(
                    "0FC63DAF-8483-4772-8E79-3D69D8477DE4, Linux data",
                    "0FC63DAF-8483-4772-8E79-3D69D8477DE4（Linux 数据）",
                )
                .example("type_guid: 0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
        ),
        flag("wipe_partition_entry", "wipePartitionEntry").doc(
            doc(
                "Whether a partition of this number that looks different is deleted \
                 and made anew; otherwise Ignition fails.",
                "同编号分区与要求不符时，是否删除后重建；否则 Ignition 会失败。",
            )
            .default("false")
            .example("wipe_partition_entry: true"),
        ),
    ],
);

pub(crate) static RAID: Shape = shape(
    "Raid",
    NAME,
    &[
        texts("devices", "devices", "Device").doc(
            doc(
                "Absolute paths of the devices that make up the array.",
                "组成阵列的设备的绝对路径。",
            )
            .allows(Allows::Path)
            .example(
                "devices:\n\
                 \x20 - /dev/disk/by-partlabel/raid-1\n\
                 \x20 - /dev/disk/by-partlabel/raid-2",
            ),
        ),
        text("level", "level").formerly_absent(Absent::Zero, 4).doc(
            doc("How the array spreads data over its devices.", "阵列在设备间分布数据的方式。")
                .allows(Allows::OneOf(RAID_LEVELS))
                .example("level: raid1"),
        ),
        text("name", "name").always().doc(
            doc(
                "Name of the array; its device is /dev/md/NAME.",
                "阵列的名称；其设备为 /dev/md/名称。",
            )
            .example("name: data"),
        ),
        texts("options", "options", "string")
            .formerly(Type::Texts("RaidOption"), 5)
            .concatenated()
            .doc(
                doc("Further options for `mdadm --create`.", "`mdadm --create` 的其他选项。")
                    .example("options: [--metadata=1.2]"),
            ),
        int("spares", "spares").doc(
            doc(
                "How many of the devices are kept as spares; not for linear and \
                 raid0.",
                "留作热备的设备数量；不适用于 linear 和 raid0。",
            )
            .default("0")
            .example("spares: 1"),
        ),
    ],
);
