//! Changes the cases of the corpus by rules, and requires of the compiler what each rule implies:
//! nothing may depend on how the cases happen to be written.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
#[path = "../corpus/cases.rs"]
#[expect(dead_code, reason = "other tests need more of a case")]
mod cases;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod outcome;
#[cfg(test)]
#[path = "../corpus/parallel.rs"]
mod parallel;
#[cfg(test)]
mod random;
#[cfg(test)]
mod renames;
#[cfg(test)]
mod scalars;
#[cfg(test)]
mod styles;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod writer;
