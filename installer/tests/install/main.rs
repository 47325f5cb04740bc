//! The built binaries on disks made of files; with root and loop devices, on block devices too.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod broken_disk;
mod broken_source;
mod busy;
mod chance;
mod crash;
mod docs;
mod faults;
mod fetch;
mod file;
mod first_boot;
mod gpg;
mod judge;
mod keyrings;
mod manual;
mod option_files;
mod osmet;
mod release;
mod resume;
mod saved;
mod scene;
mod selectors;
mod server;
mod signatures;
mod signed;
mod storage;
mod strace;
mod streams;
mod support;
mod system;
mod wipe;
mod wizard;
mod write_log;
