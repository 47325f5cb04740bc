//! Partitions and mount points that the image would not use as meant.

use super::Check;
use crate::schema::Feature;
use crate::value::Object;

/// The link to the disk that the system boots from.
const BOOT_DISK: &str = "/dev/disk/by-id/coreos-boot-disk";

/// Where filesystems may be mounted; the rest of the tree is the image's.
const MOUNTABLE: [&str; 2] = ["/etc", "/var"];

impl Check<'_> {
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
