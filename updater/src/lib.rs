//! Moves a node to another OCI image and back: imports encapsulated ostree commits, stages
//! deployments, follows a tag, judges what was booted.

pub mod cli;
pub mod daemon;
pub mod fetch;
pub mod health;
pub mod import;
pub mod progress;
pub mod status;
pub mod sysroot;
pub mod verbs;
