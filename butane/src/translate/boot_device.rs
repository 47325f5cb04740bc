//! `boot_device`: a mirrored or encrypted root, spelled out as disks, RAIDs and filesystems.

use crate::path::Path;
use crate::schema::{
    CLEVIS, CONFIG, DISK, Dialect, FILESYSTEM, Feature, LUKS, PARTITION, RAID, STORAGE,
};
use crate::value::{Object, Value};

const RESERVED: Part = ("reserved", Some(1), Some("8DA63339-0007-60C0-C436-083AC8230908"));
const BIOS: Part = ("bios", Some(1), Some("21686148-6449-6E6F-744E-656564454649"));
const PREP: Part = ("prep", Some(4), Some("9E1A2D38-C612-4316-AA26-8B49521E5A8B"));
const ESP: Part = ("esp", Some(127), Some("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
const BOOT: Part = ("boot", Some(384), None);
const ROOT: Part = ("root", None, None);

/// Label, size in MiB and type of a partition.
type Part = (&'static str, Option<i64>, Option<&'static str>);

/// How the boot disk of an architecture is laid out.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The name in a config.
    pub name: &'static str,
    /// The partitions of a mirrored disk; none if it cannot be mirrored.
    partitions: &'static [Part],
    /// Which partition of the device holds the root; `None` if it is found by its label.
    root: Option<u8>,
}

/// Every layout, in the order that messages list them.
static LAYOUTS: &[Layout] = &[
    Layout { name: "aarch64", partitions: &[RESERVED, ESP, BOOT, ROOT], root: None },
    Layout { name: "ppc64le", partitions: &[PREP, RESERVED, BOOT, ROOT], root: None },
    Layout { name: "s390x-eckd", partitions: &[], root: Some(2) },
    Layout { name: "s390x-virt", partitions: &[], root: None },
    Layout { name: "s390x-zfcp", partitions: &[], root: Some(4) },
    Layout { name: DEFAULT_LAYOUT, partitions: &[BIOS, ESP, BOOT, ROOT], root: None },
];

impl Layout {
    /// Returns the layouts that a version knows.
    pub(crate) fn all(dialect: &Dialect) -> impl Iterator<Item = &'static Self> {
        let s390x = dialect.does(Feature::S390xLayouts);
        LAYOUTS.iter().filter(move |layout| s390x || !layout.is_s390x())
    }

    /// Returns whether the layout is for IBM Z.
    pub(crate) fn is_s390x(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Returns whether the root is a numbered partition of a device that must be named.
    pub(crate) fn needs_device(&self) -> bool {
        self.root.is_some()
    }
}

const DEFAULT_LAYOUT: &str = "x86_64";

/// Returns what the boot device section stands for; `None` if it asks for nothing.
pub(crate) fn fragment(config: &Object, dialect: &Dialect) -> Option<Object> {
    let boot = config.object("boot_device")?;
    let origin = Path::default().key("boot_device");
    let mirror = boot.object("mirror").map(|m| m.list("devices")).unwrap_or_default();
    let luks = boot.object("luks").filter(|luks| has_method(luks));
    if mirror.is_empty() && luks.is_none() {
        return None;
    }
    let name = boot.text("layout").unwrap_or(DEFAULT_LAYOUT);
    let layout = Layout::all(dialect).find(|layout| layout.name == name)?;

    let mut storage = Object::new(&STORAGE);
    let mut filesystems = vec![];
    if !mirror.is_empty() {
        let at = origin.key("mirror");
        filesystems = mirrored(&mut storage, mirror, layout.partitions, &at);
    }
    let mut root = "/dev/md/md-root";
    if let Some(luks) = luks {
        root = "/dev/mapper/root";
        let at = origin.key("luks");
        let below = match layout.root {
            Some(number) => format!("{}{number}", luks.text("device").unwrap_or_default()),
            None if mirror.is_empty() => "/dev/disk/by-partlabel/root".to_owned(),
            None => "/dev/md/md-root".to_owned(),
        };
        let encrypted = Value::new(&at, encrypted_root(luks, &below, &at));
        storage.set("luks", Value::new(&at, vec![encrypted]));
    }
    filesystems.push(filesystem(root, "xfs", "root", &origin));
    storage.set("filesystems", Value::new(&origin, filesystems));
    Some(Object::new(&CONFIG).with("storage", &origin, storage))
}

/// Returns whether a LUKS section says how the root is unlocked.
pub(crate) fn has_method(luks: &Object) -> bool {
    luks.flag("tpm2") == Some(true) || !luks.list("tang").is_empty() || uses_cex(luks)
}

/// Returns whether a LUKS section unlocks by an IBM Crypto Express adapter.
pub(crate) fn uses_cex(luks: &Object) -> bool {
    luks.object("cex").is_some_and(|cex| cex.flag("enabled") == Some(true))
}

/// Adds the disks and arrays of a mirror; returns its filesystems besides the root.
fn mirrored(storage: &mut Object, devices: &[Value], parts: &[Part], at: &Path) -> Vec<Value> {
    let disks = devices.iter().enumerate();
    let disks = disks.map(|(n, device)| disk(n + 1, device, parts)).collect::<Vec<_>>();
    storage.set("disks", Value::new(&at.key("devices"), disks));
    storage.set("raid", Value::new(at, raids(devices.len(), at)));
    let mut filesystems = vec![];
    if parts.contains(&ESP) {
        filesystems.extend(devices.iter().enumerate().map(|(n, device)| {
            let label = format!("esp-{}", n + 1);
            let esp = format!("/dev/disk/by-partlabel/{label}");
            filesystem(&esp, "vfat", &label, &device.origin)
        }));
    }
    filesystems.push(filesystem("/dev/md/md-boot", "ext4", "boot", at));
    filesystems
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

fn filesystem(device: &str, format: &str, label: &str, at: &Path) -> Value {
    let filesystem = Object::new(&FILESYSTEM)
        .with("device", at, device)
        .with("format", at, format)
        .with("label", at, label)
        .with("wipeFilesystem", at, true);
    Value::new(at, filesystem)
}

fn encrypted_root(luks: &Object, device: &str, at: &Path) -> Object {
    let mut root = Object::new(&LUKS);
    if uses_cex(luks) {
        let cex = luks.get("cex").cloned();
        cex.into_iter().for_each(|cex| root.set("cex", cex));
    } else {
        let mut clevis = Object::new(&CLEVIS);
        for key in ["tang", "threshold", "tpm2"] {
            if let Some(value) = luks.get(key) {
                clevis.set(key, value.clone());
            }
        }
        root.set("clevis", Value::new(at, clevis));
    }
    if let Some(discard) = luks.get("discard") {
        root.set("discard", discard.clone());
    }
    root.with("device", at, device).with("label", at, "luks-root").with("name", at, "root").with(
        "wipeVolume",
        at,
        true,
    )
}
