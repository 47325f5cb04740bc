//! Partition labels that the image uses itself, given to partitions with another number.

use crate::report::Report;
use crate::value::Object;

/// The labels of the image's partitions and their numbers.
const RESERVED: [(&str, i64); 5] =
    [("BIOS-BOOT", 1), ("PowerPC-PReP-boot", 1), ("EFI-SYSTEM", 2), ("boot", 3), ("root", 4)];

/// Warns where such a label would create another partition beside the image's.
pub(crate) fn check_numbers(config: &Object, report: &mut Report) {
    let Some(storage) = config.object("storage") else { return };
    for (_, _, disk) in storage.objects("disks") {
        if disk.flag("wipeTable") == Some(true) {
            continue;
        }
        for (_, _, partition) in disk.objects("partitions") {
            let number = partition.int("number").unwrap_or_default();
            let Some(label) = partition.get("label") else { continue };
            let wrong = |(name, n): &(&str, i64)| label.as_text() == Some(name) && number != *n;
            if RESERVED.iter().any(wrong) {
                report.warning(
                    &label.origin,
                    "incorrect partition number; a new partition will be created using reserved \
                     label",
                );
            }
        }
    }
}
