//! The rootfs on a server: http, https or tftp. Whom the server belongs to does not matter, since
//! every byte is verified; so a clock that is wrong or a private authority keeps no machine from
//! booting.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use nestos_fetch::{Download, Patience, Retries, Terms, Trust, UrlError};
use nestos_host::clock;
use nestos_host::term::WithHint;

use super::tftp::Tftp;
use crate::console;

const PATIENCE: Patience = Patience {
    silence: Duration::from_secs(30),
    first_pause: Duration::from_secs(2),
    longest_pause: Duration::from_secs(15),
};
/// How often the console hears how far it is.
const SAY: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// A file on a server, and how long it is if that is known.
pub(super) struct Remote {
    /// The bytes, unverified.
    pub(super) from: Box<dyn Read>,
    /// Length of the whole.
    pub(super) length: Option<u64>,
}

/// Connects, for as long as it takes; what cannot work is an error.
pub(super) fn open(url: &str) -> Result<Remote> {
    if url.starts_with("tftp://") {
        let file = Tftp::open(url, console::say)?;
        return Ok(Remote { length: file.length(), from: Box::new(file) });
    }
    let parsed = nestos_fetch::parse_url(url).map_err(|e| match e {
        UrlError::Scheme(scheme) => {
            anyhow!("scheme {scheme:?} is not supported; use http, https or tftp")
        }
        syntax => syntax.into(),
    });
    let parsed =
        parsed.hint("nestos.live.rootfs_url= takes the URL of the file …-live-rootfs.….img")?;
    let terms = Terms {
        patience: PATIENCE,
        trust: Trust::Anyone,
        tell: console::say,
        advice: "check nestos.live.rootfs_url= and the network",
        ..Terms::of(Retries::Infinite)
    };
    let file = Download::begin(&parsed, terms).hint("check nestos.live.rootfs_url=")?;
    Ok(Remote { length: file.length(), from: Box::new(file) })
}

/// Hands bytes on and says on the console how far it is.
pub(super) struct Progress<R> {
    from: R,
    done: u64,
    all: u64,
    said: Instant,
}

impl<R: Read> Progress<R> {
    /// Begins a transfer of about `all` bytes.
    pub(super) fn new(from: R, all: u64) -> Self {
        Self { from, done: 0, all, said: clock::instant() }
    }
}

impl<R: Read> Read for Progress<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.done += n as u64;
        let now = clock::instant();
        if now.duration_since(self.said) >= SAY {
            self.said = now;
            console::say(&format!(
                "Root file system: {} of {} MiB",
                self.done / MIB,
                self.all.div_ceil(MIB)
            ));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_is_not_supported_is_named_with_those_that_are() {
        let err = open("ftp://h/x").err().unwrap();
        assert!(format!("{err:#}").contains("\"ftp\" is not supported; use http, https or tftp"));
        assert!(open("nothing").is_err());
    }
}
