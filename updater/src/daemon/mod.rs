//! The service: follows the tag of the booted image, stages what is new, and reboots when the
//! strategy allows it. [`step::step`] decides, [`run::run`] acts.

pub mod calendar;
pub mod config;
pub mod event;
mod fragment;
pub mod machine;
pub mod paths;
pub mod policy;
pub mod run;
pub mod state;
pub mod state_file;
pub mod step;
