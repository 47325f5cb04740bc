//! Requests in vain: what a person reads about them, and whether the same request may succeed later.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use anyhow::anyhow;
use nestos_formats::image_ref::RegistryName;
use nestos_host::term::WithHint;
use reqwest::blocking::Response;
use reqwest::header::RETRY_AFTER;
use reqwest::{StatusCode, Url};

use super::FetchError;
use super::endpoint::{Ask, Endpoint};
use super::registries_conf::Role;

/// How much of an error's body is read.
const ERROR_BODY: u64 = 16 << 10;

/// Why a request was in vain.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: anyhow::Error,
    pub(super) again: Again,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// No.
    Never,
    /// Yes.
    Later,
    /// Yes, after this time.
    After(Duration),
}

impl Failure {
    /// A failure that repeating does not mend.
    pub(super) fn last(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), again: Again::Never }
    }

    /// A failure that may be over soon.
    pub(super) fn passing(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), again: Again::Later }
    }
}

impl Endpoint {
    /// Takes an answer if it is one of success.
    pub(super) fn judge(&self, ask: &Ask, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let host = &self.name.host;
        match status {
            StatusCode::NOT_FOUND => {
                let (what, host) = (ask.what.clone(), host.clone());
                Err(Failure::last(FetchError::NotFound { what, host }))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.denied(&format!("{status}{}", said(response))))
            }
            _ => {
                let passing = status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS]
                        .contains(&status);
                let again = match (passing, retry_after(&response)) {
                    (false, _) => Again::Never,
                    (true, None) => Again::Later,
                    (true, Some(wait)) => Again::After(wait),
                };
                let name = status.canonical_reason().map(|name| format!(" {name}"));
                let reason = name.unwrap_or_default() + &said(response);
                let (host, status, what) = (host.clone(), status.as_u16(), ask.what.clone());
                let error = FetchError::Answer { host, status, reason, what }.into();
                Err(Failure { error, again })
            }
        }
    }

    /// Makes the failure of a request that the host, or who gives out its tokens, refuses.
    pub(super) fn denied(&self, reason: &str) -> Failure {
        let RegistryName { host, repository, .. } = &self.name;
        let (host, repository) = (host.clone(), repository.clone());
        let hint = self.authorization.advice(&host);
        let denied = FetchError::Denied { host, repository, reason: reason.to_owned() };
        Failure { error: hinted(denied, hint), again: Again::Never }
    }

    /// Makes the failure of a request that was not answered.
    pub(super) fn failure(&self, e: &reqwest::Error) -> Failure {
        let elsewhere = e.url().filter(|url| !self.is_own(url)).map(authority);
        let own = elsewhere.is_none();
        let host = elsewhere.unwrap_or_else(|| self.name.host.clone());
        let reason = self.reason(e);
        let error = anyhow!("{reason}").context(format!("cannot reach {host}"));
        if e.is_builder() || e.is_redirect() {
            return Failure::last(error);
        }
        let of_tls = ["InvalidContentType", "certificate", "tls handshake", "HandshakeFailure"];
        if !e.is_connect() || !of_tls.iter().any(|word| reason.contains(word)) {
            return Failure::passing(error);
        }
        if reason.contains("invalid peer certificate") {
            let file = format!("/etc/containers/certs.d/{host}/ca.crt");
            let hint = format!("put the certificate of its authority into {file}");
            return Failure::last(hinted(error, hint));
        }
        Failure::last(if own { hinted(error, self.how_to_declare()) } else { error })
    }

    fn reason(&self, e: &reqwest::Error) -> String {
        if e.is_timeout() {
            let limit = if e.is_connect() { self.options.connect } else { self.options.stall };
            return format!("no answer within {} s", limit.as_secs_f32());
        }
        deepest(e)
    }

    fn how_to_declare(&self) -> String {
        let host = &self.name.host;
        if self.role == Role::Mirror {
            return format!(
                "if the mirror {host} has no TLS on purpose, add `insecure = true` to its \
                 [[registry.mirror]] in /etc/containers/registries.conf"
            );
        }
        format!(
            "if it has no TLS on purpose, declare that in \
             /etc/containers/registries.conf.d/50-insecure.conf:\n\
             [[registry]]\nlocation = \"{host}\"\ninsecure = true"
        )
    }
}

/// Returns host and port of a URL.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the cause of all causes, which is the one that says something.
pub(super) fn deepest(e: &reqwest::Error) -> String {
    let causes = std::iter::successors(e.source(), |e: &&(dyn Error + 'static)| (*e).source());
    causes.last().map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

fn hinted(error: impl Into<anyhow::Error>, hint: String) -> anyhow::Error {
    match Err::<(), _>(error).hint(hint) {
        Err(error) => error,
        Ok(()) => anyhow!("no error"),
    }
}

/// Returns what a registry says about an error, behind a colon.
fn said(response: Response) -> String {
    let mut body = Vec::new();
    if response.take(ERROR_BODY).read_to_end(&mut body).is_err() {
        // The status says enough.
        return String::new();
    }
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = json.pointer("/errors/0/message").and_then(serde_json::Value::as_str);
    message.map(|m| format!(": {}", m.escape_debug())).unwrap_or_default()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
