//! Random choices that can be repeated: the seed is printed, and taken from `NESTOS_TEST_SEED`.

use nestos_host::{clock, term};

const VARIABLE: &str = "NESTOS_TEST_SEED";

/// A source of random numbers (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// Starts with the seed of the environment or of the clock, and prints it.
    pub(crate) fn of(test: &str) -> Self {
        let clock = || clock::unix_seconds(clock::now());
        let given = std::env::var(VARIABLE).ok();
        let seed = given.map_or_else(clock, |text| text.parse().expect("a seed is a number"));
        term::status(format!("{test}: to repeat it, set {VARIABLE}={seed}"));
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Takes `count` of the values, in their order.
    pub(crate) fn pick<T>(&mut self, mut values: Vec<T>, count: usize) -> Vec<T> {
        while values.len() > count {
            let out = self.below(values.len() as u64);
            values.remove(usize::try_from(out).unwrap());
        }
        values
    }
}
