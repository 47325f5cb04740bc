//! Resources: where contents come from, and what must be true of them.

use super::{Place, Rules, data_url, hash, url};
use crate::value::Object;

impl Rules {
    /// Checks every resource of a list.
    pub(super) fn contents_list(&mut self, parent: &Object, key: &'static str, place: &Place<'_>) {
        for (n, value, contents) in parent.objects(key) {
            self.contents(contents, &place.below(parent, key).item(n, value));
        }
    }

    /// Checks a resource that is a field.
    pub(super) fn contents_field(&mut self, parent: &Object, key: &'static str, place: &Place<'_>) {
        if let Some(contents) = parent.object(key) {
            self.contents(contents, &place.below(parent, key));
        }
    }

    /// Requires that every resource of a list has a source.
    pub(super) fn required_sources(
        &mut self,
        parent: &Object,
        key: &'static str,
        place: &Place<'_>,
    ) {
        for (n, value, contents) in parent.objects(key) {
            let place = place.below(parent, key).item(n, value);
            match contents.filled("source") {
                None if contents.is_filled("source") => {}
                None if self.since(1) => self.error(&place, "source is required"),
                None if key == "certificateAuthorities" => {
                    self.error(&place.below(contents, "source"), "invalid url scheme");
                }
                None => {}
                Some(source) => {
                    let result = self.check_source(source);
                    self.require(&place, result);
                }
            }
        }
    }

    fn contents(&mut self, contents: &Object, place: &Place<'_>) {
        if !matches!(contents.text("compression"), None | Some("" | "gzip")) {
            self.error(&place.below(contents, "compression"), "invalid compression method");
        }
        let verification = contents.object("verification");
        let hash = verification.and_then(|v| Some((v, v.text("hash")?)));
        if let Some((verification, _)) = hash
            && contents.get("source").is_none()
        {
            self.error(
                &place.below(contents, "verification").below(verification, "hash"),
                "source must be specified if verification is specified",
            );
        }
        if let Some(source) = contents.text("source") {
            let result = self.check_source(source);
            self.require(&place.below(contents, "source"), result);
        }
        self.headers(contents, &place.below(contents, "httpHeaders"));
        if let Some((verification, text)) = hash {
            let place = place.below(contents, "verification").below(verification, "hash");
            let result = hash::check(text, self.since(1));
            self.require(&place, result);
        }
    }

    fn headers(&mut self, contents: &Object, place: &Place<'_>) {
        if contents.list("httpHeaders").is_empty() {
            return;
        }
        let scheme = match contents.filled("source") {
            None if contents.is_filled("source") => Some(Ok("data".to_owned())),
            source => source.map(|source| url::parse(source).map(|u| u.scheme)),
        };
        match scheme {
            Some(Ok(scheme)) if matches!(scheme.as_str(), "http" | "https") => {}
            Some(Ok(_)) => self.error(place, "cannot use HTTP headers with this source scheme"),
            Some(Err(message)) => self.error(place, message),
            None => self.error(place, url::UNPARSABLE),
        }
        for (n, value, header) in contents.objects("httpHeaders") {
            let place = place.item(n, value);
            if header.filled("name").is_none() {
                self.error(&place.below(header, "name"), "HTTP header name can't be empty");
            }
            // Without a value it deletes a header of the config it is merged into.
            if header.text("value") == Some("") {
                self.error(&place.below(header, "value"), "unable to parse HTTP header");
            }
        }
    }

    /// Checks the URL of a resource; an empty one stands for no contents.
    pub(super) fn check_source(&self, source: &str) -> Result<(), String> {
        if source.is_empty() {
            return Ok(());
        }
        let url = url::parse(source)?;
        match url.scheme.as_str() {
            "http" | "https" | "tftp" => Ok(()),
            "gs" if self.since(2) => Ok(()),
            "s3" => url::check_s3_version(&url),
            "arn" if self.since(4) => url::check_s3_arn(&url),
            "data" => data_url::check(source),
            _ => Err("invalid url scheme".to_owned()),
        }
    }
}
