//! The disk to install to: shown, chosen, and what would be lost on it.

mod refusal;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nestos_host::disks::{Disk, Offer, Partition, Transport};
use nestos_host::gpt_disk::{HEAD_LEN, Table};
use nestos_host::term;

use refusal::{check_kind, obstacle_in, refusal, steps};

use super::ask::Asker;
use super::lang::{Lang, Told, say, told};
use super::layout::{COLUMNS, fit, pad};
use crate::selector::DeviceSpec;

/// The disk that the guide names as the default.
const PREFERRED: &str = "/dev/sda";

/// The disk that was chosen, and what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// What was typed.
    pub(super) answer: String,
    /// Its path.
    pub(super) path: PathBuf,
    /// Model and size, for the review.
    pub(super) about: String,
    /// What would be lost, if anything was recognised.
    pub(super) content: Option<String>,
}

/// Shows the disks and asks for one; `known` is the one chosen before. `None` goes back.
pub(super) fn ask(
    asker: &mut Asker,
    disks: &[Disk],
    known: Option<&Target>,
) -> Result<Option<Target>> {
    let lang = asker.lang();
    asker.title(say!(lang, "Disks of this machine:", "本机磁盘:"));
    for line in table(disks, lang) {
        asker.note(line);
    }
    let default = match known {
        Some(target) => Some(target.answer.clone()),
        None => default_disk(disks).map(|d| d.device.clone()),
    };
    let question = say!(lang, "Disk to install to", "安装到哪块磁盘");
    asker.line(&question, default.as_deref(), |answer| choose(answer, disks, lang))
}

fn shown(disks: &[Disk]) -> impl Iterator<Item = &Disk> + Clone {
    disks.iter().filter(|d| d.offer == Offer::Shown)
}

/// Takes `/dev/sda` where it can be used, else the only disk that can.
fn default_disk(disks: &[Disk]) -> Option<&Disk> {
    let mut usable = shown(disks).filter(|d| d.obstacle.is_none());
    let preferred = usable.clone().find(|d| d.device == PREFERRED);
    preferred.or_else(|| match (usable.next(), usable.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}

/// Finds the disk that an answer names: `sda`, `/dev/sda`, a link to it, a file, or conditions
/// such as `transport=nvme`.
pub(super) fn choose(answer: &str, disks: &[Disk], lang: Lang) -> Result<Target, Told> {
    if answer.is_empty() {
        return Err(told!("there is no default disk; name one", "没有默认磁盘,请输入磁盘名称"));
    }
    let path = match answer.parse().map_err(|e| told!("{0}", "{0}", e))? {
        DeviceSpec::Selector(selector) => {
            let found = DeviceSpec::Selector(selector).resolve(disks);
            found.map_err(|e| {
                let mut lines = term::error_lines(&e);
                // The wizard has no such option.
                lines.retain(|line| !line.contains("--release-holders"));
                let lines = lines.join("\n  ");
                told!("{0}", "{0}", lines.trim_start_matches("error: "))
            })?
        }
        DeviceSpec::Path(_) if answer.contains('/') => PathBuf::from(answer),
        DeviceSpec::Path(name) => Path::new("/dev").join(name),
    };
    // A link such as /dev/disk/by-id/... stands for the disk it leads to.
    let real = fs::canonicalize(&path).unwrap_or_else(|_missing| path.clone());
    match disks.iter().find(|d| real.as_os_str() == d.device.as_str()) {
        Some(Disk { obstacle: Some(obstacle), .. }) => {
            Err(refusal(&path, obstacle, &steps(obstacle, &real)))
        }
        Some(disk) => Ok(known(disk, answer, path, lang)),
        None if real.exists() => {
            check_kind(&real)?;
            Ok(unknown(answer, path))
        }
        None => Err(told!("there is no disk {}", "没有磁盘 {}", path.display())),
    }
}

fn known(disk: &Disk, answer: &str, path: PathBuf, lang: Lang) -> Target {
    let mut about = vec![disk.model.clone(), size(disk.size), bus(disk)];
    about.retain(|text| !text.is_empty());
    let content = (!disk.is_empty()).then(|| content(disk, lang));
    Target { answer: answer.to_owned(), path, about: about.join(", "), content }
}

/// Describes a file, which is no disk of this machine.
fn unknown(answer: &str, path: PathBuf) -> Target {
    let mut head = vec![0; HEAD_LEN];
    let mut about = String::new();
    let mut content = None;
    if let Ok(mut file) = File::open(&path) {
        about = file.metadata().map(|m| size(m.len())).unwrap_or_default();
        let table = file.read_exact(&mut head).ok().and_then(|()| Table::parse(&head).ok());
        content = table.map(|table| {
            let names = table.partitions().iter().map(|p| match p.name.as_str() {
                "" => p.number.to_string(),
                name => name.to_owned(),
            });
            names.collect::<Vec<_>>().join(", ")
        });
    }
    Target { answer: answer.to_owned(), path, about, content }
}

fn bus(disk: &Disk) -> String {
    if disk.transport == Transport::Unknown { String::new() } else { disk.transport.to_string() }
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    const GIB: u64 = 1024 * MIB;
    if bytes < GIB {
        return format!("{} MiB", bytes / MIB);
    }
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

/// Says what is on a disk: the system, then its partitions.
fn content(disk: &Disk, lang: Lang) -> String {
    if disk.is_empty() {
        return say!(lang, "empty", "空");
    }
    let mut parts: Vec<String> = disk.partitions.iter().map(partition).collect();
    parts.extend(disk.content.as_ref().map(ToString::to_string));
    if parts.is_empty() && disk.table.is_some() {
        parts.push(say!(lang, "a partition table", "分区表"));
    }
    if parts.is_empty() {
        // Somebody may want it: it counts as full.
        parts.push(say!(lang, "what is on it could not be read", "无法读取其内容"));
    }
    let parts = parts.join(", ");
    match disk.system {
        Some(system) => format!("{system}: {parts}"),
        None => parts,
    }
}

fn partition(partition: &Partition) -> String {
    let title = partition.title();
    match &partition.content {
        // A label that repeats the name says nothing new.
        Some(content) if content.label.as_deref() == Some(title) => {
            format!("{title} ({})", content.kind)
        }
        Some(content) => format!("{title} ({content})"),
        None => title.to_owned(),
    }
}

/// Shows each disk on one line, and on a second one what is on it or what stands in the way.
fn table(disks: &[Disk], lang: Lang) -> Vec<String> {
    let mut lines = vec![];
    for disk in shown(disks) {
        let (device, size) = (pad(&disk.device, 14), size(disk.size));
        let model = pad(&fit(&disk.model, 28), 28);
        lines.push(fit(&format!("  {device} {size:>11}  {model} {}", bus(disk)), COLUMNS));
        let second = match &disk.obstacle {
            Some(obstacle) => {
                say!(lang, "not usable: {}", "不可用: {}", obstacle_in(lang, obstacle))
            }
            None => content(disk, lang),
        };
        lines.push(fit(&format!("      {second}"), COLUMNS));
    }
    if lines.is_empty() {
        lines.push(say!(lang, "  none was found; a path can be typed", "  未找到;可输入路径"));
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use nestos_host::disks::{Content, Obstacle};

    use super::*;

    fn disk(device: &str, obstacle: Option<Obstacle>) -> Disk {
        Disk {
            device: device.to_owned(),
            size: 3 * 512 * 1024 * 1024,
            model: "M".to_owned(),
            transport: Transport::Sata,
            probed: true,
            obstacle,
            ..Disk::default()
        }
    }

    #[test]
    fn enter_takes_sda_or_the_only_usable_disk() {
        let name = |disks: &[Disk]| default_disk(disks).map(|d| d.device.clone());
        let (a, b) = (disk("/dev/sda", None), disk("/dev/vda", None));
        let busy = disk("/dev/sda", Some(Obstacle::ReadOnly));
        let raid = Disk { offer: Offer::OnlyNamed, ..disk("/dev/md0", None) };
        assert_eq!(name(&[b.clone(), a]).as_deref(), Some("/dev/sda"));
        assert_eq!(name(&[busy, b.clone(), raid]).as_deref(), Some("/dev/vda"));
        assert_eq!(name(&[b, disk("/dev/vdb", None)]), None);
    }

    #[test]
    fn names_paths_and_conditions_are_taken() {
        let disks = [disk("/dev/nosuch1", None), disk("/dev/nosuch2", Some(Obstacle::ReadOnly))];
        let pick = |answer| choose(answer, &disks, Lang::En).map(|t| t.path.display().to_string());
        assert_eq!(pick("nosuch1").as_deref(), Ok("/dev/nosuch1"));
        assert_eq!(pick("/dev/nosuch1").as_deref(), Ok("/dev/nosuch1"));
        assert_eq!(pick("transport=sata,size>=1G").as_deref(), Ok("/dev/nosuch1"));
        assert_eq!(pick("nosuch2").unwrap_err().to_string(), "/dev/nosuch2: read-only");
        assert!(pick("nosuch3").is_err() && pick("").is_err());
        let error = pick("transport=nvme").unwrap_err().to_string();
        assert!(error.starts_with("no disk matches transport=nvme"), "{error}");
    }

    #[test]
    fn what_is_no_disk_is_refused_at_once() {
        let pick = |answer| choose(answer, &[], Lang::En).unwrap_err().to_string();
        assert_eq!(pick("/dev/null"), "/dev/null is no disk");
        assert_eq!(pick("/tmp"), "/tmp is no disk");
        assert_eq!(pick("/etc/passwd"), "/etc/passwd is too small to be a disk");
    }

    #[test]
    fn the_table_tells_size_model_bus_and_content_within_80_columns() {
        let mut full = disk("/dev/sda", None);
        let content = |kind: &str, label: &str| {
            Some(Content { kind: kind.to_owned(), label: Some(label.to_owned()) })
        };
        full.partitions = vec![
            Partition {
                name: "boot".to_owned(),
                content: content("ext4", "boot"),
                ..Partition::default()
            },
            Partition {
                device: "/dev/sda2".to_owned(),
                content: content("vfat", &"数据".repeat(20)),
                ..Partition::default()
            },
        ];
        let empty = disk("/dev/nvme0n1", None);
        let mute = Disk { probed: false, ..disk("/dev/sdc", None) };
        let busy = disk("/dev/sdb", Some(Obstacle::ReadOnly));
        let lines = table(&[busy, full, empty, mute], Lang::En);
        assert_eq!(
            lines,
            [
                "  /dev/sdb           1.5 GiB  M                            sata",
                "      not usable: read-only",
                "  /dev/sda           1.5 GiB  M                            sata",
                "      boot (ext4), sda2 (FAT \"数据数据数据数据数据数据数据数据数据数据数据数...",
                "  /dev/nvme0n1       1.5 GiB  M                            sata",
                "      empty",
                "  /dev/sdc           1.5 GiB  M                            sata",
                "      what is on it could not be read"
            ]
        );
    }
}
