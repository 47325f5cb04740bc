//! What a disk is called by its maker and how it is attached, from sysfs alone.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::disk_use::read_trimmed;

/// How a disk is attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the buses")]
pub enum Transport {
    Nvme,
    Sata,
    Sas,
    Scsi,
    Usb,
    Virtio,
    Mmc,
    Iscsi,
    Fc,
    Xen,
    Pmem,
    Dasd,
    Nbd,
    Loop,
    Raid,
    Multipath,
    /// None of the others.
    #[default]
    Unknown,
}

const NAMES: [(Transport, &str); 17] = [
    (Transport::Nvme, "nvme"),
    (Transport::Sata, "sata"),
    (Transport::Sas, "sas"),
    (Transport::Scsi, "scsi"),
    (Transport::Usb, "usb"),
    (Transport::Virtio, "virtio"),
    (Transport::Mmc, "mmc"),
    (Transport::Iscsi, "iscsi"),
    (Transport::Fc, "fc"),
    (Transport::Xen, "xen"),
    (Transport::Pmem, "pmem"),
    (Transport::Dasd, "dasd"),
    (Transport::Nbd, "nbd"),
    (Transport::Loop, "loop"),
    (Transport::Raid, "raid"),
    (Transport::Multipath, "multipath"),
    (Transport::Unknown, "unknown"),
];

/// What the name of a device alone says.
const BY_NAME: [(&str, Transport); 11] = [
    ("nvme", Transport::Nvme),
    ("vd", Transport::Virtio),
    ("mmcblk", Transport::Mmc),
    ("xvd", Transport::Xen),
    ("pmem", Transport::Pmem),
    ("dasd", Transport::Dasd),
    ("nbd", Transport::Nbd),
    ("loop", Transport::Loop),
    ("md", Transport::Raid),
    ("dm-", Transport::Multipath),
    ("ubd", Transport::Virtio),
];

/// What a part of the device's path in sysfs says; the first that occurs counts. USB comes first:
/// a bridge to SATA is still a USB disk.
const BY_PATH: [(&str, Transport); 6] = [
    ("/usb", Transport::Usb),
    ("/session", Transport::Iscsi),
    ("/rport-", Transport::Fc),
    ("/end_device-", Transport::Sas),
    ("/ata", Transport::Sata),
    ("/host", Transport::Scsi),
];

impl Transport {
    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    pub(super) fn of(dir: &Path, name: &str) -> Self {
        if let Some((_, transport)) = BY_NAME.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            return *transport;
        }
        let real = fs::canonicalize(dir).unwrap_or_else(|_missing| dir.to_owned());
        let path = real.to_string_lossy();
        let found = BY_PATH.iter().find(|(part, _)| path.contains(part));
        found.map_or(Self::Unknown, |(_, transport)| *transport)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(t, _)| t == self).map_or("unknown", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_ascii_lowercase();
        NAMES.iter().find(|(_, name)| *name == text).map(|(t, _)| *t).ok_or(())
    }
}

pub(super) fn model(dir: &Path) -> String {
    let model = read_trimmed(&dir.join("device/model"));
    // An eMMC or SD card has a name instead.
    let name = if model.is_empty() { read_trimmed(&dir.join("device/name")) } else { model };
    if name.is_empty() { read_trimmed(&dir.join("dm/name")) } else { name }
}

pub(super) fn serial(dir: &Path) -> Option<String> {
    let plain = ["device/serial", "serial"].map(|p| read_trimmed(&dir.join(p)));
    let page = fs::read(dir.join("device/vpd_pg80")).unwrap_or_default();
    let page = page.get(4..).map(|text| {
        let text: Vec<u8> = text.iter().copied().filter(|b| *b != 0).collect();
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let mut known = plain.into_iter().chain(page).chain([usb_serial(dir)]);
    known.find(|serial| !serial.is_empty())
}

/// Reads the serial number of the USB device that a disk belongs to.
fn usb_serial(dir: &Path) -> String {
    let Ok(real) = fs::canonicalize(dir) else { return String::new() };
    let device = real.ancestors().find(|d| d.join("idVendor").exists());
    device.map(|d| read_trimmed(&d.join("serial"))).unwrap_or_default()
}

pub(super) fn wwn(dir: &Path) -> Option<String> {
    let texts = ["wwid", "device/wwid"].map(|p| read_trimmed(&dir.join(p)));
    let named = texts.into_iter().find_map(|id| {
        // "t10.…" is made of the model and the serial number; it is no world wide name.
        match id.strip_prefix("naa.") {
            Some(naa) => Some(format!("0x{naa}")),
            None => (id.starts_with("eui.") || id.starts_with("nvme.") || id.starts_with("uuid."))
                .then_some(id),
        }
    });
    named.or_else(|| naa(&fs::read(dir.join("device/vpd_pg83")).ok()?))
}

/// Finds the NAA designator of the logical unit in the SCSI page "device identification" (SPC-5,
/// 7.7.6).
fn naa(page: &[u8]) -> Option<String> {
    const NAA: u8 = 3;
    let mut rest = page.get(4..)?;
    while let [code, kind, _, length, after @ ..] = rest {
        let length = usize::from(*length);
        let value = after.get(..length)?;
        // Binary code set, associated with the logical unit.
        if code & 0x0F == 1 && kind & 0x3F == NAA {
            let digits: String = value.iter().map(|b| format!("{b:02x}")).collect();
            return Some(format!("0x{digits}"));
        }
        rest = &after[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_logical_unit_is_found_among_the_designators() {
        let mut page = vec![0, 0x83, 0, 26];
        page.extend([2, 1, 0, 2, b'A', b'B']);
        page.extend([1, 0x13, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9]);
        page.extend([1, 3, 0, 8, 0x50, 0, 0xc5, 0, 0xa1, 0xb2, 0xc3, 0xd4]);
        assert_eq!(naa(&page).as_deref(), Some("0x5000c500a1b2c3d4"));
        assert_eq!(naa(&page[..20]), None);
        assert_eq!(naa(&[]), None);
    }

    #[test]
    fn every_transport_has_a_name_that_is_read_back() {
        for (transport, name) in NAMES {
            assert_eq!(transport.to_string(), name);
            assert_eq!(name.parse(), Ok(transport));
        }
        assert_eq!("floppy".parse::<Transport>(), Err(()));
    }
}
