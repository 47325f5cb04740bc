//! Writes NestOS to a disk. `nestos-installer` is the command, `installnestos` the conversation;
//! both end in [`install::run`].
//!
//! The order of things is the safety model: everything that can be checked is checked before the
//! disk is touched; then the disk loses its old tables; the image's first MiB stays in memory until
//! the whole image was read and verified and `/boot` is edited. See docs/installer.md.

mod body;
pub mod boot;
pub mod checked;
mod chunk;
pub mod cli;
pub mod config;
pub mod customize;
pub mod decode;
pub mod dev;
pub mod digest;
pub mod download;
pub mod fiemap;
pub mod findings;
pub mod first_boot;
pub mod initrd;
pub mod install;
pub mod iso;
pub mod list_stream;
pub mod live;
pub mod man;
pub mod miniso;
pub mod options;
pub mod osmet;
pub mod progress;
pub mod pxe;
pub mod read_back;
pub mod recreated;
pub mod request;
pub mod restart;
pub mod saved;
pub mod selector;
pub mod source;
pub mod stdout;
mod stored;
pub mod stream;
pub mod trust;
pub mod wizard;
pub mod write;

pub use nestos_fetch as fetch;
