//! Decompiles Ignition configs and compiles them again.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
mod cases;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod corpus;
