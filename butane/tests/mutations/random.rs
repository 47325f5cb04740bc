//! Numbers that are the same in every run.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Set, this makes the tests try ten times as much; that takes minutes.
const ALL: &str = "NESTOS_BUTANE_ALL";

/// Returns how often to try what is usually tried `usually` times.
pub(crate) fn rounds(usually: usize) -> usize {
    if std::env::var_os(ALL).is_some() { 10 * usually } else { usually }
}

/// A sequence of numbers (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Returns the sequence of a case and a round.
    pub(crate) fn of(case: &str, round: usize) -> Self {
        let mut seed = DefaultHasher::new();
        (case, round).hash(&mut seed);
        Self(seed.finish())
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from((z ^ (z >> 31)) % end).unwrap()
    }

    /// Returns true once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Puts items in another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}
