//! Compiles the corpus with the built compiler, and compares with what the reference made of it.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
#[expect(dead_code, reason = "other tests need more of a case")]
mod cases;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod parallel;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod runs;
