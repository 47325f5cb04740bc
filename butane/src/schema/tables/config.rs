//! The config as a whole, and resources, which appear all over it.

use super::accounts::{PASSWD, SYSTEMD};
use super::platform::{BOOT_DEVICE, GRUB, METADATA, OPENSHIFT};
use super::storage::STORAGE;
use super::{NAME, home, int, list, object, shape, text, texts};
use crate::schema::{Field, Identity, Layer, Shape, Since, Type};

pub(crate) static CONFIG: Shape = home(
    "Config",
    Layer::Variant,
    Identity::None,
    &[
        text("version", "").sugar(),
        text("variant", "").sugar(),
        object("ignition", "ignition", &IGNITION),
        object("kernel_arguments", "kernelArguments", &KERNEL_ARGUMENTS).since(4),
        object("passwd", "passwd", &PASSWD),
        object("storage", "storage", &STORAGE),
        object("systemd", "systemd", &SYSTEMD),
        object("boot_device", "", &BOOT_DEVICE).sugar().since_fcos(3),
        object("grub", "", &GRUB).sugar().since_fcos(5).extension(),
        object("metadata", "", &METADATA).sugar().since_openshift(8),
        object("openshift", "", &OPENSHIFT).sugar().since_openshift(8),
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

pub(crate) static IGNITION_CONFIG: Shape = shape(
    "IgnitionConfig",
    Identity::None,
    &[
        list("merge", "merge", &CONTENTS).formerly(Type::Objects(&CONFIG_REFERENCE, None), 2),
        object("replace", "replace", &CONTENTS).formerly(Type::Object(&CONFIG_REFERENCE), 2),
    ],
);

pub(crate) static PROXY: Shape = shape(
    "Proxy",
    Identity::None,
    &[
        text("http_proxy", "httpProxy"),
        text("https_proxy", "httpsProxy"),
        texts("no_proxy", "noProxy", "string"),
    ],
);

pub(crate) static SECURITY: Shape =
    shape("Security", Identity::None, &[object("tls", "tls", &TLS)]);

pub(crate) static TLS: Shape = shape(
    "TLS",
    Identity::None,
    &[list("certificate_authorities", "certificateAuthorities", &CONTENTS)
        .formerly(Type::Objects(&CA_REFERENCE, None), 2)],
);

pub(crate) static TIMEOUTS: Shape = shape(
    "Timeouts",
    Identity::None,
    &[int("http_response_headers", "httpResponseHeaders"), int("http_total", "httpTotal")],
);

/// What Ignition calls a resource.
pub(crate) static CONTENTS: Shape = Shape {
    formerly: Some(("FileContents", Since(Layer::Base, 2))),
    ..shape(
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
    )
};

/// Where a config is, in the first version.
pub(crate) static CONFIG_REFERENCE: Shape = shape(
    "ConfigReference",
    Identity::Field("source"),
    &[text("source", "source"), object("verification", "verification", &VERIFICATION)],
);

/// Where a certificate is, in the first version.
pub(crate) static CA_REFERENCE: Shape = shape(
    "CaReference",
    Identity::Field("source"),
    &[text("source", "source").always(), object("verification", "verification", &VERIFICATION)],
);

pub(crate) static HEADER: Shape =
    shape("HTTPHeader", NAME, &[text("name", "name").always(), text("value", "value")]);

pub(crate) static VERIFICATION: Shape =
    shape("Verification", Identity::None, &[text("hash", "hash")]);

pub(crate) static KERNEL_ARGUMENTS: Shape = shape(
    "KernelArguments",
    Identity::None,
    &[
        texts("should_exist", "shouldExist", "KernelArgument").shared("kargs"),
        texts("should_not_exist", "shouldNotExist", "KernelArgument").shared("kargs"),
    ],
);
