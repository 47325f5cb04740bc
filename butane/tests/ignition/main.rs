//! Compares this crate's check of Ignition configs with Ignition's own, `ignition-validate`.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
mod agreement;
#[cfg(test)]
#[path = "../corpus/cases.rs"]
#[expect(dead_code, reason = "other tests need more of a case")]
mod cases;
#[cfg(test)]
mod mutants;
#[cfg(test)]
#[path = "../corpus/parallel.rs"]
mod parallel;
#[cfg(test)]
mod tool;
