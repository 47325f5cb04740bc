//! Keeps a program that holds secrets in memory from leaving them on a disk.

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Lets this program leave no core dump, whatever ends it, and keeps other users' programs from
/// reading its memory. A collector of core dumps that the kernel starts gets none either.
pub fn no_core_dumps() -> Result<()> {
    prctl::set_dumpable(false).context("cannot turn core dumps off")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("cannot turn core dumps off")
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn no_core_is_dumped_afterwards() {
        no_core_dumps().unwrap();
        assert!(!prctl::get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
    }
}
