//! The serial console: everything the guest says, as clean text to search and as a log with
//! times; and a way to type.

use std::fs::File;
use std::io::{Read, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nestos_host::clock;

use crate::clean::Cleaner;

/// How long [`Serial::press_until`] waits before it presses again.
const PRESS_INTERVAL: Duration = Duration::from_secs(5);
/// How many lines of the console an error shows.
const TAIL_LINES: usize = 25;

/// A connection to the guest's first serial port.
#[derive(Debug)]
pub struct Serial {
    shared: Arc<Shared>,
    input: Mutex<ChildStdin>,
}

impl Serial {
    pub(crate) fn new(shared: Arc<Shared>, input: ChildStdin) -> Self {
        Self { shared, input: Mutex::new(input) }
    }

    /// Waits until `text` appears after what was expected last; fails at the timeout or when the
    /// machine ends.
    pub fn expect(&self, text: &str, timeout: Duration) -> Result<()> {
        self.expect_any(&[text], timeout).map(drop)
    }

    /// Waits until one of `texts` appears and returns its index; the one that appears first wins.
    pub fn expect_any(&self, texts: &[&str], timeout: Duration) -> Result<usize> {
        let deadline = clock::instant() + timeout;
        let mut console = self.shared.lock();
        loop {
            if let Some((index, end)) = earliest(&console.text, console.cursor, texts) {
                console.cursor = end;
                return Ok(index);
            }
            let wanted = texts.join("` or `");
            if console.ended {
                bail!("the machine ended before `{wanted}` appeared:\n{}", tail(&console.text));
            }
            let left = deadline.saturating_duration_since(clock::instant());
            if left.is_zero() {
                let waited = timeout.as_secs();
                bail!("no `{wanted}` on the console in {waited} s:\n{}", tail(&console.text));
            }
            console = self.shared.wait(console, left);
        }
    }

    /// Types `text`.
    pub fn send(&self, text: &str) -> Result<()> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .with_context(|| format!("cannot type {text:?} on the serial console"))
    }

    /// Types `keys` again and again until `text` appears. A boot loader loses keys that come while
    /// it draws, so these must be keys that do no harm when they arrive twice.
    pub fn press_until(&self, keys: &str, text: &str, timeout: Duration) -> Result<()> {
        let deadline = clock::instant() + timeout;
        loop {
            self.send(keys)?;
            let left = deadline.saturating_duration_since(clock::instant());
            match self.expect(text, left.min(PRESS_INTERVAL)) {
                Err(_) if left > PRESS_INTERVAL => {}
                done => return done.with_context(|| format!("after pressing {keys:?}")),
            }
        }
    }

    /// Types `line` and Enter.
    pub fn send_line(&self, line: &str) -> Result<()> {
        self.send(&format!("{line}\n"))
    }

    /// Returns everything the console said so far.
    pub fn transcript(&self) -> String {
        self.shared.lock().text.clone()
    }

    /// Returns whether `text` appeared after what was expected last.
    pub fn has_said(&self, text: &str) -> bool {
        let console = self.shared.lock();
        console.text.get(console.cursor..).unwrap_or_default().contains(text)
    }

    /// Returns the last lines, for error messages.
    pub fn tail(&self) -> String {
        tail(&self.shared.lock().text)
    }

    /// Lets the next [`Serial::expect`] look only at what comes from now on.
    pub fn skip_to_end(&self) {
        let mut console = self.shared.lock();
        console.cursor = console.text.len();
    }
}

/// What the reading thread and the waiting one share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    console: Mutex<Console>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Console {
    text: String,
    /// The end of the last match.
    cursor: usize,
    ended: bool,
}

impl Shared {
    /// Reads the console until its end, into the shared text and into `log`.
    pub(crate) fn pump(&self, mut from: impl Read, log: File) {
        let mut cleaner = Cleaner::default();
        let mut log = TimedLog { file: log, start: clock::instant(), at_line_start: true };
        let mut bytes = [0; 4096];
        // An unreadable console is a console that ended: whoever waits for text hears of it.
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let text = cleaner.clean(&bytes[..read]);
            log.write(&text);
            self.lock().text.push_str(&text);
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Console> {
        self.console.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        console: MutexGuard<'a, Console>,
        timeout: Duration,
    ) -> MutexGuard<'a, Console> {
        self.changed.wait_timeout(console, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A log whose lines begin with the seconds since the start.
#[derive(Debug)]
struct TimedLog {
    file: File,
    start: Instant,
    at_line_start: bool,
}

impl TimedLog {
    fn write(&mut self, text: &str) {
        let elapsed = clock::instant().duration_since(self.start);
        let stamped = stamp(text, elapsed, &mut self.at_line_start);
        // The text is kept in memory too; a full disk must not stop the machine.
        drop(self.file.write_all(stamped.as_bytes()));
    }
}

fn stamp(text: &str, elapsed: Duration, at_line_start: &mut bool) -> String {
    let mut stamped = String::new();
    for piece in text.split_inclusive('\n') {
        if *at_line_start {
            stamped.push_str(&format!("{:7.1} ", elapsed.as_secs_f64()));
        }
        stamped.push_str(piece);
        *at_line_start = piece.ends_with('\n');
    }
    stamped
}

/// Returns which text appears first at or after `from`, and where it ends.
fn earliest(text: &str, from: usize, wanted: &[&str]) -> Option<(usize, usize)> {
    let rest = &text[from..];
    wanted
        .iter()
        .enumerate()
        .filter_map(|(index, w)| rest.find(w).map(|at| (at, index, from + at + w.len())))
        .min()
        .map(|(_, index, end)| (index, end))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let skip = lines.len().saturating_sub(TAIL_LINES);
    lines[skip..].iter().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_that_appears_first_wins() {
        assert_eq!(earliest("abc panic login:", 0, &["login:", "panic"]), Some((1, 9)));
        assert_eq!(earliest("abc panic login:", 9, &["login:", "panic"]), Some((0, 16)));
        assert_eq!(earliest("abc", 0, &["d"]), None);
    }

    #[test]
    fn every_line_of_the_log_has_one_time() {
        let mut start = true;
        let at = Duration::from_millis(12_340);
        assert_eq!(stamp("a\nb", at, &mut start), "   12.3 a\n   12.3 b");
        assert_eq!(stamp("c\n", at, &mut start), "c\n");
        assert_eq!(stamp("d\n", at, &mut start), "   12.3 d\n");
    }

    #[test]
    fn the_tail_leaves_out_empty_lines() {
        assert_eq!(tail("a\n\n  \nb\n"), "    a\n    b");
    }

    #[test]
    fn the_console_ends_with_its_stream() {
        let shared = Shared::default();
        let log = tempfile::tempfile().unwrap();
        shared.pump(&b"one\r\ntwo"[..], log);
        assert!(shared.lock().ended);
        assert_eq!(shared.lock().text, "one\ntwo");
    }
}
