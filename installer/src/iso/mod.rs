//! Live ISO images: what can be changed in them, and how.

mod journal;
pub mod kargs_areas;
pub mod live_iso;
pub mod patch;
pub mod volume;
