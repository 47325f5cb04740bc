//! Downloads over http and https: bounded retries, redirects followed, the system's certificate
//! authorities trusted.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::term;
use nestos_host::term::WithHint;
use reqwest::blocking::{Client, Response};
use reqwest::{StatusCode, Url};
use thiserror::Error;

/// How long the other side may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

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

/// Returns a URL to show to people: without the password that may be in it.
pub fn shown(url: &Url) -> String {
    match url.password() {
        Some(password) => url.as_str().replacen(&format!(":{password}@"), ":(hidden)@", 1),
        None => url.to_string(),
    }
}

/// How often a download starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries(pub u32);

/// Starts a download and returns the body to read from.
pub fn open(url: &Url, retries: Retries) -> Result<Response> {
    let client = client(url)?;
    let mut pause = Duration::from_secs(1);
    let mut left = retries.0;
    loop {
        let reason = match attempt(&client, url) {
            Attempt::Body(response) => return Ok(response),
            Attempt::Failed(error) => return Err(error),
            Attempt::Again(reason) => reason,
        };
        if left == 0 {
            return Err(reason).hint("check the URL and the network, or raise --fetch-retries");
        }
        left -= 1;
        term::warning(format!("{reason:#}; trying again in {} s", pause.as_secs()));
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn client(url: &Url) -> Result<Client> {
    let builder = || {
        Client::builder()
            .user_agent(concat!("nestos-installer/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(SILENCE)
            .timeout(SILENCE)
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

enum Attempt {
    Body(Response),
    Again(anyhow::Error),
    Failed(anyhow::Error),
}

fn attempt(client: &Client, url: &Url) -> Attempt {
    let what = || format!("cannot fetch {}", shown(url));
    let response = match client.get(url.clone()).send() {
        Ok(response) => response,
        // The URL is in our own message already.
        Err(e) if e.is_redirect() || e.is_builder() => {
            return Attempt::Failed(anyhow::Error::new(e.without_url()).context(what()));
        }
        Err(e) => return Attempt::Again(anyhow::Error::new(e.without_url()).context(what())),
    };
    let status = response.status();
    if status.is_success() {
        return Attempt::Body(response);
    }
    let error = anyhow::anyhow!("the server answers {status}").context(what());
    let passing = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if passing { Attempt::Again(error) } else { Attempt::Failed(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        let shown = |text: &str| shown(&parse_url(text).unwrap());
        assert_eq!(shown("https://me:p%40ss@host/a:p"), "https://me:(hidden)@host/a:p");
        assert_eq!(shown("https://me@host/a"), "https://me@host/a");
    }
}
