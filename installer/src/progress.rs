//! How far the work is: a bar that redraws on a terminal, a line every few seconds elsewhere, or
//! JSON lines on a file descriptor for a program that shows them.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nestos_host::{clock, term};
use serde_json::{Value, json};

const LINE_EVERY: Duration = Duration::from_secs(5);
const EVENT_EVERY: Duration = Duration::from_millis(200);
const MIB: u64 = 1024 * 1024;

/// A step whose length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The image goes to the disk.
    Write,
    /// What was written is read back.
    Verify,
    /// A file is downloaded.
    Download,
}

impl Phase {
    /// Returns the name that programs see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Verify => "verify",
            Self::Download => "download",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Write => "written",
            Self::Verify => "read back",
            Self::Download => "downloaded",
        }
    }
}

/// Where JSON lines go; each has a key `event`.
#[derive(Clone)]
pub struct Events(Arc<Mutex<File>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Writes lines to a file, a pipe or a socket.
    pub fn new(to: File) -> Self {
        Self(Arc::new(Mutex::new(to)))
    }

    /// Writes one event. A reader that went away must not stop an installation.
    pub fn send(&self, event: &Value) {
        let line = format!("{event}\n");
        if let Ok(mut file) = self.0.lock() {
            drop(file.write_all(line.as_bytes()));
        }
    }
}

/// Who hears of the progress.
#[derive(Debug, Clone, Default)]
pub enum Audience {
    /// A person, on stderr: a bar on a terminal, else lines.
    #[default]
    Person,
    /// A person who wants lines only.
    Lines,
    /// A program.
    Program(Events),
    /// Nobody.
    Nobody,
}

impl Audience {
    /// Tells a program of a failure.
    pub fn failed(&self, error: &anyhow::Error) {
        self.event(&json!({"event": "failed", "error": format!("{error:#}")}));
    }

    /// Tells a program of an event; persons read messages instead.
    pub fn event(&self, event: &Value) {
        if let Self::Program(events) = self {
            events.send(event);
        }
    }
}

/// The progress of one installation, phase after phase.
#[derive(Debug, Default)]
pub struct Progress {
    audience: Audience,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    phase: Phase,
    total: u64,
    start: Instant,
    /// When something was said last.
    last: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Reports to `audience`.
    pub fn new(audience: Audience) -> Self {
        Self { audience, running: None }
    }

    /// Starts a phase with `total` bytes to go through.
    pub fn start(&mut self, phase: Phase, total: u64) {
        let start = clock::instant();
        let bar = matches!(self.audience, Audience::Person) && term::is_interactive();
        let bar = bar.then(|| bar_of(total));
        self.running = Some(Running { phase, total, start, last: start, bar });
        self.tell(0);
    }

    /// Says that `done` bytes are through.
    pub fn set(&mut self, done: u64) {
        let Some(running) = &mut self.running else { return };
        if let Some(bar) = &running.bar {
            bar.set_position(done);
            return;
        }
        let pause = match self.audience {
            Audience::Program(_) => EVENT_EVERY,
            _ => LINE_EVERY,
        };
        let now = clock::instant();
        if now.duration_since(running.last) >= pause {
            running.last = now;
            self.tell(done);
        }
    }

    /// Says that the phase is through.
    pub fn finish(&mut self) {
        let Some(running) = &self.running else { return };
        let total = running.total;
        match &running.bar {
            Some(bar) => {
                bar.set_position(total);
                bar.finish();
                // The bar leaves the cursor at its end.
                term::status("");
            }
            None => self.tell(total),
        }
        self.running = None;
    }

    fn tell(&self, done: u64) {
        let Some(Running { phase, total, start, bar, .. }) = &self.running else { return };
        let elapsed = clock::instant().duration_since(*start);
        match &self.audience {
            Audience::Program(events) => events.send(&json!({
                "event": "progress",
                "phase": phase.name(),
                "done": done,
                "total": total,
                "seconds": elapsed.as_secs_f64(),
            })),
            Audience::Person | Audience::Lines if bar.is_none() && done > 0 => {
                term::status(line(*phase, done, *total, elapsed));
            }
            _ => {}
        }
    }
}

fn bar_of(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template(
        "{percent:>3}% [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}",
    );
    let style = style.unwrap_or_else(|_broken_template| ProgressStyle::default_bar());
    // Serial consoles and the kernel's own have no glyphs for finer bars.
    bar.set_style(style.progress_chars("=> "));
    bar
}

fn line(phase: Phase, done: u64, total: u64, elapsed: Duration) -> String {
    let millis = elapsed.as_millis().max(1);
    let rate = u128::from(done) * 1000 / millis;
    let percent = done * 100 / total.max(1);
    let mut text = format!(
        "{} {} of {} MiB ({percent}%), {} MiB/s",
        phase.verb(),
        done / MIB,
        total / MIB,
        rate / u128::from(MIB)
    );
    if done < total && rate > 0 {
        text.push_str(&format!(", {} s left", u128::from(total - done) / rate));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_share_rate_and_time_left() {
        assert_eq!(
            line(Phase::Write, 256 * MIB, 1024 * MIB, Duration::from_secs(2)),
            "written 256 of 1024 MiB (25%), 128 MiB/s, 6 s left"
        );
        assert_eq!(
            line(Phase::Verify, 1024 * MIB, 1024 * MIB, Duration::from_secs(8)),
            "read back 1024 of 1024 MiB (100%), 128 MiB/s"
        );
    }

    #[test]
    fn a_program_gets_one_json_object_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let events = Events::new(file.reopen().unwrap());
        let mut progress = Progress::new(Audience::Program(events));
        progress.start(Phase::Write, 10);
        progress.finish();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let done: Vec<_> = lines.iter().map(|l| l["done"].as_u64().unwrap()).collect();
        assert_eq!(done, [0, 10]);
        assert_eq!((&lines[1]["event"], &lines[1]["phase"]), (&json!("progress"), &json!("write")));
    }
}
