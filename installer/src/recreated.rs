//! Configs that make file systems of the system anew on the first boot. An image that cannot move
//! its content out of the way meanwhile would not come up.

use serde_json::Value;

/// Labels of the partitions that hold the system.
const LABELS: [&str; 3] = ["root", "boot", "EFI-SYSTEM"];

/// Where the system mounts them.
const PATHS: [&str; 5] = ["/", "/sysroot", "/boot", "/boot/efi", "/efi"];

/// Where links to devices by the label of a partition or file system are.
const LINKS: [&str; 2] = ["/dev/disk/by-partlabel/", "/dev/disk/by-label/"];

/// Returns what of the system the Ignition config in `config` makes anew, as
/// `$.path (what)`; nothing for what is no JSON.
pub fn found_in(config: &[u8]) -> Vec<String> {
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
    for (i, disk) in list("disks").iter().enumerate() {
        let partitions = disk["partitions"].as_array().cloned().unwrap_or_default();
        for (j, partition) in partitions.iter().enumerate() {
            let wiped = is_true(&partition["wipePartitionEntry"]) || is_true(&disk["wipeTable"]);
            if let Some(name) = system_label(&partition["label"]).filter(|_| wiped) {
                found.push(format!("$.storage.disks.{i}.partitions.{j} makes {name} anew"));
            }
        }
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
        found_in(format!(r#"{{"ignition":{{"version":"3.3.0"}},"storage":{storage}}}"#).as_bytes())
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
            "[]",
        ] {
            assert_eq!(found(storage), [""; 0], "{storage}");
        }
    }
}
