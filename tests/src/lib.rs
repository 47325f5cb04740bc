//! What the end-to-end suites share: the build and the binaries under test, disks with a past,
//! a web server, and checks inside a booted guest.
//!
//! The suites run what was built, they build nothing: `NESTOS_TEST_BUILD` names a build of
//! `nosa` (its `builds/latest/ARCH`, or the working directory above it) and `NESTOS_TEST_BIN` the
//! directory of the binaries. Without them they say that they were skipped.

mod checks;
mod derived;
pub mod guide;
mod installed;
mod keyboard;
pub mod no_such_disk;
mod registry;
mod shell;
mod site;
mod stale_disk;
mod suite;
mod web;

pub use checks::Checks;
pub use derived::{Layer, Layout};
pub use installed::{blank_disk, require_image_on, require_untouched};
pub use keyboard::{log_in_on_screen, type_text};
pub use registry::Registry;
pub use shell::Shell;
pub use site::NetworkSite;
pub use stale_disk::{LoopDevice, StaleDisk};
pub use suite::{BOOT_TIME, OFF_TIME, Suite, timed};
pub use web::{Trouble, WebServer};
