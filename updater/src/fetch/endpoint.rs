//! One host that an image is fetched from: which scheme, who asks, what is tried again.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nestos_formats::image_ref::RegistryName;
use nestos_host::term::WithHint;
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, RANGE};
use reqwest::{Method, StatusCode, Url};

use super::authorization::Authorization;
use super::certificates::Certificates;
use super::failure::{Again, Failure};
use super::registries_conf::{Place, Role, Trust};
use super::{Options, credentials};

/// Longest pause between two attempts, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// `GET` or `HEAD`.
    pub(super) method: Method,
    /// Path below the repository, such as `manifests/v1`.
    pub(super) path: String,
    /// The same for people, such as `tag nestos:v1`.
    pub(super) what: String,
    /// What may be answered.
    pub(super) accept: Option<&'static str>,
    /// The first byte that is wanted.
    pub(super) from: u64,
}

/// A host, and the image's name there.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: RegistryName,
    trust: Trust,
    pub(super) role: Role,
    client: Client,
    scheme: OnceLock<&'static str>,
    pub(super) authorization: Authorization,
    pub(super) options: Options,
}

/// How often a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// As often as the options say.
    Usual,
    /// Not at all: another host can be asked.
    Not,
}

impl Endpoint {
    /// Prepares the requests to a place; none is made yet.
    pub(super) fn new(place: Place, options: &Options) -> Result<Self> {
        let Place { name, trust, role } = place;
        let certificates = Certificates::load(&options.root, &name.host)?;
        let client = client(certificates, trust, options)
            .with_context(|| format!("cannot set up the connection to {}", name.host))?;
        let authorization = Authorization::new(credentials::look_up(&name, options)?);
        let (scheme, options) = (OnceLock::new(), options.clone());
        Ok(Self { name, trust, role, client, scheme, authorization, options })
    }

    /// Sends a request until it is answered with success.
    pub(super) fn request(&self, ask: &Ask, repeat: Repeat) -> Result<Response> {
        let mut left = if repeat == Repeat::Usual { self.options.retries } else { 0 };
        let mut pause = self.options.backoff;
        loop {
            let Failure { error, again } = match self.attempt(ask) {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let wait = match again {
                Again::Later if left > 0 => pause,
                Again::After(wait) if left > 0 => wait.max(pause),
                Again::Never | Again::Later | Again::After(_) => return Err(error),
            };
            left -= 1;
            let wait = wait.min(LONGEST_PAUSE);
            tracing::debug!(host = %self.name.host, reason = %error, ?wait, "request is repeated");
            std::thread::sleep(wait);
            pause = pause.saturating_mul(2);
        }
    }

    fn attempt(&self, ask: &Ask) -> Result<Response, Failure> {
        let authorization = self.authorization.current();
        let response = self.exchange(ask, authorization.as_ref())?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_own(response.url()) {
            return self.judge(ask, response);
        }
        let challenges = self.authorization.challenges(response.headers());
        let renewed = self.authorization.renew(self, &challenges, authorization.as_ref())?;
        match renewed {
            Some(renewed) => self.judge(ask, self.exchange(ask, Some(&renewed))?),
            None => self.judge(ask, response),
        }
    }

    /// Sends a request once. Without TLS only when the host is declared insecure, and then only
    /// after TLS was tried.
    fn exchange(
        &self,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failure> {
        let schemes: &[&'static str] = match (self.scheme.get(), self.trust) {
            (Some(known), _) => std::slice::from_ref(known),
            (None, Trust::Verified) => &["https"],
            (None, Trust::Insecure) => &["https", "http"],
        };
        let mut reasons = Vec::new();
        for scheme in schemes {
            match self.send(scheme, ask, authorization) {
                Ok(response) => {
                    self.scheme.get_or_init(|| scheme);
                    return Ok(response);
                }
                Err(e) if e.is_connect() && self.trust == Trust::Insecure => reasons.push(e),
                Err(e) => return Err(self.failure(&e)),
            }
        }
        match reasons.last() {
            Some(e) => Err(self.failure(e)),
            None => Err(Failure::last(anyhow!("cannot reach {}", self.name.host))),
        }
    }

    fn send(
        &self,
        scheme: &str,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
    ) -> reqwest::Result<Response> {
        let RegistryName { repository, .. } = &self.name;
        let url =
            format!("{scheme}://{}/v2/{}/{}", self.api_host(), self.full(repository), ask.path);
        let mut request = self.client.request(ask.method.clone(), url);
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if ask.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", ask.from));
        }
        request.send()
    }

    /// The host that serves the API; docker.io is only a name.
    fn api_host(&self) -> &str {
        match self.name.host.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        }
    }

    fn full(&self, repository: &str) -> String {
        if self.api_host() != self.name.host && !repository.contains('/') {
            return format!("library/{repository}");
        }
        repository.to_owned()
    }

    /// Returns the client, for requests to the host that gives out tokens.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns how much the host is believed.
    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    /// Returns what a token must be for when the host does not say it.
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.full(&self.name.repository))
    }

    /// Returns whether a URL is of the host itself, and not of one that it sent us to.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        let own = format!("{}://{}", url.scheme(), self.api_host()).parse::<Url>();
        own.is_ok_and(|own| {
            own.host_str() == url.host_str()
                && own.port_or_known_default() == url.port_or_known_default()
        })
    }
}

fn client(certificates: Certificates, trust: Trust, options: &Options) -> Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("nestos-updater/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect)
        // Of a blocking client this limits each wait for bytes, not the whole transfer.
        .timeout(options.stall)
        // With HTTP/2 a connection that stalls would be used again for the next attempt, too.
        .http1_only()
        .referer(false)
        .tls_certs_merge(certificates.authorities);
    if let Some(identity) = certificates.identity {
        builder = builder.identity(identity);
    }
    let builder = match trust {
        Trust::Verified => builder.https_only(true),
        Trust::Insecure => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.build().hint("install the system's certificate authorities (package ca-certificates)")
}
