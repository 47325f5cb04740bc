//! Partitions and mount points that the image would not use as meant.

use super::Check;
use crate::path::Path;
use crate::schema::Feature;
use crate::value::{Object, Value};

/// Below this size the root filesystem fills up with updates.
const SMALLEST_ROOT_MIB: i64 = 8192;

/// The link to the disk that the system boots from.
const BOOT_DISK: &str = "/dev/disk/by-id/coreos-boot-disk";

/// Where filesystems may be mounted; the rest of the tree is the image's.
const MOUNTABLE: [&str; 2] = ["/etc", "/var"];

impl Check<'_> {
    pub(super) fn root_partitions(&mut self, config: &Object) {
        let Some(storage) = config.object("storage") else { return };
        for (_, _, disk) in storage.objects("disks") {
            for (n, value, partition) in disk.objects("partitions") {
                if partition.text("label") == Some("root") {
                    let others = disk.list("partitions").iter().enumerate();
                    let others = others.filter(|(o, _)| *o != n).map(|(_, value)| value);
                    self.root_partition(partition, &value.origin, others);
                }
            }
        }
    }

    fn root_partition<'v>(
        &mut self,
        root: &Object,
        at: &Path,
        mut others: impl Iterator<Item = &'v Value>,
    ) {
        let unset = |object: &Object, key| object.int(key).unwrap_or_default() == 0;
        let size = root.int("sizeMiB").unwrap_or_default();
        if size != 0 && size < SMALLEST_ROOT_MIB {
            let message = "root should have 8GiB of space assigned";
            self.report.warning(&at.key("size_mib"), message);
        }
        let follows = |other: &Value| other.as_object().is_some_and(|o| unset(o, "startMiB"));
        if size == 0 && others.any(follows) {
            self.report.warning(
                &at.key("label"),
                "root partition cannot expand; it is set to fill available space but is \
                 followed by an auto-positioned partition",
            );
        }
    }

    /// Warns of partitions that are found by a label which other disks may have too.
    pub(super) fn reused_partitions(&mut self, config: &Object) {
        let Some(storage) = config.object("storage") else { return };
        let mirror = config.object("boot_device").and_then(|boot| boot.object("mirror"));
        let mirrored = mirror.map(|mirror| mirror.list("devices")).unwrap_or_default();
        for (_, _, disk) in storage.objects("disks") {
            let device = disk.text("device");
            let wiped = disk.flag("wipeTable") == Some(true)
                || self.dialect.does(Feature::LayoutRequired)
                    && mirrored.iter().any(|mirrored| mirrored.as_text() == device);
            if wiped || device == Some(BOOT_DISK) {
                continue;
            }
            for (_, value, partition) in disk.objects("partitions") {
                let number = partition.int("number").unwrap_or_default();
                if number == 0 && partition.get("label").is_some() {
                    let message = format!(
                        "partitions cannot be reused by label; number must be specified except \
                         on boot disk ({BOOT_DISK}) or when wipe_table is true"
                    );
                    self.report.warning(&value.origin.key("number"), message);
                }
            }
        }
    }

    pub(super) fn mount_points(&mut self, config: &Object) {
        let Some(storage) = config.object("storage") else { return };
        for (_, value, filesystem) in storage.objects("filesystems") {
            let allowed = |path: &str| {
                let mut rests = MOUNTABLE.iter().filter_map(|dir| path.strip_prefix(dir));
                rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let forbidden = filesystem.text("path").is_some_and(|path| !allowed(path));
            if forbidden && filesystem.flag("with_mount_unit") == Some(true) {
                let message = "path must be under /etc or /var if with_mount_unit is true";
                self.report.error(&value.origin.key("path"), message);
            }
        }
    }
}
