//! What a build is doing: one line when a step starts, one with its time when it ends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nestos_host::{clock, term};

/// The steps of one run.
#[derive(Debug)]
pub(crate) struct Steps {
    start: Instant,
}

impl Steps {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self { start: clock::instant() }
    }

    /// Runs a step; `work` returns its result and a few words about it.
    pub(crate) fn run<T>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        term::status(format!("==> {name}"));
        let start = clock::instant();
        let (value, detail) = work().with_context(|| format!("step \"{name}\" failed"))?;
        let took = seconds(clock::instant() - start);
        let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
        term::status(format!("    {took} {name}{detail}"));
        Ok(value)
    }

    /// Returns the time since the start, for people.
    pub(crate) fn total(&self) -> String {
        seconds(clock::instant() - self.start)
    }
}

fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

/// Prints a number of bytes for people.
pub(crate) fn bytes(n: u64) -> String {
    let mib = n / (1024 * 1024);
    if mib >= 10 { format!("{mib} MiB") } else { format!("{} KiB", n / 1024) }
}
