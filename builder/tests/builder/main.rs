//! The built nosa. Bad input and faults: each ends with one clear error and leaves nothing half made. Where a test
//! needs packages, a tiny distribution is made of the host's programs.

#![expect(clippy::unwrap_used, reason = "a test ends where an unwrap does")]

mod compress;
mod config;
mod container;
mod distribution;
mod images;
mod live;
mod packages;
mod registry;
mod release_meta;
mod tree;
mod working_directory;
mod workshop;
