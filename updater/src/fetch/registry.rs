//! An image in a registry: its manifest and blobs over the distribution API
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>), from mirrors first.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::image_ref::RegistryName;
use oci_spec::image::Descriptor;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};

use super::download::{self, Download};
use super::endpoint::{Ask, Endpoint, Repeat};
use super::manifest::{self, Kind};
use super::registries_conf::RegistriesConf;
use super::verified::{self, Verified};
use super::{FetchError, ImageSource, Options, RawManifest};

/// Header with the digest of a manifest.
const DIGEST: &str = "docker-content-digest";

/// An image in a registry.
#[derive(Debug)]
pub(super) struct Registry {
    name: RegistryName,
    arch: String,
    hosts: Arc<Hosts>,
}

/// The hosts that have an image, in the order to ask them.
#[derive(Debug)]
pub(super) struct Hosts {
    endpoints: Vec<Endpoint>,
    /// The one that answered last: a mirror that is away costs its time once.
    preferred: AtomicUsize,
    pub(super) options: Options,
}

impl Registry {
    /// Finds out whom to ask, and with which credentials.
    pub(super) fn open(name: RegistryName, options: &Options) -> Result<Self> {
        let places = RegistriesConf::load(&options.root)?.places(&name)?;
        let endpoints = places.into_iter().map(|place| Endpoint::new(place, options));
        let endpoints = endpoints.collect::<Result<Vec<_>>>()?;
        let hosts = Hosts { endpoints, preferred: AtomicUsize::new(0), options: options.clone() };
        Ok(Self { name, arch: options.arch.clone(), hosts: Arc::new(hosts) })
    }

    fn ask(&self, method: Method, reference: &str) -> Ask {
        let repository = &self.name.repository;
        let what = if reference.contains(':') {
            format!("manifest {repository}@{reference}")
        } else {
            format!("tag {repository}:{reference}")
        };
        let path = format!("manifests/{reference}");
        Ask { method, path, what, accept: Some(manifest::ACCEPT), from: 0 }
    }

    /// Fetches what a tag or digest names, and verifies it.
    fn fetch(&self, reference: &str) -> Result<RawManifest> {
        let ask = self.ask(Method::GET, reference);
        let context = || format!("cannot read {} from {}", ask.what, self.hosts.names());
        let (claimed, bytes) = self.read(&ask)?;
        if bytes.len() as u64 > manifest::LARGEST {
            return Err(anyhow!("it is larger than {} bytes", manifest::LARGEST))
                .with_context(context);
        }
        let digest = manifest::digest_of(&bytes);
        let expected = self.asked_digest(reference).or(claimed.as_deref());
        if let Some(expected) = expected.filter(|e| *e != digest) {
            return Err(anyhow!("it has the digest {digest}, not {expected}"))
                .with_context(context);
        }
        Ok(RawManifest { digest, bytes })
    }

    /// Reads the answer to its end, again when it breaks off.
    fn read(&self, ask: &Ask) -> Result<(Option<String>, Vec<u8>)> {
        let Options { stall, retries, backoff, .. } = self.hosts.options;
        let mut broke_off = 0;
        loop {
            let response = self.hosts.request(ask)?;
            let claimed = claimed_digest(response.headers());
            let mut bytes = Vec::new();
            match response.take(manifest::LARGEST + 1).read_to_end(&mut bytes) {
                Ok(_) => return Ok((claimed, bytes)),
                Err(e) if broke_off >= retries => {
                    let context = format!("cannot read {} from {}", ask.what, self.hosts.names());
                    return Err(anyhow!("{}", download::cause(&e, stall)).context(context));
                }
                Err(_again) => std::thread::sleep(backoff.saturating_mul(broke_off)),
            }
            broke_off += 1;
        }
    }

    /// Names the image, and the hosts when they may be others than its name says.
    fn place(&self) -> String {
        let hosts = self.hosts.names();
        if hosts == self.name.host {
            self.name.to_string()
        } else {
            format!("{} at {hosts}", self.name)
        }
    }

    fn asked_digest<'a>(&self, reference: &'a str) -> Option<&'a str> {
        reference.contains(':').then_some(reference)
    }
}

impl ImageSource for Registry {
    fn manifest(&self) -> Result<RawManifest> {
        let first = self.fetch(self.name.reference())?;
        let context = || format!("cannot use {}", self.name);
        match manifest::parse(&first.bytes).with_context(context)? {
            Kind::Image => Ok(first),
            Kind::Index(entries) => {
                let entry = manifest::choose(&entries, &self.arch).with_context(context)?;
                if !nestos_formats::image_ref::is_digest(&entry.digest) {
                    return Err(anyhow!("its index names no sha256 digest")).with_context(context);
                }
                let found = self.fetch(&entry.digest)?;
                match manifest::parse(&found.bytes).with_context(context)? {
                    Kind::Image => Ok(found),
                    Kind::Index(_) => {
                        Err(anyhow!("its index names another index")).with_context(context)
                    }
                }
            }
        }
    }

    fn digest(&self) -> Result<String> {
        let ask = self.ask(Method::HEAD, self.name.reference());
        let response = match self.hosts.request(&ask) {
            Ok(response) => response,
            Err(e) if answers_no_head(&e) => return Ok(self.manifest()?.digest),
            Err(e) => return Err(e),
        };
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let asked = self.asked_digest(self.name.reference());
        // What contradicts the name is looked at, which says what is wrong.
        let claimed = claimed_digest(response.headers())
            .filter(|claimed| asked.is_none_or(|asked| asked == claimed));
        match claimed {
            Some(digest) if content_type.is_some_and(manifest::is_single) => Ok(digest),
            _ => Ok(self.manifest()?.digest),
        }
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>> {
        let place = self.place();
        let digest = verified::sha256_of(descriptor, &place)?;
        let path = format!("blobs/{digest}");
        let what = format!("blob {digest} of {}", self.name.repository);
        let ask = Ask { method: Method::GET, path, what, accept: None, from: 0 };
        let download = Download::open(Arc::clone(&self.hosts), ask, descriptor.size())?;
        Ok(Box::new(Verified::new(download, descriptor, &place)?))
    }
}

impl Hosts {
    /// Asks one host after another, the one first that answered last time.
    pub(super) fn request(&self, ask: &Ask) -> Result<Response> {
        let count = self.endpoints.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let order = std::iter::once(first).chain((0..count).filter(|i| *i != first));
        let mut failed = Vec::new();
        for (turn, index) in order.enumerate() {
            let repeat = if turn + 1 == count { Repeat::Usual } else { Repeat::Not };
            let Some(endpoint) = self.endpoints.get(index) else { continue };
            match endpoint.request(ask, repeat) {
                Ok(response) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(response);
                }
                Err(e) => failed.push((index, e)),
            }
        }
        failed.sort_by_key(|(index, _)| *index);
        // The registry itself comes last: what it says is the error, what mirrors say is beside it.
        let Some((_, error)) = failed.pop() else { bail!("no host has {}", ask.what) };
        let of_mirrors: Vec<String> = failed.iter().map(|(_, e)| in_one_line(e)).collect();
        if of_mirrors.is_empty() {
            return Err(error);
        }
        Err(error.context(format!("mirrors fail, too: {}", of_mirrors.join("; "))))
    }

    /// Lets another host be the first to be asked, if there is one.
    pub(super) fn prefer_another(&self) {
        let next = (self.preferred.load(Ordering::Relaxed) + 1) % self.endpoints.len().max(1);
        self.preferred.store(next, Ordering::Relaxed);
    }

    /// Names all hosts.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.endpoints.iter().map(|e| e.name.host.as_str()).collect();
        names.join(" or ")
    }
}

fn in_one_line(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string).filter(|c| !c.starts_with("hint: "));
    causes.collect::<Vec<_>>().join(": ")
}

/// Returns whether a server only has an answer to `GET`.
fn answers_no_head(error: &anyhow::Error) -> bool {
    let statuses =
        [StatusCode::BAD_REQUEST, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED];
    matches!(
        error.downcast_ref(),
        Some(FetchError::Answer { status, .. }) if statuses.iter().any(|s| s.as_u16() == *status)
    )
}

fn claimed_digest(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(DIGEST)?.to_str().ok()?.trim();
    nestos_formats::image_ref::is_digest(text).then(|| text.to_owned())
}
