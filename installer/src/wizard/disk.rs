//! The question for the disk.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use nestos_host::disks::{Disk, Partition};
use nestos_host::term;

use super::ask::Answers;
use super::messages::Messages;

/// The disk that the guide names as the default.
const PREFERRED: &str = "/dev/sda";

const GIB: u64 = 1024 * 1024 * 1024;

/// Shows the disks and asks for one.
pub(super) fn ask(answers: &mut Answers, messages: &Messages, disks: &[Disk]) -> Result<PathBuf> {
    term::status(messages.disks);
    for line in table(disks, messages) {
        term::status(line);
    }
    let default = default_disk(disks);
    let question = match default {
        Some(disk) => messages.disk_default.replace("{}", &disk.device),
        None => messages.disk.to_owned(),
    };
    answers.until_valid(&question, |answer| choose(answer, default, disks, messages))
}

/// Takes `/dev/sda` where it can be used, else the only disk that can.
fn default_disk(disks: &[Disk]) -> Option<&Disk> {
    let mut usable = disks.iter().filter(|d| d.obstacle.is_none());
    let preferred = usable.clone().find(|d| d.device == PREFERRED);
    preferred.or_else(|| match (usable.next(), usable.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}

fn choose(
    answer: &str,
    default: Option<&Disk>,
    disks: &[Disk],
    messages: &Messages,
) -> Result<PathBuf, String> {
    let path = match (answer, default) {
        ("", Some(disk)) => disk.device.clone(),
        ("", None) => return Err(messages.disk_needed.to_owned()),
        (path, _) if path.contains('/') => path.to_owned(),
        (name, _) => format!("/dev/{name}"),
    };
    // A link such as /dev/disk/by-id/... stands for the disk it leads to.
    let real = fs::canonicalize(&path).unwrap_or_else(|_missing| PathBuf::from(&path));
    match disks.iter().find(|d| real.as_os_str() == d.device.as_str()) {
        Some(Disk { obstacle: Some(obstacle), .. }) => Err(obstacle.to_string()),
        Some(_) => Ok(PathBuf::from(path)),
        None if real.exists() => Ok(PathBuf::from(path)),
        None => Err(messages.disk_missing.replace("{}", &path)),
    }
}

fn table(disks: &[Disk], messages: &Messages) -> Vec<String> {
    disks
        .iter()
        .map(|d| {
            let size = format!("{}.{} GiB", d.size / GIB, d.size % GIB * 10 / GIB);
            let content = if d.partitions.is_empty() {
                messages.no_partitions.to_owned()
            } else {
                d.partitions.iter().map(Partition::title).collect::<Vec<_>>().join(", ")
            };
            let state = match &d.obstacle {
                Some(obstacle) => format!("  [{}: {obstacle}]", messages.in_use),
                None => String::new(),
            };
            format!("  {:<14} {size:>11}  {:<20} {content}{state}", d.device, d.model)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use nestos_host::disks::Obstacle;

    use super::*;
    use crate::wizard::cli::Lang;

    fn disk(device: &str, obstacle: Option<&str>) -> Disk {
        Disk {
            device: device.to_owned(),
            size: 3 * GIB / 2,
            model: "M".to_owned(),
            obstacle: obstacle.map(|_| Obstacle::ReadOnly),
            ..Disk::default()
        }
    }

    #[test]
    fn enter_takes_sda_or_the_only_usable_disk() {
        let name = |disks: &[Disk]| default_disk(disks).map(|d| d.device.clone());
        let (a, b) = (disk("/dev/sda", None), disk("/dev/vda", None));
        let busy = disk("/dev/sda", Some("mounted"));
        assert_eq!(name(&[b.clone(), a]).as_deref(), Some("/dev/sda"));
        assert_eq!(name(&[busy, b.clone()]).as_deref(), Some("/dev/vda"));
        assert_eq!(name(&[b, disk("/dev/vdb", None)]), None);
    }

    #[test]
    fn names_and_paths_are_both_taken() {
        let messages = Messages::choose(Some(Lang::En));
        let disks = [disk("/dev/nosuch1", None), disk("/dev/nosuch2", Some("read-only"))];
        let pick = |answer| choose(answer, None, &disks, messages);
        assert_eq!(pick("nosuch1"), Ok(PathBuf::from("/dev/nosuch1")));
        assert_eq!(pick("/dev/nosuch1"), Ok(PathBuf::from("/dev/nosuch1")));
        assert_eq!(pick("nosuch2"), Err("read-only".to_owned()));
        assert!(pick("nosuch3").is_err() && pick("").is_err());
    }

    #[test]
    fn the_table_tells_size_model_and_content() {
        let messages = Messages::choose(Some(Lang::En));
        assert_eq!(
            table(&[disk("/dev/sda", Some("read-only"))], messages),
            [
                "  /dev/sda           1.5 GiB  M                    no partitions  [in use: read-only]"
            ]
        );
    }
}
