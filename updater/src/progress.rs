//! Progress of an import: a bar on a terminal, a line every few seconds elsewhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use nestos_host::{clock, term};

use crate::import::Progress;

const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress on stderr.
#[derive(Debug, Default)]
pub struct Shown {
    bar: Mutex<Option<ProgressBar>>,
    total: AtomicU64,
    done: AtomicU64,
    line: Mutex<Option<Instant>>,
}

impl Progress for Shown {
    fn start(&self, fetch: usize, bytes: u64, present: usize) {
        term::status(format!(
            "fetching {fetch} layers ({:.1} MB); {present} are there already",
            megabytes(bytes)
        ));
        self.total.store(bytes, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        if term::is_interactive() && bytes > 0 {
            let bar = ProgressBar::new(bytes);
            let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_wrong| ProgressStyle::default_bar()),
            );
            if let Ok(mut slot) = self.bar.lock() {
                *slot = Some(bar);
            }
        }
        if let Ok(mut line) = self.line.lock() {
            *line = Some(clock::instant());
        }
    }

    fn bytes(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        let total = self.total.load(Ordering::Relaxed);
        if let Ok(Some(bar)) = self.bar.lock().as_deref() {
            bar.set_position(done);
            if done >= total {
                bar.finish_and_clear();
            }
            return;
        }
        // Whoever holds the lock prints; the others need not wait for it.
        let Ok(mut line) = self.line.try_lock() else { return };
        if line.is_some_and(|last| last.elapsed() >= LINE_EVERY) {
            *line = Some(clock::instant());
            term::status(format!("{:.1} of {:.1} MB", megabytes(done), megabytes(total)));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
