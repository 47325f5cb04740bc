//! Checks the JSON Schemas with the corpus: what the compiler accepts, they accept; and what it
//! refuses for its structure, they refuse, with few exceptions.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
mod accepted;
#[cfg(test)]
#[path = "../corpus/cases.rs"]
#[expect(dead_code, reason = "these tests compile nothing, and so need no files and options")]
mod cases;
#[cfg(test)]
mod rejected;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod yaml;
