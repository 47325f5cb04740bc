//! Exit statuses, one meaning each across all tools.

use std::process::ExitCode;

/// What a tool tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed; a bad input file included.
    Failed = 1,
    /// Wrong usage of the command line (clap's own code).
    Usage = 2,
    /// Refused by policy; may work later.
    Refused = 3,
    /// Not supported on this system.
    Unsupported = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
