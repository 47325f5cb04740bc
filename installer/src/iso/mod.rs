//! Live ISO images: what can be changed in them, and how.

pub mod commands;
mod journal;
pub mod kargs_areas;
pub mod kargs_edit;
pub mod live_iso;
pub mod patch;
pub mod volume;
