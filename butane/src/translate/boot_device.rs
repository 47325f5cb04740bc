//! `boot_device`: a mirrored or encrypted root, spelled out as disks, RAIDs and filesystems.

use crate::path::Path;
use crate::schema::{CLEVIS, CONFIG, DISK, FILESYSTEM, LUKS, PARTITION, RAID, STORAGE};
use crate::value::{Object, Value};

const RESERVED: Part = ("reserved", Some(1), Some("8DA63339-0007-60C0-C436-083AC8230908"));
const BIOS: Part = ("bios", Some(1), Some("21686148-6449-6E6F-744E-656564454649"));
const PREP: Part = ("prep", Some(4), Some("9E1A2D38-C612-4316-AA26-8B49521E5A8B"));
const ESP: Part = ("esp", Some(127), Some("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
const BOOT: Part = ("boot", Some(384), None);
const ROOT: Part = ("root", None, None);

/// Label, size in MiB and type of a partition.
type Part = (&'static str, Option<i64>, Option<&'static str>);

/// The architectures whose disks are laid out, with the partitions of a mirrored disk.
pub(crate) const LAYOUTS: &[(&str, [Part; 4])] = &[
    ("aarch64", [RESERVED, ESP, BOOT, ROOT]),
    ("ppc64le", [PREP, RESERVED, BOOT, ROOT]),
    (DEFAULT_LAYOUT, [BIOS, ESP, BOOT, ROOT]),
];

const DEFAULT_LAYOUT: &str = "x86_64";

/// Returns what the boot device section stands for; `None` if it asks for nothing.
pub(crate) fn fragment(config: &Object) -> Option<Object> {
    let boot = config.object("boot_device")?;
    let origin = Path::default().key("boot_device");
    let mirror = boot.object("mirror").map(|m| m.list("devices")).unwrap_or_default();
    let luks = boot
        .object("luks")
        .filter(|luks| luks.flag("tpm2") == Some(true) || !luks.list("tang").is_empty());
    if mirror.is_empty() && luks.is_none() {
        return None;
    }
    let layout = boot.text("layout").unwrap_or(DEFAULT_LAYOUT);
    let (_, partitions) = LAYOUTS.iter().find(|(name, _)| *name == layout)?;

    let mut storage = Object::new(&STORAGE);
    let mut filesystems = vec![];
    if !mirror.is_empty() {
        let at = origin.key("mirror");
        let disks = mirror.iter().enumerate();
        let disks = disks.map(|(n, device)| disk(n + 1, device, partitions)).collect::<Vec<_>>();
        storage.set("disks", Value::new(&at.key("devices"), disks));
        storage.set("raid", Value::new(&at, raids(mirror.len(), &at)));
        if partitions.contains(&ESP) {
            filesystems.extend(mirror.iter().enumerate().map(|(n, device)| {
                let label = format!("esp-{}", n + 1);
                filesystem(&format!("/dev/disk/by-partlabel/{label}"), "vfat", &label)(
                    &device.origin,
                )
            }));
        }
        filesystems.push(filesystem("/dev/md/md-boot", "ext4", "boot")(&at));
    }
    let root = match (luks.is_some(), mirror.is_empty()) {
        (true, _) => "/dev/mapper/root",
        (false, _) => "/dev/md/md-root",
    };
    if let Some(luks) = luks {
        let below =
            if mirror.is_empty() { "/dev/disk/by-partlabel/root" } else { "/dev/md/md-root" };
        let at = origin.key("luks");
        let encrypted = Value::new(&at, encrypted_root(luks, below, &at));
        storage.set("luks", Value::new(&at, vec![encrypted]));
    }
    filesystems.push(filesystem(root, "xfs", "root")(&origin));
    storage.set("filesystems", Value::new(&origin, filesystems));
    Some(Object::new(&CONFIG).with("storage", &origin, storage))
}

fn disk(number: usize, device: &Value, partitions: &[Part]) -> Value {
    let at = &device.origin;
    let partition = |(label, size, kind): &Part| {
        let label = format!("{label}-{number}");
        let mut partition = Object::new(&PARTITION).with("label", at, label).with("number", at, 0);
        if let Some(size) = size {
            partition.set("sizeMiB", Value::new(at, *size));
        }
        if let Some(kind) = kind {
            partition.set("typeGuid", Value::new(at, *kind));
        }
        Value::new(at, partition)
    };
    let disk = Object::new(&DISK)
        .with("device", at, device.kind.clone())
        .with("partitions", at, partitions.iter().map(partition).collect::<Vec<_>>())
        .with("wipeTable", at, true);
    Value::new(at, disk)
}

fn raids(count: usize, at: &Path) -> Vec<Value> {
    let raid = |label: &str| {
        let devices = (1..=count).map(|n| format!("/dev/disk/by-partlabel/{label}-{n}"));
        let devices = devices.map(|device| Value::new(at, device)).collect::<Vec<_>>();
        Object::new(&RAID).with("devices", at, devices).with("level", at, "raid1").with(
            "name",
            at,
            format!("md-{label}"),
        )
    };
    // The metadata stands at the end of the boot partition, so that GRUB for BIOS can read it
    // without knowing of RAID.
    let options = vec![Value::new(at, "--metadata=1.0")];
    let boot = raid("boot").with("options", at, options);
    vec![Value::new(at, boot), Value::new(at, raid("root"))]
}

fn filesystem(device: &str, format: &str, label: &str) -> impl Fn(&Path) -> Value {
    move |at| {
        let filesystem = Object::new(&FILESYSTEM)
            .with("device", at, device)
            .with("format", at, format)
            .with("label", at, label)
            .with("wipeFilesystem", at, true);
        Value::new(at, filesystem)
    }
}

fn encrypted_root(luks: &Object, device: &str, at: &Path) -> Object {
    let mut clevis = Object::new(&CLEVIS);
    for key in ["tang", "threshold", "tpm2"] {
        if let Some(value) = luks.get(key) {
            clevis.set(key, value.clone());
        }
    }
    Object::new(&LUKS)
        .with("clevis", at, clevis)
        .with("device", at, device)
        .with("label", at, "luks-root")
        .with("name", at, "root")
        .with("wipeVolume", at, true)
}
