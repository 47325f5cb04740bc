//! The one place that asks what time it is; everything else takes time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the wall-clock time.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns a monotonic instant, for durations and timeouts.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Returns `t` as whole seconds since 1970-01-01 UTC; times before that are 0.
pub fn unix_seconds(t: SystemTime) -> u64 {
    t.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
