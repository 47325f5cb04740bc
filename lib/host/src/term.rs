//! The one place that prints. Results go to stdout, everything else to stderr; colour only on a
//! terminal and without `NO_COLOR`, and never as the only carrier of meaning.

use std::fmt;
use std::io::{self, IsTerminal, Write};

/// Advice attached to an error: what the reader can do about it.
#[derive(Debug)]
pub struct Hint(String);

impl Hint {
    /// Says what to do; for errors that are made elsewhere than in a [`Result`].
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hint: {}", self.0)
    }
}

/// Adds a [`Hint`] to an error, shown after the chain of causes.
pub trait WithHint<T> {
    /// Attaches `text`, which says what to do.
    fn hint(self, text: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E> WithHint<T> for Result<T, E>
where
    E: Into<anyhow::Error>,
{
    fn hint(self, text: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| e.into().context(Hint(text.into())))
    }
}

/// Prints one line of result on stdout. A closed pipe ends the output silently.
pub fn result(line: impl fmt::Display) {
    write_line(io::stdout().lock(), &line);
}

/// Prints one line of status on stderr.
pub fn status(line: impl fmt::Display) {
    write_line(io::stderr().lock(), &line);
}

/// Prints a question on stderr and leaves the cursor behind it.
pub fn prompt(text: impl fmt::Display) {
    let mut out = io::stderr().lock();
    // A terminal that went away answers no question either: reading says so.
    drop(write!(out, "{text} ").and_then(|()| out.flush()));
}

/// Prints a warning on stderr.
pub fn warning(line: impl fmt::Display) {
    write_line(io::stderr().lock(), &format_args!("{} {line}", paint("33;1", "warning:")));
}

/// Prints an error, its causes and its hints on stderr.
pub fn error(err: &anyhow::Error) {
    let mut out = io::stderr().lock();
    for line in error_lines(err) {
        let line = match line.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}", paint("31;1", "error:")),
            None => line,
        };
        write_line(&mut out, &line);
    }
}

/// Returns the lines that [`error`] prints: the top message, one line per cause, then hints.
pub fn error_lines(err: &anyhow::Error) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for cause in err.chain().map(ToString::to_string) {
        if cause.starts_with("hint: ") {
            hints.push(cause);
        } else if messages.last().is_none_or(|last| !last.ends_with(&cause)) {
            messages.push(cause);
        }
    }
    let mut lines = Vec::new();
    for (i, message) in messages.into_iter().enumerate() {
        lines.push(if i == 0 {
            format!("error: {message}")
        } else {
            format!("  because: {message}")
        });
    }
    lines.extend(hints);
    lines
}

/// Returns whether stderr is a terminal a person may be watching.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

fn paint(code: &str, text: &str) -> String {
    if is_interactive() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

fn write_line(mut out: impl Write, line: &dyn fmt::Display) {
    // A reader that went away (`| head`) is no failure of ours, and there is nobody to tell.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn hints_follow_the_causes() {
        let err = Err::<(), _>(anyhow!("it is mounted on /boot"))
            .hint("unmount it")
            .context("cannot claim /dev/vda")
            .unwrap_err();
        assert_eq!(
            error_lines(&err),
            [
                "error: cannot claim /dev/vda",
                "  because: it is mounted on /boot",
                "hint: unmount it"
            ]
        );
    }
}
