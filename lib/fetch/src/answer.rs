//! One request and what its answer means for a download that is at some place.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Error, anyhow};
use nestos_host::term::WithHint;
use reqwest::blocking::{Client, Response};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE,
    LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use reqwest::{StatusCode, Url};
use thiserror::Error;

use super::shown;

/// The server answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the server answers {0}")]
pub struct Refused(pub StatusCode);

/// The server has another file now than the one whose beginning is there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the file on the server changed: {0}")]
pub struct Changed(String);

/// What tells a file on a server from another one under the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entity {
    /// Length of the whole.
    pub(super) length: Option<u64>,
    etag: Option<String>,
    modified: Option<String>,
}

impl Entity {
    /// Reads it from an answer that brings the whole from its beginning.
    fn of_whole(headers: &HeaderMap) -> Self {
        let length = text(headers, CONTENT_LENGTH).and_then(|t| t.parse().ok());
        Self { length, etag: text(headers, ETAG), modified: text(headers, LAST_MODIFIED) }
    }

    /// Reads it from an answer that brings a part, with where the part begins.
    fn of_part(headers: &HeaderMap) -> Option<(u64, Self)> {
        let range = text(headers, CONTENT_RANGE)?;
        let (span, length) = range.strip_prefix("bytes ")?.split_once('/')?;
        let start = span.split_once('-')?.0.parse().ok()?;
        Some((start, Self { length: length.parse().ok(), ..Self::of_whole(headers) }))
    }

    /// Returns the value of If-Range. A weak tag or a date is no promise of the same bytes, but a
    /// date is better than nothing.
    fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|tag| !tag.starts_with("W/"));
        strong.or(self.modified.as_deref())
    }

    /// Requires that `now` may be the same file.
    fn check_same(&self, now: &Self) -> Result<(), Changed> {
        if let (Some(was), Some(is)) = (self.length, now.length)
            && was != is
        {
            return Err(Changed(format!("it had {was} bytes and has {is} now")));
        }
        match (&self.etag, &now.etag, &self.modified, &now.modified) {
            (Some(was), Some(is), ..) if was != is => {
                Err(Changed(format!("its tag was {was} and is {is} now")))
            }
            (Some(_), Some(_), ..) => Ok(()),
            (_, _, Some(was), Some(is)) if was != is => {
                Err(Changed(format!("it was of {was} and is of {is} now")))
            }
            _ => Ok(()),
        }
    }
}

/// What a request led to.
pub(super) enum Attempt {
    /// A body that goes on at the place, after `skip` bytes.
    Body { body: Box<Response>, skip: u64, entity: Entity },
    /// Nothing more to come.
    Complete,
    /// It may work another time.
    Again { reason: Error, pause: Option<Duration> },
    /// It will not.
    Failed(Error),
}

/// Asks for a file from `at` on; `known` is what earlier answers said about it.
pub(super) fn ask(client: &Client, url: &Url, at: u64, known: Option<&Entity>) -> Attempt {
    let what = || format!("cannot fetch {}", shown(url));
    let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
    if at > 0 {
        request = request.header(RANGE, format!("bytes={at}-"));
        if let Some(validator) = known.and_then(Entity::validator) {
            request = request.header(IF_RANGE, validator);
        }
    }
    match request.send() {
        Ok(response) => judge(response, at, known).context(what),
        // The URL is in our own message already.
        Err(e) if e.is_redirect() || e.is_builder() => {
            Attempt::Failed(Error::new(e.without_url())).context(what)
        }
        Err(e) => Attempt::Again { reason: explain(e.without_url()), pause: None }.context(what),
    }
}

impl Attempt {
    fn context(self, what: impl Fn() -> String) -> Self {
        match self {
            Self::Again { reason, pause } => Self::Again { reason: reason.context(what()), pause },
            Self::Failed(reason) => Self::Failed(reason.context(what())),
            fine => fine,
        }
    }
}

fn judge(response: Response, at: u64, known: Option<&Entity>) -> Attempt {
    let (status, headers) = (response.status(), response.headers());
    let found = match status {
        StatusCode::OK => (0, Entity::of_whole(headers)),
        StatusCode::PARTIAL_CONTENT if at > 0 => match Entity::of_part(headers) {
            Some(found) if found.0 <= at => found,
            _ => return Attempt::Failed(anyhow!("the server answers with another part")),
        },
        StatusCode::RANGE_NOT_SATISFIABLE if at > 0 => return nothing_after(at, headers),
        _ if is_passing(status) => {
            let pause = text(headers, RETRY_AFTER).and_then(|t| t.parse().ok());
            let pause = pause.map(Duration::from_secs);
            return Attempt::Again { reason: Refused(status).into(), pause };
        }
        _ => return Attempt::Failed(Refused(status).into()),
    };
    let (start, entity) = found;
    if let Err(changed) = known.map_or(Ok(()), |known| known.check_same(&entity)) {
        return Attempt::Failed(changed.into());
    }
    if let Some(length) = entity.length.filter(|length| *length < at) {
        return Attempt::Failed(shorter(length, at).into());
    }
    Attempt::Body { body: Box::new(response), skip: at - start, entity }
}

/// There is nothing at the place that was asked for: the file ends there, or before.
fn nothing_after(at: u64, headers: &HeaderMap) -> Attempt {
    let range = text(headers, CONTENT_RANGE);
    let length = range.and_then(|r| r.strip_prefix("bytes */")?.parse::<u64>().ok());
    match length {
        Some(length) if length == at => Attempt::Complete,
        Some(length) => Attempt::Failed(shorter(length, at).into()),
        None => Attempt::Failed(Refused(StatusCode::RANGE_NOT_SATISFIABLE).into()),
    }
}

fn shorter(length: u64, at: u64) -> Changed {
    Changed(format!("it has {length} bytes now, but {at} were received before"))
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|t| t.trim().to_owned())
}

/// Certificates fail for reasons of this machine as often as for those of the server.
fn explain(error: reqwest::Error) -> Error {
    let error = Error::new(error);
    if !format!("{error:#}").contains("certificate") {
        return error;
    }
    let advice = "check this machine's clock, and that it trusts who signed the certificate";
    let Err(explained) = Err::<Infallible, _>(error).hint(advice);
    explained
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(length: u64, etag: &str, modified: &str) -> Entity {
        let some = |t: &str| Some(t.to_owned()).filter(|t| !t.is_empty());
        Entity { length: Some(length), etag: some(etag), modified: some(modified) }
    }

    #[test]
    fn a_file_is_the_same_as_long_as_nothing_says_otherwise() {
        let was = entity(9, "\"a\"", "Mon");
        for same in [entity(9, "\"a\"", "Tue"), entity(9, "", "Mon"), Entity::default()] {
            assert_eq!(was.check_same(&same), Ok(()), "{same:?}");
        }
        for other in [entity(8, "\"a\"", "Mon"), entity(9, "\"b\"", "Mon"), entity(9, "", "Tue")] {
            assert!(was.check_same(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn only_a_strong_tag_or_a_date_is_a_condition() {
        assert_eq!(entity(1, "\"a\"", "Mon").validator(), Some("\"a\""));
        assert_eq!(entity(1, "W/\"a\"", "Mon").validator(), Some("Mon"));
        assert_eq!(entity(1, "W/\"a\"", "").validator(), None);
    }
}
