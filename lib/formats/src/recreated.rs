//! Ignition configs that make file systems of the system anew on the first boot. An image that
//! cannot move its content out of the way meanwhile would not come up.

use serde_json::Value;

/// Labels of the partitions that hold the system.
const LABELS: [&str; 3] = ["root", "boot", "EFI-SYSTEM"];

/// Where the system mounts them.
const PATHS: [&str; 5] = ["/", "/sysroot", "/boot", "/boot/efi", "/efi"];

/// Where links to devices by the label of a partition or file system are.
const LINKS: [&str; 2] = ["/dev/disk/by-partlabel/", "/dev/disk/by-label/"];

/// Links to the disk that the system boots from.
const BOOT_DISKS: [&str; 2] =
    ["/dev/disk/by-id/nestos-boot-disk", "/dev/disk/by-id/coreos-boot-disk"];

/// Numbers of the system's partitions (see [`crate::disk_layout`]).
const NUMBERS: std::ops::RangeInclusive<u64> = 1..=4;

/// Returns what of the system the Ignition config in `config` makes anew on a machine whose disk is
/// called `disk` here, as `$.path (what)`; nothing for what is no JSON.
pub fn found_in(config: &[u8], disk: &str) -> Vec<String> {
    let Ok(root) = serde_json::from_slice::<Value>(config) else { return vec![] };
    let storage = &root["storage"];
    let list = |key: &str| storage[key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (i, fs) in list("filesystems").iter().enumerate() {
        let named =
            system_label(&fs["label"]).or(system_path(&fs["path"])).or(system_link(&fs["device"]));
        if let Some(name) = named.filter(|_| is_true(&fs["wipeFilesystem"])) {
            found.push(format!("$.storage.filesystems.{i} makes {name} anew"));
        }
    }
    for (i, item) in list("disks").iter().enumerate() {
        found.extend(in_disk(item, disk).map(|what| format!("$.storage.disks.{i}{what}")));
    }
    for (i, luks) in list("luks").iter().enumerate() {
        let named = system_label(&luks["label"]).or(system_link(&luks["device"]));
        if let Some(name) = named {
            found.push(format!("$.storage.luks.{i} encrypts {name}"));
        }
    }
    for (i, raid) in list("raid").iter().enumerate() {
        let devices = raid["devices"].as_array().cloned().unwrap_or_default();
        if let Some(name) = devices.iter().find_map(system_link) {
            found.push(format!("$.storage.raid.{i} takes {name}"));
        }
    }
    found
}

fn in_disk(item: &Value, disk: &str) -> impl Iterator<Item = String> {
    let device = item["device"].as_str().unwrap_or_default();
    let boots = BOOT_DISKS.contains(&device) || device == disk;
    let wiped = is_true(&item["wipeTable"]);
    let partitions = item["partitions"].as_array().cloned().unwrap_or_default();
    let whole = (wiped && boots).then(|| " wipes the table of the system's disk".to_owned());
    let parts = partitions.into_iter().enumerate().filter_map(move |(j, partition)| {
        if !wiped && !is_true(&partition["wipePartitionEntry"]) {
            return None;
        }
        let number = partition["number"].as_u64().filter(|n| boots && NUMBERS.contains(n));
        let name = system_label(&partition["label"]).or(number.map(|n| format!("partition {n}")))?;
        Some(format!(".partitions.{j} makes {name} anew"))
    });
    whole.into_iter().chain(parts)
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

fn system_label(value: &Value) -> Option<String> {
    value.as_str().filter(|label| LABELS.contains(label)).map(str::to_owned)
}

fn system_path(value: &Value) -> Option<String> {
    value.as_str().filter(|path| PATHS.contains(path)).map(str::to_owned)
}

fn system_link(value: &Value) -> Option<String> {
    let device = value.as_str()?;
    let label = LINKS.iter().find_map(|dir| device.strip_prefix(dir))?;
    LABELS.contains(&label).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(storage: &str) -> Vec<String> {
        let config = format!(r#"{{"ignition":{{"version":"3.3.0"}},"storage":{storage}}}"#);
        found_in(config.as_bytes(), "/dev/sda")
    }

    #[test]
    fn what_makes_the_system_anew_is_found() {
        for (storage, expected) in [
            (
                r#"{"filesystems":[{"device":"/dev/md/r","label":"root","wipeFilesystem":true}]}"#,
                "$.storage.filesystems.0 makes root anew",
            ),
            (
                r#"{"filesystems":[{"device":"/dev/disk/by-partlabel/boot","wipeFilesystem":true}]}"#,
                "$.storage.filesystems.0 makes boot anew",
            ),
            (
                r#"{"disks":[{"device":"/dev/vda","wipeTable":true,"partitions":[{"label":"root"}]}]}"#,
                "$.storage.disks.0.partitions.0 makes root anew",
            ),
            (
                r#"{"disks":[{"device":"/dev/sda","wipeTable":true,"partitions":[{"label":"d"}]}]}"#,
                "$.storage.disks.0 wipes the table of the system's disk",
            ),
            (
                r#"{"disks":[{"device":"/dev/disk/by-id/coreos-boot-disk","partitions":[{"number":4,"wipePartitionEntry":true}]}]}"#,
                "$.storage.disks.0.partitions.0 makes partition 4 anew",
            ),
            (
                r#"{"luks":[{"name":"r","device":"/dev/disk/by-partlabel/root"}]}"#,
                "$.storage.luks.0 encrypts root",
            ),
            (
                r#"{"raid":[{"name":"r","devices":["/dev/disk/by-partlabel/root"]}]}"#,
                "$.storage.raid.0 takes root",
            ),
        ] {
            assert_eq!(found(storage), [expected]);
        }
    }

    #[test]
    fn what_leaves_the_system_alone_is_not() {
        for storage in [
            r#"{"filesystems":[{"device":"/dev/disk/by-partlabel/root","path":"/","label":"root"}]}"#,
            r#"{"filesystems":[{"device":"/dev/vdb","label":"data","wipeFilesystem":true}]}"#,
            r#"{"disks":[{"device":"/dev/vda","partitions":[{"label":"root","number":4,"resize":true}]}]}"#,
            r#"{"disks":[{"device":"/dev/vdb","wipeTable":true,"partitions":[{"number":1}]}]}"#,
            "[]",
        ] {
            assert_eq!(found(storage), [""; 0], "{storage}");
        }
    }
}
