//! The serial line that the conversation is held on. Whoever installs a machine through one will
//! look for the new system there, so it becomes a console of it, beside the screen.

use std::fs;

use nestos_formats::command_line::CommandLine;
use nestos_formats::console::Console;

use super::ask::Asker;
use super::lang::say;

/// The console that is not a serial line.
const SCREEN: &str = "tty0";
/// How many parents are looked at; sudo and a shell are two.
const ANCESTORS: usize = 16;

/// Returns the consoles of the new system, and says so: none if those of the image will do.
pub(super) fn of_conversation(asker: &Asker) -> Vec<Console> {
    let line = CommandLine::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
    let found = terminal().map(|name| consoles(&name, &line)).unwrap_or_default();
    if let Some(serial) = found.last() {
        asker.note(say!(
            asker.lang(),
            "The new system will use this serial line too: {}.",
            "新系统也将使用此串口作为控制台: {}。",
            serial
        ));
    }
    found
}

/// Decides: the serial line `terminal` is taken if the running kernel uses it as a console, with
/// the kernel's settings. The line comes last, which makes it the one that services write to.
fn consoles(terminal: &str, line: &CommandLine) -> Vec<Console> {
    let spec = line.values("console").find(|spec| spec.split(',').next() == Some(terminal));
    let serial = spec.and_then(|spec| spec.parse().ok());
    let Some(serial @ Console::Serial { .. }) = serial else { return Vec::new() };
    let screen = SCREEN.parse().ok();
    screen.into_iter().chain([serial]).collect()
}

/// Returns the name of the terminal that this program or the nearest of its ancestors has: sudo
/// gives what it starts a terminal of its own.
fn terminal() -> Option<String> {
    let mut pid = "self".to_owned();
    for _ in 0..ANCESTORS {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (parent, device) = parent_and_terminal(&stat)?;
        if let Some(name) = name_of(device).filter(|name| !name.starts_with("pts")) {
            return Some(name);
        }
        pid = parent.to_string();
    }
    None
}

/// Reads the fields ppid and `tty_nr` of proc_pid_stat(5), which follow the name in parentheses.
fn parent_and_terminal(stat: &str) -> Option<(u32, u32)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let parent = fields.nth(1)?.parse().ok().filter(|pid| *pid > 0)?;
    Some((parent, fields.nth(2)?.parse().ok()?))
}

/// Returns the name below /dev of a terminal's device number, packed as the kernel does it.
fn name_of(device: u32) -> Option<String> {
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    let link = fs::read_link(format!("/sys/dev/char/{major}:{minor}")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_line_that_the_kernel_uses_becomes_a_console_with_its_settings() {
        for (terminal, line, expected) in [
            ("ttyS0", "console=tty0 console=ttyS0,115200n8", "tty0 ttyS0,115200n8"),
            ("ttyS1", "console=ttyS0,115200n8 console=ttyS1,9600", "tty0 ttyS1,9600n8"),
            ("ttyAMA0", "console=ttyAMA0", "tty0 ttyAMA0,9600n8"),
            ("ttyS0", "console=ttyS01", ""),
            ("ttyS0", "quiet", ""),
            ("tty1", "console=tty1 console=ttyS0", ""),
            ("tty0", "console=tty0", ""),
        ] {
            let found = consoles(terminal, &CommandLine::parse(line));
            let found: Vec<_> = found.iter().map(Console::to_string).collect();
            assert_eq!(found.join(" "), expected, "{terminal} {line}");
        }
    }

    #[test]
    fn the_terminal_of_a_process_is_read_whatever_its_name() {
        let stat = "42 (a) b) S 7 42 42 1088 42 4194560 1";
        assert_eq!(parent_and_terminal(stat), Some((7, 1088)));
        assert_eq!(parent_and_terminal("1 (init) S 0 1 1 0 -1"), None);
        assert_eq!(parent_and_terminal("nonsense"), None);
    }
}
