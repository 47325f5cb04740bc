//! The service: what it decides, what a machine with it lives through, and its loop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod deployments;
mod model;
mod run;
mod step;
