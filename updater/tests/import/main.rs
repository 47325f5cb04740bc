//! Images are imported by the real program into real repositories and sysroots: each test has a
//! file system of its own, in a mount namespace that ends with it. This needs root.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod commit;
mod derived;
mod derived_odd;
mod disk_full;
mod faults;
mod image;
mod killed;
mod machine;
mod peer;
mod pull;
mod real;
mod registry;
#[expect(dead_code, reason = "these tests use a part of it")]
#[path = "../registry/server.rs"]
mod server;
mod tree;
mod verbs;
