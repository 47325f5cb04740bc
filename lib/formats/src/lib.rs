//! File formats that two or more NestOS tools read or write: one module, one parser, one printer
//! each. Nothing here calls a clock, a file system, a network or a process.

mod bincode;
pub mod bls;
pub mod builds;
pub mod command_line;
pub mod console;
pub mod cpio;
pub mod disk_layout;
pub mod efi_boot;
pub mod grubenv;
pub mod image_note;
pub mod image_ref;
pub mod kargs;
pub mod live_media;
pub mod miniso;
pub mod osmet;
pub mod ostree;
pub mod platforms;
pub mod recreated;
pub mod stream_hash;
pub mod stream_metadata;
pub mod yaml;
