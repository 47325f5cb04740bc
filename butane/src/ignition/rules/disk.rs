//! Disks, partitions, RAID arrays and filesystems.

use std::collections::HashSet;

use super::node::check_path;
use super::{Place, Rules};
use crate::value::Object;

/// The most bytes of a GPT label.
const LONGEST_LABEL: usize = 36;

impl Rules {
    pub(super) fn disk(&mut self, disk: &Object, place: &Place<'_>) {
        let device = place.below(disk, "device");
        match disk.filled("device") {
            None => self.error(&device, "disk device is required"),
            Some(path) => {
                self.require(&device, check_path(path));
                self.partition_table(disk, &place.below(disk, "partitions"));
            }
        }
        for (n, value, partition) in disk.objects("partitions") {
            self.partition(partition, &place.below(disk, "partitions").item(n, value));
        }
    }

    fn partition_table(&mut self, disk: &Object, place: &Place<'_>) {
        let partitions: Vec<&Object> = disk.objects("partitions").map(|(_, _, p)| p).collect();
        let items = disk.list("partitions");
        let clashes = [
            (repeated(&partitions, number), "partition numbers collide"),
            (overlapping(&partitions), "partitions overlap"),
        ];
        for (clash, message) in clashes {
            if let Some((n, item)) = clash.and_then(|n| Some((n, items.get(n)?))) {
                self.error(&place.item(n, item), message);
            }
        }
        let any_number = partitions.iter().any(|p| number(p).is_none());
        if any_number && partitions.iter().any(|p| p.flag("shouldExist") == Some(false)) {
            self.error(
                place,
                "shouldExist is false for a partition and other partition(s) has start or size 0",
            );
        }
        let label = |p: &&Object| p.text("label").map(str::to_owned);
        let same = repeated(&partitions, |p| label(&p));
        if let Some((n, item)) = same.and_then(|n| Some((n, items.get(n)?))) {
            self.error(&place.item(n, item), "cannot use the same partition label twice");
        }
    }

    fn partition(&mut self, partition: &Object, place: &Place<'_>) {
        let set = |key| partition.get(key).is_some();
        let filled = |key| partition.filled(key).is_some();
        let others = set("label") || set("startMiB") || set("sizeMiB");
        if partition.flag("shouldExist") == Some(false)
            && (others || filled("typeGuid") || filled("guid"))
        {
            self.error(place, "shouldExist specified false with other options also specified");
        }
        if number(partition).is_none() && !set("label") {
            self.error(place, "a partition number >= 1 or a label must be specified");
        }
        if let Some(label) = partition.text("label") {
            let place = place.below(partition, "label");
            if label.len() > LONGEST_LABEL {
                self.error(&place, "partition labels may not exceed 36 characters");
            } else if label.contains(':') {
                let message = "partition label will be truncated to text before the colon";
                self.error(&place, message);
            }
        }
        for key in ["guid", "typeGuid"] {
            if partition.filled(key).is_some_and(|guid| !is_guid(guid)) {
                let message = "doesn't match the form \"01234567-89AB-CDEF-EDCB-A98765432101\"";
                self.error(&place.below(partition, key), message);
            }
        }
    }

    pub(super) fn raid(&mut self, raid: &Object, place: &Place<'_>) {
        let level = place.below(raid, "level");
        match raid.filled("level") {
            None if self.since(3) => self.error(&level, "raid level is required"),
            Some("linear" | "raid0" | "0" | "stripe") => {
                if raid.int("spares").unwrap_or_default() != 0 {
                    self.error(&level, "spares unsupported for linear and raid0 arrays");
                }
            }
            Some(
                "raid1" | "1" | "mirror" | "raid4" | "4" | "raid5" | "5" | "raid6" | "6" | "raid10"
                | "10",
            ) => {}
            _ => self.error(&level, "unrecognized raid level"),
        }
        let devices = place.below(raid, "devices");
        if raid.list("devices").is_empty() {
            self.error(&devices, "raid devices required");
        }
        for (n, device) in raid.list("devices").iter().enumerate() {
            let result = check_path(device.as_text().unwrap_or_default());
            self.require(&devices.item(n, device), result);
        }
    }

    pub(super) fn filesystem(&mut self, filesystem: &Object, place: &Place<'_>) {
        if let Some(path) = filesystem.filled("path") {
            self.require(&place.below(filesystem, "path"), check_path(path));
        }
        self.path(filesystem, "device", place);
        let result = self.check_format(filesystem);
        self.require(&place.below(filesystem, "format"), result);
        let result = check_label(filesystem);
        self.require(&place.below(filesystem, "label"), result);
    }

    fn check_format(&self, filesystem: &Object) -> Result<(), String> {
        let Some(format) = filesystem.filled("format") else {
            let texts = ["path", "label", "uuid"].iter().any(|k| filesystem.filled(k).is_some());
            let wipes = filesystem.flag("wipeFilesystem") == Some(true);
            let mut lists = ["options", "mountOptions"].iter();
            let listed = lists.any(|key| !filesystem.list(key).is_empty());
            return if texts || wipes || listed {
                let rest = if self.since(1) { "options, or mountOptions" } else { "or options" };
                Err(format!(
                    "format cannot be empty when path, label, uuid, wipeFilesystem, {rest} is \
                     specified"
                ))
            } else {
                Ok(())
            };
        };
        match format {
            "ext4" | "btrfs" | "xfs" | "swap" | "vfat" => Ok(()),
            "none" if self.since(3) => Ok(()),
            _ => Err("invalid filesystem format".to_owned()),
        }
    }
}

fn check_label(filesystem: &Object) -> Result<(), String> {
    let Some(label) = filesystem.filled("label") else { return Ok(()) };
    let Some(format) = filesystem.filled("format") else {
        return Err("filesystem must specify format if label is specified".to_owned());
    };
    let longest = match format {
        "ext4" => 16,
        "btrfs" => 256,
        "xfs" => 12,
        "swap" => 15,
        "vfat" => 11,
        _ => return Ok(()),
    };
    if label.len() <= longest {
        return Ok(());
    }
    Err(format!("filesystem labels cannot be longer than {longest} characters when using {format}"))
}

fn number(partition: &Object) -> Option<i64> {
    partition.int("number").filter(|n| *n != 0)
}

/// Returns the first partition whose property an earlier one has too.
fn repeated<T: std::hash::Hash + Eq>(
    partitions: &[&Object],
    property: impl Fn(&Object) -> Option<T>,
) -> Option<usize> {
    let mut seen = HashSet::new();
    partitions.iter().position(|p| property(p).is_some_and(|value| !seen.insert(value)))
}

/// Returns a partition that shares room with another; only fixed places can be compared.
fn overlapping(partitions: &[&Object]) -> Option<usize> {
    let span = |p: &&Object| {
        let (start, size) = (p.int("startMiB")?, p.int("sizeMiB")?);
        // Sums that are too large wrap in Ignition, so they overlap.
        let last = if size == 0 { start } else { start.wrapping_add(size).wrapping_sub(1) };
        (start != 0).then_some((start, last))
    };
    let spans: Vec<Option<(i64, i64)>> = partitions.iter().map(span).collect();
    let placed = || spans.iter().enumerate().filter_map(|(n, span)| Some((n, (*span)?)));
    // Comparing all with all is for saying which; whether any clash at all is seen in their order.
    let mut ordered: Vec<(i64, i64)> = placed().map(|(_, span)| span).collect();
    ordered.sort_unstable();
    if ordered.iter().all(|(start, last)| start <= last)
        && ordered.windows(2).all(|two| matches!(two, [(_, last), (start, _)] if last < start))
    {
        return None;
    }
    placed().find_map(|(n, (start, last))| {
        let clashes = |(other_start, other_last): (i64, i64)| {
            (other_start..=other_last).contains(&start)
                || (other_start..=other_last).contains(&last)
                || (start < other_start && last > other_last)
        };
        placed().find(|(o, other)| *o != n && clashes(*other)).map(|(o, _)| o)
    })
}

fn is_guid(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == GROUPS.len()
        && groups
            .iter()
            .zip(GROUPS)
            .all(|(g, n)| g.len() == n && g.bytes().all(|b| b.is_ascii_hexdigit()))
}
