//! Which `boot_device` sections a config may have been compiled from.

use super::sugar::{below, known};
use crate::path::Path;
use crate::schema::{BOOT_DEVICE, CONFIG, Dialect, Feature};
use crate::value::{Object, Value};

/// The first partitions of a mirrored disk, by layout.
const LAYOUTS: [(&str, [&str; 4]); 3] = [
    ("x86_64", ["bios", "esp", "boot", "root"]),
    ("aarch64", ["reserved", "esp", "boot", "root"]),
    ("ppc64le", ["prep", "reserved", "boot", "root"]),
];

/// Returns configs that have nothing but a boot device that the given config could be made from.
pub(super) fn candidates(config: &Object, dialect: &Dialect) -> Vec<Object> {
    let storage = config.object("storage");
    let Some(storage) = storage.filter(|_| known(&CONFIG, "boot_device", dialect).is_some()) else {
        return vec![];
    };
    let (mirror, luks) = (mirror(storage), luks(storage, dialect));
    let choices =
        [(mirror.as_ref(), luks.as_ref()), (mirror.as_ref(), None), (None, luks.as_ref())];
    choices.into_iter().filter_map(|(mirror, luks)| section(mirror, luks)).collect()
}

fn section(mirror: Option<&Mirror>, luks: Option<&Luks>) -> Option<Object> {
    let at = Path::default();
    let mut boot = Object::new(&BOOT_DEVICE);
    let layout = match mirror {
        Some(mirror) => Some(mirror.layout),
        None => luks?.layout,
    };
    if let Some(layout) = layout {
        boot.set("layout", Value::new(&at, layout));
    }
    if let Some(mirror) = mirror {
        let devices = mirror.devices.clone();
        let devices = Object::new(below(&BOOT_DEVICE, "mirror")?).with("devices", &at, devices);
        boot.set("mirror", Value::new(&at, devices));
    }
    if let Some(luks) = luks {
        boot.set("luks", Value::new(&at, luks.section.clone()));
    }
    Some(Object::new(&CONFIG).with("boot_device", &at, boot))
}

struct Mirror {
    layout: &'static str,
    devices: Vec<Value>,
}

fn mirror(storage: &Object) -> Option<Mirror> {
    let is_nth = |disk: &Object, n: usize, labels: &[&str]| {
        let partitions = disk.list("partitions");
        partitions.len() >= labels.len()
            && partitions.iter().zip(labels).all(|(partition, label)| {
                let partition = partition.as_object().and_then(|p| p.text("label"));
                partition == Some(format!("{label}-{}", n + 1).as_str())
            })
    };
    LAYOUTS.iter().find_map(|(layout, labels)| {
        let disks = storage.objects("disks");
        let mirrored = disks.take_while(|(n, _, disk)| is_nth(disk, *n, labels));
        let devices: Vec<_> =
            mirrored.filter_map(|(_, _, disk)| disk.get("device").cloned()).collect();
        (devices.len() > 1).then_some(Mirror { layout, devices })
    })
}

struct Luks {
    layout: Option<&'static str>,
    section: Object,
}

fn luks(storage: &Object, dialect: &Dialect) -> Option<Luks> {
    let root = storage.list("luks").first()?.as_object()?;
    if root.text("name") != Some("root") || root.text("label") != Some("luks-root") {
        return None;
    }
    let shape = below(&BOOT_DEVICE, "luks")?;
    let mut section = Object::new(shape);
    let mut take = |from: &Object, key: &str| {
        if known(shape, key, dialect).is_some()
            && let Some(value) = from.get(key)
        {
            section.set(key, value.clone());
        }
    };
    if let Some(clevis) = root.object("clevis") {
        ["tang", "threshold", "tpm2"].iter().for_each(|key| take(clevis, key));
    }
    take(root, "discard");
    take(root, "cex");
    let mut layout = None;
    if dialect.does(Feature::S390xLayouts) {
        let disk = s390x_disk(root.text("device").unwrap_or_default());
        layout = disk.map(|(layout, _)| layout).or(root.get("cex").map(|_| "s390x-virt"));
        if let Some((_, disk)) = disk {
            section.set("device", Value::new(&Path::default(), disk));
        }
    }
    Some(Luks { layout, section })
}

/// Returns the layout for IBM Z that has its root on a partition, and the disk of the partition.
fn s390x_disk(partition: &str) -> Option<(&'static str, &str)> {
    let of = |layout, start: &str, number| {
        let disk = partition.strip_suffix(number).filter(|disk| disk.starts_with(start))?;
        (disk.len() == start.len() + 1).then_some((layout, disk))
    };
    of("s390x-eckd", "/dev/dasd", '2').or_else(|| of("s390x-zfcp", "/dev/sd", '4'))
}
