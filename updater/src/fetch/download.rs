//! A blob on its way: what breaks off or stalls goes on where it stopped, at another host if there
//! is one, and what was delivered once is not delivered twice.

use std::error::Error;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::CONTENT_RANGE;

use super::FetchError;
use super::endpoint::Ask;
use super::failure;
use super::registry::Hosts;

/// How much must have come since a failure for it to be forgotten.
const PROGRESS: u64 = 1 << 20;
/// How much is read at once of what was delivered before.
const SKIP: u64 = 64 << 10;

/// The body of a blob.
#[derive(Debug)]
pub(super) struct Download {
    hosts: Arc<Hosts>,
    ask: Ask,
    size: u64,
    delivered: u64,
    /// How many of the next bytes were delivered before, from a server without ranges.
    skip: u64,
    body: Option<Response>,
    failures: u32,
    since_failure: u64,
}

impl Download {
    /// Asks for a blob of `size` bytes.
    pub(super) fn open(hosts: Arc<Hosts>, ask: Ask, size: u64) -> Result<Self> {
        let (delivered, skip, failures, since_failure) = (0, 0, 0, 0);
        let body = None;
        let mut download =
            Self { hosts, ask, size, delivered, skip, body, failures, since_failure };
        download.connect()?;
        Ok(download)
    }

    fn connect(&mut self) -> Result<()> {
        self.ask.from = self.delivered;
        let response = match self.hosts.request(&self.ask) {
            Ok(response) => response,
            Err(e) if is_past_the_end(&e) => {
                return Err(anyhow!("it ends after {} of {} bytes", self.delivered, self.size)
                    .context(self.ask.what.clone()));
            }
            Err(e) => return Err(e),
        };
        let host = failure::authority(response.url());
        self.skip = self
            .offset(&response)
            .map_err(|reason| anyhow!("{host} {reason}").context(self.ask.what.clone()))?;
        self.body = Some(response);
        Ok(())
    }

    /// Returns how many bytes of an answer were delivered before.
    fn offset(&self, response: &Response) -> Result<u64, String> {
        let (start, total) = if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok());
            range.and_then(content_range).ok_or("sends a part, and does not say which")?
        } else {
            (0, response.content_length())
        };
        if let Some(total) = total.filter(|total| *total != self.size) {
            return Err(format!("has {total} bytes of it, and the manifest says {}", self.size));
        }
        let skip = self.delivered.checked_sub(start);
        skip.ok_or_else(|| format!("sends byte {start} when asked for byte {}", self.delivered))
    }

    /// Reads on. `None` means that nothing new came.
    fn step(&mut self, buf: &mut [u8]) -> Result<Option<usize>, String> {
        let stall = self.hosts.options.stall;
        let Some(body) = &mut self.body else { return Err("there is no connection".to_owned()) };
        if self.skip > 0 {
            let part = self.skip.min(SKIP);
            let n =
                io::copy(&mut body.take(part), &mut io::sink()).map_err(|e| cause(&e, stall))?;
            self.skip -= n;
            return if n == 0 { Ok(Some(0)) } else { Ok(None) };
        }
        match body.read(buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(e) => Err(cause(&e, stall)),
            Ok(n) => Ok(Some(n)),
        }
    }

    fn resume(&mut self, reason: String) -> io::Result<()> {
        self.body = None;
        let options = &self.hosts.options;
        if self.failures >= options.retries {
            let at = format!("after {} of {} bytes", self.delivered, self.size);
            let error = anyhow!("{reason} {at}, {} times", self.failures + 1);
            return Err(io::Error::other(error.context(format!(
                "cannot fetch {} from {}",
                self.ask.what,
                self.hosts.names()
            ))));
        }
        tracing::debug!(what = self.ask.what, reason, at = self.delivered, "download goes on");
        std::thread::sleep(options.backoff.saturating_mul(self.failures));
        self.failures += 1;
        self.since_failure = 0;
        self.hosts.prefer_another();
        self.connect().map_err(io::Error::other)
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let reason = match self.step(buf) {
                Ok(None) => continue,
                Ok(Some(n)) if n > 0 => {
                    self.delivered += n as u64;
                    self.since_failure += n as u64;
                    if self.since_failure >= PROGRESS {
                        self.failures = 0;
                    }
                    return Ok(n);
                }
                _ if self.delivered >= self.size => return Ok(0),
                Ok(Some(_)) => "the connection ends".to_owned(),
                Err(reason) => reason,
            };
            self.resume(reason)?;
        }
    }
}

/// Returns why a body broke off.
pub(super) fn cause(e: &io::Error, stall: Duration) -> String {
    let inner = e.get_ref().map(|inner| inner as &(dyn Error + 'static));
    let http = inner.and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    match http {
        Some(e) if e.is_timeout() => format!("no bytes come for {} s", stall.as_secs_f32()),
        Some(e) => failure::deepest(e),
        None => e.to_string(),
    }
}

fn is_past_the_end(e: &anyhow::Error) -> bool {
    let status = StatusCode::RANGE_NOT_SATISFIABLE.as_u16();
    matches!(e.downcast_ref(), Some(FetchError::Answer { status: found, .. }) if *found == status)
}

/// Reads `bytes START-END/TOTAL`; the total may be unknown.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, _end) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.trim().parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_of_answers_are_read() {
        for (text, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 5-9/*", Some((5, None))),
            ("bytes */10", None),
            ("bytes 5-9", None),
            ("items 5-9/10", None),
            ("bytes x-9/10", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_range_is_read_or_refused(text in "(bytes )?[0-9*/ -]{0,30}") {
            content_range(&text);
        }
    }
}
