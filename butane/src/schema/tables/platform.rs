//! What variants add to the base.

use super::disks::{CEX, TANG};
use super::{NAME, fcos, flag, int, list, object, openshift, text, texts};
use crate::schema::{Field, Identity, Shape, Type};

pub(crate) static BOOT_DEVICE: Shape = fcos(
    "BootDevice",
    Identity::None,
    &[
        text("layout", "").sugar(),
        object("luks", "", &BOOT_DEVICE_LUKS).sugar(),
        object("mirror", "", &BOOT_DEVICE_MIRROR).sugar(),
    ],
);

pub(crate) static BOOT_DEVICE_LUKS: Shape = fcos(
    "BootDeviceLuks",
    Identity::None,
    &[
        object("cex", "", &CEX).sugar().since_fcos(6),
        flag("discard", "").sugar().since_fcos(5),
        text("device", "").sugar().since_fcos(6),
        list("tang", "", &TANG).sugar(),
        int("threshold", "").sugar(),
        flag("tpm2", "").sugar(),
    ],
);

pub(crate) static BOOT_DEVICE_MIRROR: Shape =
    fcos("BootDeviceMirror", Identity::None, &[texts("devices", "", "string").sugar()]);

pub(crate) static GRUB: Shape =
    fcos("Grub", Identity::None, &[list("users", "", &GRUB_USER).sugar()]);

pub(crate) static GRUB_USER: Shape =
    fcos("GrubUser", NAME, &[text("name", "").sugar().always(), text("password_hash", "").sugar()]);

pub(crate) static METADATA: Shape = openshift(
    "Metadata",
    &[text("name", "").sugar().always(), Field::new("labels", "", Type::Labels).sugar()],
);

pub(crate) static OPENSHIFT: Shape = openshift(
    "OpenShift",
    &[
        texts("kernel_arguments", "", "string").sugar(),
        texts("extensions", "", "string").sugar(),
        flag("fips", "").sugar(),
        text("kernel_type", "").sugar(),
    ],
);
