//! cpio archives of the format `newc`, of which an initramfs consists (the kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst). The writer is deterministic:
//! parents come first, owner and times are zero. The reader takes one archive from any stream and
//! holds no more of it than one header and one name.

mod reader;
mod writer;

use thiserror::Error;

pub use reader::{Member, Reader};
pub use writer::{Content, Writer, archive};

/// Bytes of a header; the name follows.
pub const HEADER: usize = 110;
/// Name of the member that ends an archive.
pub const TRAILER: &str = "TRAILER!!!";
/// Headers and contents begin at multiples of this.
pub const ALIGNMENT: u64 = 4;

/// Bits of a mode that say what a member is.
pub const TYPE_MASK: u32 = 0o170_000;
/// Mode of a directory.
pub const DIRECTORY: u32 = 0o040_000;
/// Mode of a regular file.
pub const REGULAR: u32 = 0o100_000;

/// The kernel reads no longer names (`PATH_MAX`).
const LONGEST_NAME: u32 = 4096;

/// Why bytes are no archive.
#[derive(Debug, Error)]
pub enum CpioError {
    /// No header of this format.
    #[error("no cpio header of the format newc at byte {0} of the archive")]
    Magic(u64),
    /// A field of a header is no number.
    #[error("the header at byte {0} of the archive is damaged")]
    Field(u64),
    /// A name is empty or too long.
    #[error(
        "the name at byte {at} of the archive has {length} bytes; 2 to {LONGEST_NAME} are read"
    )]
    Name {
        /// Where the header is.
        at: u64,
        /// What it says.
        length: u32,
    },
    /// A name is not UTF-8.
    #[error("the name at byte {0} of the archive is not UTF-8")]
    Encoding(u64),
    /// The end is missing.
    #[error("the archive ends at byte {0}, within a member")]
    Cut(u64),
    /// The bytes cannot be had.
    #[error("cannot read the archive")]
    Read(#[source] std::io::Error),
}

impl From<std::io::Error> for CpioError {
    /// Takes out of an error of [`Reader::read`](std::io::Read::read) what it was made of.
    fn from(error: std::io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }
}

/// Returns how many bytes are missing to a multiple of [`ALIGNMENT`].
fn padding(at: u64) -> u64 {
    at.wrapping_neg() % ALIGNMENT
}

#[cfg(test)]
mod tests;
