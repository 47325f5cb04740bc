//! The metal image of a live medium: not stored a second time, but put together from the objects
//! of the system that is running and a small file (see [`nestos_formats::osmet`]). The image is
//! the one that was packed, bit by bit: its digest says so while it is written.

mod extract;
mod pack;
mod rebuild;
mod repository;

pub use extract::extract;
pub use pack::{Effort, PackRequest, pack};
pub use rebuild::Rebuild;
pub use repository::Repository;
