//! What a person sees who logs in to the live system: how to install, and to what.

use std::env;
use std::path::Path;

use nestos_host::cmd::Cmd;
use nestos_host::disk_use::Sources;
use nestos_host::disks::{self, Disk};

/// What the greeting depends on.
#[derive(Debug, Clone, Default)]
struct Facts {
    /// Disks to install to.
    disks: Vec<Disk>,
    /// Interfaces with their addresses.
    addresses: Vec<String>,
    /// Whether nmtui is there.
    dialog: bool,
    /// Whether the terminal shows Chinese.
    chinese: bool,
}

/// Returns the greeting of the system at `root`.
pub(crate) fn greeting(root: &Path) -> String {
    let listed =
        Cmd::new("ip").args(["-brief", "address", "show", "scope", "global", "up"]).output();
    let term = env::var("TERM").ok();
    text(&Facts {
        disks: disks::list(&Sources::at(root)),
        addresses: addresses(&listed.unwrap_or_default()),
        dialog: root.join("usr/bin/nmtui").exists(),
        chinese: shows_chinese(term.as_deref(), locale().as_deref()),
    })
}

fn locale() -> Option<String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set)
}

/// The kernel's own console has no Chinese glyphs. On a serial line there is a terminal program of
/// today, unless the locale says that it takes no UTF-8.
fn shows_chinese(terminal: Option<&str>, locale: Option<&str>) -> bool {
    let draws = !matches!(terminal, None | Some("" | "linux" | "dumb"));
    let utf8 = |locale: &str| locale.to_ascii_lowercase().replace('-', "").ends_with("utf8");
    draws && locale.is_none_or(utf8)
}

/// Reads `ip -brief address`: interface, state, addresses.
fn addresses(listed: &str) -> Vec<String> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let interface = words.first()?.split('@').next()?;
        let addresses = words.get(2..).filter(|a| !a.is_empty())?;
        Some(addresses.iter().map(|a| format!("{interface:<12}{a}")).collect::<Vec<_>>())
    };
    listed.lines().filter_map(one).flatten().collect()
}

fn text(facts: &Facts) -> String {
    let usable = facts.disks.iter().find(|disk| disk.obstacle.is_none());
    let disk = usable.map_or("/dev/sda", |disk| disk.device.as_str());
    let mut lines = vec![
        String::new(),
        "NestOS live system: it runs in memory, and keeps nothing.".to_owned(),
        String::new(),
        "To install NestOS to a disk, answer a few questions:".to_owned(),
        "    sudo installnestos".to_owned(),
        "or give a config, as a file or as an address:".to_owned(),
        format!("    sudo nestos-installer install {disk} --ignition-file example.ign"),
    ];
    if facts.chinese {
        lines.push(String::new());
        lines.push("这是 NestOS Live 环境，运行于内存中，关机后不保留任何内容。".to_owned());
        lines.push("安装到磁盘：输入 sudo installnestos 并回答几个问题，".to_owned());
        lines.push("或使用上面的 nestos-installer install 命令并指定点火文件。".to_owned());
    }
    lines.push(String::new());
    lines.extend(titled("Disks", facts.disks.iter().map(disk_line).collect(), "none was found"));
    lines.extend(titled("Addresses", facts.addresses.clone(), "none yet"));
    let tool = if facts.dialog { "sudo nmtui" } else { "sudo nmcli" };
    lines.push(format!("To set up the network: {tool}. With --copy-network the installed system"));
    lines.push("keeps these settings.".to_owned());
    lines.join("\n") + "\n"
}

/// Returns lines with a title before the first of them.
fn titled(title: &str, lines: Vec<String>, nothing: &str) -> Vec<String> {
    let lines = if lines.is_empty() { vec![nothing.to_owned()] } else { lines };
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(lines).map(|(title, line)| cut(&format!("{title:<12}{line}"))).collect()
}

fn disk_line(disk: &Disk) -> String {
    let why = disk.obstacle.as_ref().map(|o| format!(" ({o})")).unwrap_or_default();
    format!("{:<14}{:>9}  {}{why}", disk.device, size(disk.size), disk.model)
}

/// Returns a line that fits a console of 80 columns.
fn cut(line: &str) -> String {
    line.trim_end().chars().take(79).collect()
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit).unwrap_or((1, "bytes"));
    let tenths = bytes.saturating_mul(10) / unit;
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::disks::Obstacle;

    fn facts() -> Facts {
        let disk = |device: &str, model: &str| Disk {
            device: device.to_owned(),
            model: model.to_owned(),
            size: 10 << 30,
            ..Disk::default()
        };
        let stick = Disk { obstacle: Some(Obstacle::ReadOnly), ..disk("/dev/sda", "Stick") };
        Facts {
            disks: vec![stick, disk("/dev/nvme0n1", &"long ".repeat(30))],
            addresses: addresses("lo UNKNOWN\nens3@if2 UP 10.0.2.15/24 fec0::1/64\nens4 DOWN\n"),
            dialog: true,
            chinese: false,
        }
    }

    #[test]
    fn the_greeting_names_the_commands_the_disks_and_the_addresses() {
        let text = text(&facts());
        for part in [
            "    sudo installnestos\n",
            "    sudo nestos-installer install /dev/nvme0n1 --ignition-file example.ign\n",
            "\nDisks       /dev/sda         10 GiB  Stick (read-only)\n",
            "\nAddresses   ens3        10.0.2.15/24\n            ens3        fec0::1/64\n",
            "sudo nmtui",
            "--copy-network",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        assert!(text.is_ascii());
    }

    #[test]
    fn a_machine_without_anything_is_greeted_too() {
        let text = text(&Facts::default());
        assert!(text.contains("install /dev/sda --ignition-file"));
        assert!(text.contains("Disks       none was found\nAddresses   none yet\n"));
        assert!(text.contains("sudo nmcli"));
    }

    #[test]
    fn chinese_is_shown_where_it_can_be_drawn() {
        for (terminal, locale, expected) in [
            (Some("linux"), None, false),
            (Some("linux"), Some("zh_CN.UTF-8"), false),
            (Some("vt220"), None, true),
            (Some("vt220"), Some("C.UTF-8"), true),
            (Some("xterm-256color"), Some("C.utf8"), true),
            (Some("vt220"), Some("C"), false),
            (Some("dumb"), None, false),
            (None, None, false),
        ] {
            assert_eq!(shows_chinese(terminal, locale), expected, "{terminal:?} {locale:?}");
        }
        let told = text(&Facts { chinese: true, ..facts() });
        assert!(told.contains("安装到磁盘：输入 sudo installnestos"));
        // A Chinese character takes two columns.
        let columns = |line: &str| line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        assert!(told.lines().map(columns).all(|n: usize| n <= 80));
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (10 << 30, "10 GiB"),
            (3 << 39, "1.5 TiB"),
            (500_107_862_016, "465 GiB"),
            (100 << 20, "100 MiB"),
            (512, "512 bytes"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
