//! Speaking on every console: a person may watch any of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use nestos_host::term;

/// Writes lines to every console of the kernel, and to stderr, which is the journal.
pub(crate) fn say(text: &str) {
    term::status(text);
    write(&format!("{}\n", text.trim_end()));
}

/// Writes text to every console.
pub(crate) fn write(text: &str) {
    let text = text.replace('\n', "\r\n");
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    for console in names(&active) {
        if let Ok(mut tty) = fs::File::options().write(true).open(Path::new("/dev").join(console)) {
            // A console that takes no bytes cannot be told so.
            drop(tty.write_all(text.as_bytes()));
        }
    }
}

/// Shows an error with its causes and hints, and returns it for the exit status.
pub(crate) fn report(err: anyhow::Error) -> anyhow::Error {
    write(&format!("\n{}\n", term::error_lines(&err).join("\n")));
    err
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
    }
}
