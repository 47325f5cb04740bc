//! Spreads work over the processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Applies a function to all items, with as many threads as there are processors. The results are
/// in the order of the items.
pub(crate) fn in_parallel<'i, I: Sync, T: Send>(
    items: &'i [I],
    work: impl Fn(&'i I) -> Vec<T> + Sync,
) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(n) else { break };
                    let found = work(item);
                    results.lock().unwrap().push((n, found));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(n, _)| *n);
    results.into_iter().flat_map(|(_, found)| found).collect()
}
