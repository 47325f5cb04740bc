//! Disks as the conditions of a selector that would match them.

use nestos_host::disks::Disk;

use super::size;

/// Columns of a serial console, less the indentation.
const WIDTH: usize = 70;

/// Describes a disk in indented lines, each preceded by a line break.
pub(super) fn disk(disk: &Disk) -> String {
    let mut text = format!("\n    {}", disk.device);
    let mut column = WIDTH;
    for (i, word) in words(disk).into_iter().enumerate() {
        let length = word.chars().count() + 2;
        if i == 0 || column + length > WIDTH {
            text.push_str("\n        ");
            column = 0;
        } else {
            text.push_str("  ");
        }
        column += length;
        text.push_str(&word);
    }
    if let Some(obstacle) = &disk.obstacle {
        text.push_str(&format!("\n        cannot be used: {obstacle}"));
    }
    text
}

/// Spells everything about a disk that a condition can name.
fn words(disk: &Disk) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut words = vec![
        format!("size={}", size::shown(disk.size)),
        format!("transport={}", disk.transport),
        format!("rotational={}", yes(disk.rotational)),
        format!("removable={}", yes(disk.removable)),
    ];
    if disk.is_empty() {
        words.push("empty".to_owned());
    }
    words.extend(names(disk));
    words
}

/// Spells what is meant to be different on every disk, what people know best first.
fn names(disk: &Disk) -> Vec<String> {
    let model = Some(&disk.model).filter(|m| !m.is_empty());
    let named = [("model", model), ("serial", disk.serial.as_ref()), ("wwn", disk.wwn.as_ref())];
    let named = named.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
    let links = [("path", "/by-path/"), ("id", "/by-id/")].into_iter().flat_map(|(key, folder)| {
        let links = disk.links.iter().filter(move |link| link.contains(folder));
        links.map(move |link| format!("{key}={}", link.rsplit('/').next().unwrap_or(link)))
    });
    named.chain(links).collect()
}

/// Returns a condition that the first of several disks meets and no other.
pub(super) fn telling_apart(disks: &[&Disk]) -> String {
    let Some((first, others)) = disks.split_first() else { return String::new() };
    let same: Vec<String> = others.iter().flat_map(|d| [names(d), words(d)].concat()).collect();
    let mut own = names(first).into_iter().filter(|word| !word.starts_with("model="));
    let unlike = |word: &String| !word.contains(',') && !same.contains(word);
    own.find(unlike)
        .or_else(|| words(first).into_iter().find(unlike))
        .unwrap_or_else(|| format!("path={}", first.device))
}
