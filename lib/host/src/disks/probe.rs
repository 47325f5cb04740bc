//! What is on disks and in partitions, as blkid(8) finds it by reading them. A device that does
//! not answer is given up after a while: its content is unknown then, not the whole list.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{Content, Disk};
use crate::cmd::Cmd;

/// How long blkid may read all disks, and how often we look whether it is done.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// How contents are found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Probe {
    /// By running blkid.
    #[default]
    Blkid,
    /// From what blkid printed before (`blkid --probe --output export`).
    Recorded(String),
    /// Not at all.
    Skip,
}

impl Probe {
    pub(super) fn look_at(&self, disks: &mut [Disk]) {
        let text = match self {
            Self::Blkid => run(disks),
            Self::Recorded(text) => {
                disks.iter_mut().for_each(|d| d.probed = true);
                text.clone()
            }
            Self::Skip => return,
        };
        let found = parse(&text);
        for disk in disks {
            if let Some(values) = found.get(&disk.device) {
                disk.table = values.get("PTTYPE").cloned();
                disk.content = content(values);
            }
            for partition in &mut disk.partitions {
                let Some(values) = found.get(&partition.device) else { continue };
                partition.content = content(values);
                partition.type_id = values.get("PART_ENTRY_TYPE").map(|id| id.to_lowercase());
                if let Some(name) = values.get("PART_ENTRY_NAME") {
                    partition.name.clone_from(name);
                }
            }
        }
    }
}

fn content(values: &BTreeMap<String, String>) -> Option<Content> {
    let kind = values.get("TYPE")?.clone();
    Some(Content { kind, label: values.get("LABEL").filter(|l| !l.is_empty()).cloned() })
}

/// Runs one blkid for each disk, so that a dead one holds up no other, and returns what they print.
fn run(disks: &mut [Disk]) -> String {
    let mut running: Vec<(&mut Disk, Child)> = Vec::new();
    for disk in disks {
        let devices = disk.partitions.iter().map(|p| &p.device).chain([&disk.device]);
        let cmd = Cmd::new("blkid").args(["--probe", "--output", "export"]).args(devices);
        // Without blkid the disks are listed all the same.
        if let Ok(child) = cmd.spawn(Stdio::null(), Stdio::piped(), Stdio::piped()) {
            running.push((disk, child));
        }
    }
    let mut text = String::new();
    let mut waited = Duration::ZERO;
    while !running.is_empty() && waited < PATIENCE {
        running.retain_mut(|(disk, child)| {
            // What it prints fits into a pipe, so it ends without being read.
            if matches!(child.try_wait(), Ok(None)) {
                return true;
            }
            let (printed, complaint) = (rest(child.stdout.take()), rest(child.stderr.take()));
            // It says nothing about a node that is missing.
            disk.probed = complaint.is_empty() && Path::new(&disk.device).exists();
            text.push_str(&printed);
            text.push('\n');
            false
        });
        if !running.is_empty() {
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }
    for (_, child) in &mut running {
        // It may not even die while the kernel waits for the disk: nobody waits for it.
        drop(child.kill());
    }
    text
}

/// Reads what an ended program left in a pipe.
fn rest(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    match pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)) {
        Some(Ok(_)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

/// Reads the blocks of `KEY=value` lines, by device.
fn parse(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut device = None;
    for line in text.lines() {
        match line.split_once('=') {
            Some(("DEVNAME", name)) => device = Some(unescape(name)),
            Some((key, value)) => {
                if let Some(device) = &device {
                    let values = found.entry(device.clone()).or_default();
                    values.insert(key.to_owned(), unescape(value));
                }
            }
            None => device = None,
        }
    }
    found
}

/// Undoes what blkid does to values: a backslash before what means something to a shell, and
/// `M-` before the lower half of each byte above 127.
fn unescape(value: &str) -> String {
    let mut plain = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
        plain.push(c);
    }
    let mut bytes = Vec::new();
    let mut rest = plain.as_bytes();
    while let Some(first) = rest.first() {
        let (byte, length) = match rest {
            [b'M', b'-', b'^', c, ..] => ((c ^ 0x40) | 0x80, 4),
            [b'M', b'-', c, ..] => (c | 0x80, 3),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    // A label may also hold "M-" itself.
    String::from_utf8(bytes).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_as_they_were_given() {
        for (printed, label) in [
            ("boot", "boot"),
            (r#"a\ b\$x\"M-CM-)"#, "a b$x\"é"),
            ("M-dM-8M--M-fM-^VM-^G", "中文"),
            ("TEAM-A", "TEAM-A"),
        ] {
            assert_eq!(unescape(printed), label);
        }
    }

    #[test]
    fn every_device_gets_its_own_values() {
        let text = "DEVNAME=/dev/sda1\nTYPE=ext4\n\nDEVNAME=/dev/sda\nPTTYPE=gpt\n";
        let found = parse(text);
        assert_eq!(found["/dev/sda1"]["TYPE"], "ext4");
        assert_eq!(found["/dev/sda"].get("TYPE"), None);
        assert_eq!(found["/dev/sda"]["PTTYPE"], "gpt");
    }
}
