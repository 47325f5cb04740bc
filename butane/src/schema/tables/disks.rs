//! Disks and what is made of them.

use super::config::CONTENTS;
use super::{NAME, flag, int, list, object, shape, text, texts};
use crate::schema::{Absent, Identity, Shape};

pub(crate) static DISK: Shape = shape(
    "Disk",
    Identity::Field("device"),
    &[
        text("device", "device").always(),
        list("partitions", "partitions", &PARTITION),
        flag("wipe_table", "wipeTable"),
    ],
);

pub(crate) static PARTITION: Shape = shape(
    "Partition",
    Identity::Partition,
    &[
        text("guid", "guid"),
        text("label", "label"),
        int("number", "number").zero(),
        flag("resize", "resize").since(3),
        flag("should_exist", "shouldExist"),
        int("size_mib", "sizeMiB"),
        int("start_mib", "startMiB"),
        text("type_guid", "typeGuid"),
        flag("wipe_partition_entry", "wipePartitionEntry"),
    ],
);

pub(crate) static RAID: Shape = shape(
    "Raid",
    NAME,
    &[
        texts("devices", "devices", "string"),
        text("level", "level").formerly_absent(Absent::Zero, 4),
        text("name", "name").always(),
        texts("options", "options", "string").concatenated(),
        int("spares", "spares"),
    ],
);

pub(crate) static FILESYSTEM: Shape = shape(
    "Filesystem",
    Identity::Field("device"),
    &[
        text("device", "device").always(),
        text("format", "format"),
        text("label", "label"),
        texts("mount_options", "mountOptions", "string").concatenated().since(2),
        texts("options", "options", "string").concatenated(),
        text("path", "path"),
        text("uuid", "uuid"),
        flag("wipe_filesystem", "wipeFilesystem"),
        flag("with_mount_unit", "").sugar().since(2),
    ],
);

pub(crate) static LUKS: Shape = shape(
    "Luks",
    NAME,
    &[
        object("cex", "cex", &CEX).since(6),
        object("clevis", "clevis", &CLEVIS).formerly_absent(Absent::UnsetOrEmpty, 4),
        text("device", "device"),
        flag("discard", "discard").since(5),
        object("key_file", "keyFile", &CONTENTS),
        text("label", "label"),
        text("name", "name").always(),
        texts("open_options", "openOptions", "string").concatenated().since(5),
        texts("options", "options", "string").concatenated(),
        text("uuid", "uuid"),
        flag("wipe_volume", "wipeVolume"),
    ],
);

pub(crate) static CLEVIS: Shape = shape(
    "Clevis",
    Identity::None,
    &[
        object("custom", "custom", &CLEVIS_CUSTOM).formerly_absent(Absent::UnsetOrEmpty, 4),
        list("tang", "tang", &TANG),
        int("threshold", "threshold"),
        flag("tpm2", "tpm2"),
    ],
);

pub(crate) static CLEVIS_CUSTOM: Shape = shape(
    "ClevisCustom",
    Identity::None,
    &[
        text("config", "config").formerly_absent(Absent::Zero, 4),
        flag("needs_network", "needsNetwork"),
        text("pin", "pin").formerly_absent(Absent::Zero, 4),
    ],
);

pub(crate) static TANG: Shape = shape(
    "Tang",
    Identity::Field("url"),
    &[
        text("advertisement", "advertisement").since(5),
        text("thumbprint", "thumbprint"),
        text("url", "url").zero(),
    ],
);

pub(crate) static CEX: Shape = shape("Cex", Identity::None, &[flag("enabled", "enabled")]);
