//! The body of a download, which reconnects and goes on when the connection breaks.

use std::fmt;
use std::io::{self, Cursor, Read};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use nestos_host::term::WithHint;
use reqwest::Url;
use reqwest::blocking::{Client, Response};

use super::answer::{Attempt, Entity, ask};
use super::{Terms, client, shown};

/// How much of a body tells whether it is a web page.
const START: u64 = 256;

/// A file that is being downloaded. Reading it ends where the file ends: a body that ends before
/// is an error of the kind [`io::ErrorKind::ConnectionAborted`], as are all others here.
pub struct Download {
    client: Client,
    url: Url,
    terms: Terms,
    /// What the first answer said.
    entity: Option<Entity>,
    /// The first bytes, which were looked at already.
    start: Cursor<Vec<u8>>,
    /// Where in the file the next byte of `body` belongs.
    at: u64,
    body: Body,
    /// In a row, without a new byte.
    failures: u32,
}

enum Body {
    Open(Box<Response>),
    Broken,
    Ended,
}

impl Download {
    /// Starts a download at the beginning of the file.
    pub fn begin(url: &Url, terms: Terms) -> Result<Self> {
        let mut download = Self::resume(url, 0, terms)?;
        let mut start = Vec::new();
        let read = download.by_ref().take(START).read_to_end(&mut start);
        read.with_context(|| format!("cannot fetch {}", shown(url)))?;
        if is_web_page(&start) {
            return Err(anyhow!("the server answers with a web page, not with a file"))
                .hint("check the URL; some networks show such a page to whoever is not logged in")
                .with_context(|| format!("cannot fetch {}", shown(url)));
        }
        download.start = Cursor::new(start);
        Ok(download)
    }

    /// Goes on with a file whose first `at` bytes are there. Nothing says yet that it is the
    /// same file: the whole must be verified.
    pub fn resume(url: &Url, at: u64, terms: Terms) -> Result<Self> {
        let mut download = Self {
            client: client(url, &terms)?,
            url: url.clone(),
            terms,
            entity: None,
            start: Cursor::default(),
            at,
            body: Body::Broken,
            failures: 0,
        };
        download.connect()?;
        Ok(download)
    }

    /// Returns the length of the whole file, if the server says it.
    pub fn length(&self) -> Option<u64> {
        self.entity.as_ref().and_then(|entity| entity.length)
    }

    /// Tries until there is a body that goes on at `at`, or the tries are used up.
    fn connect(&mut self) -> Result<()> {
        loop {
            let (reason, asked) = match ask(&self.client, &self.url, self.at, self.entity.as_ref())
            {
                Attempt::Complete => {
                    self.body = Body::Ended;
                    return Ok(());
                }
                Attempt::Failed(error) => return Err(error),
                Attempt::Again { reason, pause } => (reason, pause),
                Attempt::Body { mut body, skip, entity } => match skim(&mut body, skip) {
                    Ok(()) => {
                        self.entity.get_or_insert(entity);
                        self.body = Body::Open(body);
                        return Ok(());
                    }
                    Err(e) => (self.broken(e), None),
                },
            };
            self.pause(reason, asked)?;
        }
    }

    /// Counts a failure and waits, unless it was one too many.
    fn pause(&mut self, reason: Error, asked: Option<Duration>) -> Result<()> {
        self.failures = self.failures.saturating_add(1);
        if !self.terms.retries.allow(self.failures) {
            return Err(reason).hint(self.terms.advice);
        }
        let pause = self.terms.patience.pause(self.failures, asked);
        let go_on = match self.at {
            0 => "trying again".to_owned(),
            at => format!("going on after {at} bytes"),
        };
        let causes = reason.chain().map(ToString::to_string);
        let causes: Vec<String> = causes.filter(|cause| !cause.starts_with("hint: ")).collect();
        (self.terms.tell)(&format!("{}; {go_on} in {} s", causes.join(": "), pause.as_secs()));
        thread::sleep(pause);
        Ok(())
    }

    fn broken(&self, cause: impl Into<Error>) -> Error {
        let of = self.length().map(|all| format!(" of {all}")).unwrap_or_default();
        let url = shown(&self.url);
        cause.into().context(format!("{url} breaks off after {}{of} bytes", self.at))
    }

    fn read_body(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            let cause = match &mut self.body {
                Body::Ended => return Ok(0),
                Body::Broken => {
                    self.connect()?;
                    continue;
                }
                Body::Open(body) => match body.read(buf) {
                    Ok(0) if self.length().is_none_or(|all| self.at >= all) => {
                        self.body = Body::Ended;
                        return Ok(0);
                    }
                    Ok(0) => anyhow!("the server ends the connection"),
                    Ok(n) => {
                        self.at += n as u64;
                        self.failures = 0;
                        return Ok(n);
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => e.into(),
                },
            };
            self.body = Body::Broken;
            self.pause(self.broken(cause), None)?;
        }
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let looked_at = self.start.read(buf)?;
        if looked_at > 0 || buf.is_empty() {
            return Ok(looked_at);
        }
        self.read_body(buf).map_err(|e| io::Error::new(io::ErrorKind::ConnectionAborted, e))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Download({}, at {})", shown(&self.url), self.at)
    }
}

/// Drops what a server that knows no ranges sends again.
fn skim(body: &mut Response, skip: u64) -> io::Result<()> {
    match io::copy(&mut body.take(skip), &mut io::sink())? {
        skipped if skipped == skip => Ok(()),
        skipped => Err(io::Error::other(format!(
            "sent again, it ends after {skipped} bytes, before the place to go on from"
        ))),
    }
}

fn is_web_page(start: &[u8]) -> bool {
    let text = start.trim_ascii_start().to_ascii_lowercase();
    text.starts_with(b"<!doctype html") || text.starts_with(b"<html")
}
