//! Drives the built compiler.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
mod command;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod support;
#[cfg(test)]
mod variants;
