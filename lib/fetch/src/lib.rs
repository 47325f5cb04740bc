//! Downloads over http and https: bodies as they are sent, redirects followed but never to less
//! encryption, the system's certificate authorities trusted. What breaks off goes on where it
//! was (RFC 9110, section 14).

use std::io::Read;

use anyhow::{Context, Result, bail};
use nestos_host::term::WithHint;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use thiserror::Error;

mod answer;
mod download;
mod retries;
mod terms;

pub use answer::{Changed, Refused};
pub use download::Download;
pub use retries::{Patience, Retries, RetriesError};
pub use terms::{Terms, Trust};

/// More redirects in a row are a loop.
const MOST_REDIRECTS: usize = 10;

/// A text that is no URL to download from.
#[derive(Debug, Error)]
pub enum UrlError {
    /// No URL at all.
    #[error("{0}")]
    Syntax(String),
    /// Not http or https.
    #[error("scheme {0:?} is not supported; use http or https")]
    Scheme(String),
}

/// Reads an http or https URL.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    let url: Url = text.parse().map_err(|e| UrlError::Syntax(format!("{e}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(UrlError::Scheme(other.to_owned())),
    }
}

/// Returns a URL to show to people: without the password and the query that may be in it, either
/// of which may open doors.
pub fn shown(url: &Url) -> String {
    let text = url.as_str();
    let text = text.split_once(['?', '#']).map_or(text, |(before, _)| before);
    let text = match url.password() {
        Some(password) => text.replacen(&format!(":{password}@"), ":(hidden)@", 1),
        None => text.to_owned(),
    };
    if url.query().is_some_and(|q| !q.is_empty()) { text + "?(hidden)" } else { text }
}

/// Starts a download and returns the body to read from.
pub fn open(url: &Url, retries: Retries) -> Result<Download> {
    Download::begin(url, Terms::of(retries))
}

/// Fetches a small file whole; one that is longer than `limit` is an error.
pub fn bytes(url: &Url, retries: Retries, limit: u64) -> Result<Vec<u8>> {
    let mut download = open(url, retries)?;
    let too_long = || format!("{} is longer than {limit} bytes", shown(url));
    if download.length().is_some_and(|length| length > limit) {
        bail!(too_long());
    }
    let mut bytes = Vec::new();
    let read = download.by_ref().take(limit + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {}", shown(url)))?;
    if bytes.len() as u64 > limit {
        bail!(too_long());
    }
    Ok(bytes)
}

/// Fetches a small file whole, if the server has it.
pub fn bytes_if_there(url: &Url, retries: Retries, limit: u64) -> Result<Option<Vec<u8>>> {
    match bytes(url, retries, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.downcast_ref().is_some_and(is_absence) => Ok(None),
        Err(e) => Err(e),
    }
}

fn is_absence(Refused(status): &Refused) -> bool {
    [StatusCode::NOT_FOUND, StatusCode::GONE].contains(status)
}

/// Makes what sends the requests; proxies come from the environment.
fn client(url: &Url, terms: &Terms) -> Result<Client> {
    let patience = terms.patience;
    let builder = || {
        Client::builder()
            .user_agent(concat!("nestos-installer/", env!("CARGO_PKG_VERSION")))
            .tls_danger_accept_invalid_certs(terms.trust == Trust::Anyone)
            .connect_timeout(patience.silence)
            // Of each single read, not of the whole.
            .timeout(patience.silence)
            // The query of one server is nothing for the next.
            .referer(false)
            .redirect(redirects())
    };
    let built = match builder().build() {
        // A system without certificate authorities can still fetch without encryption.
        Err(_no_roots) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        other => other,
    };
    built
        .context("cannot set up encrypted downloads")
        .hint("install the system's certificate authorities (package ca-certificates)")
}

fn redirects() -> Policy {
    Policy::custom(|attempt| match objection(attempt.previous(), attempt.url()) {
        Some(objection) => attempt.error(objection),
        None => attempt.follow(),
    })
}

/// Returns what speaks against a redirect.
fn objection(previous: &[Url], to: &Url) -> Option<String> {
    let encrypted = previous.iter().any(|url| url.scheme() == "https");
    if encrypted && to.scheme() != "https" {
        Some(format!("it redirects to {}, which is not encrypted", shown(to)))
    } else if previous.len() > MOST_REDIRECTS {
        Some(format!("it redirects more than {MOST_REDIRECTS} times, now to {}", shown(to)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_in_urls_are_not_shown() {
        let shown = |text: &str| shown(&parse_url(text).unwrap());
        assert_eq!(shown("https://me:p%40ss@host/a:p"), "https://me:(hidden)@host/a:p");
        assert_eq!(shown("https://me@host/a"), "https://me@host/a");
        assert_eq!(shown("https://host/a?token=secret#part"), "https://host/a?(hidden)");
        assert_eq!(shown("https://host/a#part?"), "https://host/a");
    }

    #[test]
    fn redirects_never_lead_to_less_encryption() {
        let urls = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Url>>();
        let to = |text: &str| text.parse::<Url>().unwrap();
        let plain = to("http://mirror/a?token=secret");
        let objected = objection(&urls(&["https://host/a"]), &plain).unwrap();
        assert_eq!(objected, "it redirects to http://mirror/a?(hidden), which is not encrypted");
        assert!(objection(&urls(&["http://a/", "https://b/"]), &plain).is_some());
        assert_eq!(objection(&urls(&["http://host/a"]), &plain), None);
        assert_eq!(objection(&urls(&["https://host/a"]), &to("https://mirror/a")), None);
        assert!(objection(&urls(&["http://a/"; 11]), &plain).unwrap().contains("10 times"));
    }
}
