//! Speaking on every console: a person may watch any of them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nestos_host::term;
use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// How often, and how long apart, a console that takes no bytes is tried again: a serial line
/// without anybody at its end must not stop a boot.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Writes lines to every console of the kernel, and to stderr, which is the journal.
pub(crate) fn say(text: &str) {
    term::status(text);
    write(&format!("{}\n", text.trim_end()));
}

/// Writes text to every console.
pub(crate) fn write(text: &str) {
    write_below(Path::new("/"), text);
}

/// Writes text to every console of the system at `root`.
pub(crate) fn write_below(root: &Path, text: &str) {
    let text = text.replace('\n', "\r\n");
    let active = fs::read_to_string(root.join("sys/class/tty/console/active")).unwrap_or_default();
    for console in names(&active) {
        let flags = O_NOCTTY | O_NONBLOCK;
        let path = root.join("dev").join(console);
        if let Ok(mut tty) = File::options().append(true).custom_flags(flags).open(path) {
            write_patiently(&mut tty, text.as_bytes());
        }
    }
}

/// Shows an error with its causes and hints, and returns it for the exit status.
pub(crate) fn report(err: anyhow::Error) -> anyhow::Error {
    write(&format!("\n{}\n", term::error_lines(&err).join("\n")));
    err
}

/// Writes what the console takes. One that takes nothing any more cannot be told so.
fn write_patiently(tty: &mut File, mut bytes: &[u8]) {
    let mut tries = TRIES;
    while !bytes.is_empty() && tries > 0 {
        match tty.write(bytes) {
            Ok(written) if written > 0 => {
                bytes = &bytes[written..];
                tries = TRIES;
            }
            Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return,
            _ => {
                tries -= 1;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Returns the names of the kernel's consoles, `console` itself when none is listed.
fn names(active: &str) -> Vec<&str> {
    let names: Vec<&str> = active.split_whitespace().collect();
    if names.is_empty() { vec!["console"] } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_active_console_is_used() {
        assert_eq!(names("tty0 ttyS0\n"), ["tty0", "ttyS0"]);
        assert_eq!(names(""), ["console"]);
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("sys/class/tty/console")).unwrap();
        fs::create_dir(path("dev")).unwrap();
        fs::write(path("sys/class/tty/console/active"), "tty0 ttyS0 ttyS9\n").unwrap();
        fs::write(path("dev/tty0"), "").unwrap();
        fs::write(path("dev/ttyS0"), "").unwrap();
        write_below(root.path(), "a\n");
        write_below(root.path(), "b\n");
        for name in ["dev/tty0", "dev/ttyS0"] {
            assert_eq!(fs::read_to_string(path(name)).unwrap(), "a\r\nb\r\n");
        }
    }
}
