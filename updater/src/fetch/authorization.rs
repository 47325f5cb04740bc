//! Who asks: Basic, or a token as of
//! <https://distribution.github.io/distribution/spec/auth/token/>. What was agreed on is kept until
//! the host refuses it.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::blocking::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::credentials::{Credential, Lookup, Secret};
use super::endpoint::Endpoint;
use super::failure::{Failure, authority};
use super::registries_conf::Trust;

/// Largest answer of a host that gives out tokens.
const LARGEST_TOKEN: u64 = 1 << 20;
/// By which name we ask for tokens.
const CLIENT: &str = "nestos-updater";

/// The credentials for one host, and what it last accepted. The value is marked as sensitive, so
/// that `Debug` hides it.
#[derive(Debug)]
pub(super) struct Authorization {
    credential: Option<Credential>,
    files: Vec<PathBuf>,
    accepted: Mutex<Option<HeaderValue>>,
}

impl Authorization {
    /// Starts with what the credential files say.
    pub(super) fn new(lookup: Lookup) -> Self {
        let Lookup { found, files } = lookup;
        Self { credential: found, files, accepted: Mutex::new(None) }
    }

    /// Returns what to send with the next request.
    pub(super) fn current(&self) -> Option<HeaderValue> {
        self.lock().clone()
    }

    /// Reads what the host wants.
    pub(super) fn challenges(&self, headers: &HeaderMap) -> Vec<Challenge> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        values.filter_map(|v| v.to_str().ok()).flat_map(challenge::parse).collect()
    }

    /// Finds what to send instead of what was refused; nothing when there is nothing better.
    pub(super) fn renew(
        &self,
        endpoint: &Endpoint,
        challenges: &[Challenge],
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Failure> {
        // Others wait: one token is enough for all.
        let mut accepted = self.lock();
        if accepted.as_ref() != refused {
            return Ok(accepted.clone());
        }
        let of = |scheme: &str| challenges.iter().find(|c| c.scheme == scheme);
        *accepted = if let Some(bearer) = of("bearer") {
            Some(self.token(endpoint, bearer)?)
        } else if of("basic").is_some() {
            self.basic().filter(|basic| Some(basic) != refused)
        } else {
            None
        };
        Ok(accepted.clone())
    }

    /// Returns what a person can do when access is denied.
    pub(super) fn advice(&self, host: &str) -> String {
        match &self.credential {
            Some(Credential { file, key, .. }) => format!(
                "the credentials came from {:?} in {}: check that they are still valid",
                key,
                file.display()
            ),
            None => {
                let files: Vec<_> = self.files.iter().map(|f| f.display().to_string()).collect();
                format!(
                    "no credentials for it are in any of {}; \
                     `podman login --authfile /etc/nestos/auth.json {host}` puts them there",
                    files.join(", ")
                )
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HeaderValue>> {
        // A thread that panicked left the old value or the new one.
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn basic(&self) -> Option<HeaderValue> {
        let Some(Secret::Password { user, password }) = self.secret() else { return None };
        sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    fn secret(&self) -> Option<&Secret> {
        self.credential.as_ref().map(|c| &c.secret)
    }

    fn token(&self, endpoint: &Endpoint, bearer: &Challenge) -> Result<HeaderValue, Failure> {
        let host = &endpoint.name.host;
        let realm = realm(bearer, endpoint.trust())
            .map_err(|e| Failure::last(e.context(format!("cannot log in to {host}"))))?;
        let response =
            self.token_request(endpoint, bearer, realm).send().map_err(|e| endpoint.failure(&e))?;
        let status = response.status();
        if status.is_client_error() {
            let place = authority(response.url());
            return Err(endpoint.denied(&format!("{place} gives out no token ({status})")));
        }
        let wrong = || Failure::last(anyhow!("cannot log in to {host}: the answer has no token"));
        if !status.is_success() {
            return Err(Failure::passing(anyhow!("cannot log in to {host}: {status}")));
        }
        let mut body = Vec::new();
        response.take(LARGEST_TOKEN).read_to_end(&mut body).map_err(|e| {
            Failure::passing(anyhow!("cannot log in to {host}: the answer broke off: {e}"))
        })?;
        let token = parse_token(&body).ok_or_else(wrong)?;
        sensitive(&format!("Bearer {token}")).ok_or_else(wrong)
    }

    fn token_request(
        &self,
        endpoint: &Endpoint,
        bearer: &Challenge,
        mut realm: Url,
    ) -> RequestBuilder {
        let scope = bearer.get("scope").map_or_else(|| endpoint.scope(), str::to_owned);
        let service = bearer.get("service").map(|s| ("service", s));
        let common = service.into_iter().chain([("scope", scope.as_str())]);
        if let Some(Secret::Identity(token)) = self.secret() {
            let own = [
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("refresh_token", token.as_str()),
            ];
            let mut form = realm.clone();
            form.query_pairs_mut().clear().extend_pairs(common.chain(own));
            let body = form.query().unwrap_or_default().to_owned();
            let request = endpoint.client().post(realm).body(body);
            return request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        realm.query_pairs_mut().extend_pairs(common);
        let request = endpoint.client().get(realm);
        match self.basic() {
            Some(basic) => request.header(AUTHORIZATION, basic),
            None => request,
        }
    }
}

/// Returns where tokens are given out. Credentials go there, so only with TLS.
fn realm(bearer: &Challenge, trust: Trust) -> Result<Url> {
    let text = bearer.get("realm").ok_or_else(|| anyhow!("it does not say where"))?;
    let url: Url =
        text.parse().map_err(|e| anyhow!("the realm {:?} is no URL: {e}", text.escape_debug()))?;
    let fine = match url.scheme() {
        "https" => true,
        "http" => trust == Trust::Insecure,
        _ => false,
    };
    if !fine || !url.username().is_empty() || url.password().is_some() {
        return Err(anyhow!(
            "it wants the credentials sent to {}://{}, which is not https",
            url.scheme(),
            url.host_str().unwrap_or_default()
        ));
    }
    Ok(url)
}

fn parse_token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.token.or(answer.access_token).filter(|token| !token.is_empty())
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(header: &str) -> Challenge {
        challenge::parse(header).remove(0)
    }

    #[test]
    fn credentials_go_only_to_https_unless_the_registry_is_insecure() {
        let plain = challenge("Bearer realm=\"http://auth.h/token\"");
        assert!(realm(&plain, Trust::Insecure).is_ok());
        assert_eq!(
            realm(&plain, Trust::Verified).unwrap_err().to_string(),
            "it wants the credentials sent to http://auth.h, which is not https"
        );
        assert!(realm(&challenge("Bearer realm=\"https://auth.h/t\""), Trust::Verified).is_ok());
        for bad in ["Bearer x=y", "Bearer realm=\"/token\"", "Bearer realm=\"file:///etc\""] {
            assert!(realm(&challenge(bad), Trust::Insecure).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_names_of_a_token_are_read() {
        assert_eq!(parse_token(br#"{"token":"a"}"#).unwrap(), "a");
        assert_eq!(parse_token(br#"{"token":null,"access_token":"b"}"#).unwrap(), "b");
        for bad in [&b""[..], b"{}", br#"{"token":""}"#, b"[]"] {
            assert_eq!(parse_token(bad), None);
        }
    }

    #[test]
    fn the_debug_output_hides_what_is_sent() {
        let secret = Secret::Password { user: "u".into(), password: "hush".into() };
        let found = Credential { file: "f".into(), key: "h".into(), secret };
        let authorization = Authorization::new(Lookup { found: Some(found), files: Vec::new() });
        *authorization.lock() = authorization.basic();
        let shown = format!("{authorization:?}");
        assert!(!shown.contains("hush") && !shown.contains("dTpodXNo"), "{shown}");
    }
}
