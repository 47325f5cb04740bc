//! The fields themselves. Order is Ignition's output order; sugar stands where its reports belong.

use super::{Field, Identity, Layer, Shape, Type};

const fn text(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Text)
}

const fn int(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Int)
}

const fn flag(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Bool)
}

const fn object(yaml: &'static str, json: &'static str, shape: &'static Shape) -> Field {
    Field::new(yaml, json, Type::Object(shape))
}

const fn texts(yaml: &'static str, json: &'static str, one: &'static str) -> Field {
    Field::new(yaml, json, Type::Texts(one))
}

const fn list(yaml: &'static str, json: &'static str, shape: &'static Shape) -> Field {
    Field::new(yaml, json, Type::Objects(shape, None))
}

const fn shape(name: &'static str, identity: Identity, fields: &'static [Field]) -> Shape {
    Shape { name, home: Layer::Base, identity, fields }
}

const fn fcos(name: &'static str, fields: &'static [Field]) -> Shape {
    Shape { name, home: Layer::Fcos, identity: Identity::None, fields }
}

const NAME: Identity = Identity::Field("name");
const PATH: Identity = Identity::Field("path");

pub(crate) static CONFIG: Shape = fcos(
    "Config",
    &[
        text("version", "").sugar(),
        text("variant", "").sugar(),
        object("ignition", "ignition", &IGNITION),
        object("kernel_arguments", "kernelArguments", &KERNEL_ARGUMENTS).since(4),
        object("passwd", "passwd", &PASSWD),
        object("storage", "storage", &STORAGE),
        object("systemd", "systemd", &SYSTEMD),
        object("boot_device", "", &BOOT_DEVICE).sugar().since_fcos(3),
    ],
);

pub(crate) static IGNITION: Shape = shape(
    "Ignition",
    Identity::None,
    &[
        object("config", "config", &IGNITION_CONFIG),
        object("proxy", "proxy", &PROXY).since(2),
        object("security", "security", &SECURITY),
        object("timeouts", "timeouts", &TIMEOUTS),
        text("", "version").ignition_only(),
    ],
);

static IGNITION_CONFIG: Shape = shape(
    "IgnitionConfig",
    Identity::None,
    &[list("merge", "merge", &CONTENTS), object("replace", "replace", &CONTENTS)],
);

static PROXY: Shape = shape(
    "Proxy",
    Identity::None,
    &[
        text("http_proxy", "httpProxy"),
        text("https_proxy", "httpsProxy"),
        texts("no_proxy", "noProxy", "string"),
    ],
);

static SECURITY: Shape = shape("Security", Identity::None, &[object("tls", "tls", &TLS)]);

static TLS: Shape = shape(
    "TLS",
    Identity::None,
    &[list("certificate_authorities", "certificateAuthorities", &CONTENTS)],
);

static TIMEOUTS: Shape = shape(
    "Timeouts",
    Identity::None,
    &[int("http_response_headers", "httpResponseHeaders"), int("http_total", "httpTotal")],
);

/// What Ignition calls a resource.
pub(crate) static CONTENTS: Shape = shape(
    "Resource",
    Identity::Field("source"),
    &[
        text("compression", "compression"),
        Field::new("http_headers", "httpHeaders", Type::Objects(&HEADER, Some("HTTPHeaders")))
            .since(2),
        text("source", "source"),
        text("inline", "").sugar(),
        text("local", "").sugar().since(2),
        object("verification", "verification", &VERIFICATION),
    ],
);

static HEADER: Shape =
    shape("HTTPHeader", NAME, &[text("name", "name").always(), text("value", "value")]);

static VERIFICATION: Shape = shape("Verification", Identity::None, &[text("hash", "hash")]);

static KERNEL_ARGUMENTS: Shape = shape(
    "KernelArguments",
    Identity::None,
    &[
        texts("should_exist", "shouldExist", "KernelArgument").shared("kargs"),
        texts("should_not_exist", "shouldNotExist", "KernelArgument").shared("kargs"),
    ],
);

static PASSWD: Shape = shape(
    "Passwd",
    Identity::None,
    &[list("groups", "groups", &GROUP), list("users", "users", &USER)],
);

static GROUP: Shape = shape(
    "PasswdGroup",
    NAME,
    &[
        int("gid", "gid"),
        text("name", "name").always(),
        text("password_hash", "passwordHash"),
        flag("should_exist", "shouldExist").since(3),
        flag("system", "system"),
    ],
);

static USER: Shape = shape(
    "PasswdUser",
    NAME,
    &[
        text("gecos", "gecos"),
        texts("groups", "groups", "Group"),
        text("home_dir", "homeDir"),
        text("name", "name").always(),
        flag("no_create_home", "noCreateHome"),
        flag("no_log_init", "noLogInit"),
        flag("no_user_group", "noUserGroup"),
        text("password_hash", "passwordHash"),
        text("primary_group", "primaryGroup"),
        flag("should_exist", "shouldExist").since(3),
        texts("ssh_authorized_keys", "sshAuthorizedKeys", "SSHAuthorizedKey"),
        text("shell", "shell"),
        flag("system", "system"),
        int("uid", "uid"),
    ],
);

pub(crate) static STORAGE: Shape = shape(
    "Storage",
    Identity::None,
    &[
        list("directories", "directories", &DIRECTORY).shared("nodes"),
        list("disks", "disks", &DISK),
        list("files", "files", &FILE).shared("nodes"),
        list("filesystems", "filesystems", &FILESYSTEM),
        list("links", "links", &LINK).shared("nodes"),
        list("luks", "luks", &LUKS).since(3),
        list("raid", "raid", &RAID),
        list("trees", "", &TREE).sugar().since(2),
    ],
);

static NODE_USER: Shape =
    shape("NodeUser", Identity::None, &[int("id", "id"), text("name", "name")]);

static NODE_GROUP: Shape =
    shape("NodeGroup", Identity::None, &[int("id", "id"), text("name", "name")]);

static DIRECTORY: Shape = shape(
    "Directory",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        int("mode", "mode"),
    ],
);

pub(crate) static FILE: Shape = shape(
    "File",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        list("append", "append", &CONTENTS).concatenated(),
        object("contents", "contents", &CONTENTS),
        int("mode", "mode"),
    ],
);

pub(crate) static LINK: Shape = shape(
    "Link",
    PATH,
    &[
        object("group", "group", &NODE_GROUP),
        flag("overwrite", "overwrite"),
        text("path", "path").always(),
        object("user", "user", &NODE_USER),
        flag("hard", "hard"),
        text("target", "target"),
    ],
);

pub(crate) static TREE: Shape =
    shape("Tree", Identity::None, &[text("local", "").sugar().always(), text("path", "").sugar()]);

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
        text("level", "level"),
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
        object("clevis", "clevis", &CLEVIS),
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
        object("custom", "custom", &CLEVIS_CUSTOM),
        list("tang", "tang", &TANG),
        int("threshold", "threshold"),
        flag("tpm2", "tpm2"),
    ],
);

static CLEVIS_CUSTOM: Shape = shape(
    "ClevisCustom",
    Identity::None,
    &[text("config", "config"), flag("needs_network", "needsNetwork"), text("pin", "pin")],
);

static TANG: Shape = shape(
    "Tang",
    Identity::Field("url"),
    &[
        text("advertisement", "advertisement").since(5),
        text("thumbprint", "thumbprint"),
        text("url", "url").zero(),
    ],
);

pub(crate) static SYSTEMD: Shape =
    shape("Systemd", Identity::None, &[list("units", "units", &UNIT)]);

pub(crate) static UNIT: Shape = shape(
    "Unit",
    NAME,
    &[
        text("contents", "contents"),
        list("dropins", "dropins", &DROPIN),
        flag("enabled", "enabled"),
        flag("mask", "mask"),
        text("name", "name").always(),
    ],
);

static DROPIN: Shape =
    shape("Dropin", NAME, &[text("contents", "contents"), text("name", "name").always()]);

pub(crate) static BOOT_DEVICE: Shape = fcos(
    "BootDevice",
    &[
        text("layout", "").sugar(),
        object("luks", "", &BOOT_DEVICE_LUKS).sugar(),
        object("mirror", "", &BOOT_DEVICE_MIRROR).sugar(),
    ],
);

static BOOT_DEVICE_LUKS: Shape = fcos(
    "BootDeviceLuks",
    &[list("tang", "", &TANG).sugar(), int("threshold", "").sugar(), flag("tpm2", "").sugar()],
);

static BOOT_DEVICE_MIRROR: Shape =
    fcos("BootDeviceMirror", &[texts("devices", "", "string").sugar()]);
