//! How far the write is: a bar that redraws on a terminal, a line every few seconds elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nestos_host::{clock, term};

const LINE_EVERY: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// The progress of one write.
#[derive(Debug)]
pub enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// In a log.
    Lines {
        /// Bytes in all.
        total: u64,
        /// When the write began.
        start: Instant,
        /// When a line was printed last.
        last: Instant,
    },
}

impl Progress {
    /// Starts with `total` bytes to write.
    pub fn start(total: u64) -> Self {
        if !term::is_interactive() {
            let start = clock::instant();
            return Self::Lines { total, start, last: start };
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template(
            "{percent:>3}% [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}",
        );
        let style = style.unwrap_or_else(|_broken_template| ProgressStyle::default_bar());
        // Serial consoles and the kernel's own have no glyphs for finer bars.
        bar.set_style(style.progress_chars("=> "));
        Self::Bar(bar)
    }

    /// Says that `done` bytes are written.
    pub fn set(&mut self, done: u64) {
        match self {
            Self::Bar(bar) => bar.set_position(done),
            Self::Lines { total, start, last } => {
                let now = clock::instant();
                if now.duration_since(*last) >= LINE_EVERY {
                    *last = now;
                    term::status(line(done, *total, now.duration_since(*start)));
                }
            }
        }
    }

    /// Says that everything is written.
    pub fn finish(self, total: u64) {
        match self {
            Self::Bar(bar) => {
                bar.finish();
                // The bar leaves the cursor at its end.
                term::status("");
            }
            Self::Lines { start, .. } => {
                term::status(line(total, total, clock::instant().duration_since(start)));
            }
        }
    }
}

fn line(done: u64, total: u64, elapsed: Duration) -> String {
    let millis = elapsed.as_millis().max(1);
    let rate = u128::from(done) * 1000 / millis;
    let percent = done * 100 / total.max(1);
    let mut text = format!(
        "written {} of {} MiB ({percent}%), {} MiB/s",
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
            line(256 * MIB, 1024 * MIB, Duration::from_secs(2)),
            "written 256 of 1024 MiB (25%), 128 MiB/s, 6 s left"
        );
        assert_eq!(
            line(1024 * MIB, 1024 * MIB, Duration::from_secs(8)),
            "written 1024 of 1024 MiB (100%), 128 MiB/s"
        );
    }
}
