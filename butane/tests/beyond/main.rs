//! Drives the built compiler where it does more than the reference.

// The attribute tells clippy that helpers are tests too.
#[cfg(test)]
mod cases;
