//! Partitions that the image would not use as meant: a root without room, and labels that the image
//! uses itself, given to partitions with another number.

use crate::path::Path;
use crate::report::Report;
use crate::schema::{Dialect, Feature};
use crate::value::{Object, Value};

/// Below this size the root filesystem fills up with updates.
const SMALLEST_ROOT_MIB: i64 = 8192;

/// The labels of the image's partitions and their numbers.
const RESERVED: [(&str, i64); 5] =
    [("BIOS-BOOT", 1), ("PowerPC-PReP-boot", 1), ("EFI-SYSTEM", 2), ("boot", 3), ("root", 4)];

/// Warns of partitions that do something else than their label promises.
pub(crate) fn check(config: &Object, dialect: &Dialect, report: &mut Report) {
    let Some(storage) = config.object("storage") else { return };
    let disks = Path::default().key("storage").key("disks");
    for (n, _, disk) in storage.objects("disks") {
        for (p, _, partition) in disk.objects("partitions") {
            let Some(label) = partition.get("label") else { continue };
            if dialect.does(Feature::RootSize) && label.as_text() == Some("root") {
                // This place is not translated from the result; it may be that of another disk.
                let at = disks.index(n).key("partitions").index(p);
                check_root((p, partition), disk, &at, report);
            }
            if disk.flag("wipeTable") != Some(true) {
                check_number(partition, label, report);
            }
        }
    }
}

fn check_root((index, root): (usize, &Object), disk: &Object, at: &Path, report: &mut Report) {
    let unset = |object: &Object, key| object.int(key).unwrap_or_default() == 0;
    let follows = |(n, _, other): (usize, &Value, &Object)| n != index && unset(other, "startMiB");
    if !unset(root, "sizeMiB") {
        if root.int("sizeMiB").is_some_and(|size| size < SMALLEST_ROOT_MIB) {
            report.warning(&at.key("size_mib"), "root should have 8GiB of space assigned");
        }
    } else if disk.objects("partitions").any(follows) {
        let at = root.get("label").map_or_else(|| at.key("label"), |label| label.origin.clone());
        report.warning(
            &at,
            "root partition cannot expand; it is set to fill available space but is followed by \
             an auto-positioned partition",
        );
    }
}

fn check_number(partition: &Object, label: &Value, report: &mut Report) {
    let number = partition.int("number").unwrap_or_default();
    let wrong = |(name, n): &(&str, i64)| label.as_text() == Some(name) && number != *n;
    if RESERVED.iter().any(wrong) {
        report.warning(
            &label.origin,
            "incorrect partition number; a new partition will be created using reserved label",
        );
    }
}
