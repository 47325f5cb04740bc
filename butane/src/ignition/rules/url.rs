//! URLs, read as strictly and as leniently as Ignition reads them (Go's `net/url`).

use percent_encoding::percent_decode_str;

/// What is said of a text that is not a URL.
pub(super) const UNPARSABLE: &str = "unable to parse url";

/// The parts of a URL that rules look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// In lower case; empty for a relative reference.
    pub scheme: String,
    query: String,
}

impl Url {
    /// Returns the first value of a query parameter.
    pub(super) fn query_value(&self, name: &str) -> Option<String> {
        let decoded = |s: &str| {
            let plus = s.replace('+', " ");
            percent_decode_str(&plus).decode_utf8_lossy().into_owned()
        };
        let mut pairs = self.query.split('&').filter(|pair| !pair.contains(';'));
        pairs.find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (!pair.is_empty() && escapes_are_valid(pair) && decoded(key) == name)
                .then(|| decoded(value))
        })
    }
}

/// Parses a URL.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    split(text).ok_or_else(|| UNPARSABLE.to_owned())
}

/// Checks the ARN of an S3 object.
pub(super) fn check_s3_arn(text: &str) -> Result<(), String> {
    let bad = || "invalid S3 ARN format".to_owned();
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts.as_slice() else {
        return Err(bad());
    };
    if partition.is_empty() || *service != "s3" {
        return Err(bad());
    }
    let resource = resource.split('?').next().unwrap_or_default();
    let good = match resource.strip_prefix("accesspoint/") {
        Some(rest) => {
            let mut parts = rest.splitn(3, '/');
            let name = parts.next().is_some_and(|name| !name.is_empty());
            let object = parts.next() == Some("object");
            let key = parts.next().is_some_and(|key| !key.is_empty());
            name && object && key && !region.is_empty() && !account.is_empty()
        }
        None => resource
            .split_once('/')
            .is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty()),
    };
    if good { Ok(()) } else { Err(bad()) }
}

fn split(text: &str) -> Option<Url> {
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return None;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if !escapes_are_valid(fragment) {
        return None;
    }
    let (scheme, rest) = split_scheme(text)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let url = Url { scheme: scheme.to_ascii_lowercase(), query: query.to_owned() };
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // Opaque, such as `data:`.
            return Some(url);
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return None;
        }
    }
    let mut path = rest;
    if let Some(authority) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !rest.starts_with("///"))
    {
        let end = authority.find('/').unwrap_or(authority.len());
        path = &authority[end..];
        if !authority_is_valid(&authority[..end]) {
            return None;
        }
    }
    escapes_are_valid(path).then_some(url)
}

/// Splits off the scheme; `None` if there is a colon but nothing before it.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (n, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if n > 0 => {}
            b':' if n == 0 => return None,
            b':' => return Some((&text[..n], &text[n + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

fn authority_is_valid(authority: &str) -> bool {
    match authority.rsplit_once('@') {
        Some((user, host)) => user_is_valid(user) && host_is_valid(host),
        None => host_is_valid(authority),
    }
}

fn user_is_valid(user: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    user.bytes().all(allowed) && escapes_are_valid(user)
}

fn host_is_valid(host: &str) -> bool {
    let (name, port) = if host.starts_with('[') {
        let Some(end) = host.rfind(']') else { return false };
        (&host[..=end], &host[end + 1..])
    } else {
        host.find(':').map_or((host, ""), |_| host.split_at(host.rfind(':').unwrap_or(0)))
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    let allowed = |b: u8| {
        b.is_ascii_alphanumeric() || !b.is_ascii() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b)
    };
    port_is_valid && name.bytes().all(allowed) && host_escapes_are_valid(name)
}

/// Returns whether every `%` of a host is a valid escape of a byte that hosts cannot hold.
fn host_escapes_are_valid(host: &str) -> bool {
    // The part after `%25` is an IPv6 zone, where ASCII may be escaped too.
    let (address, zone) = match host.split_once("%25") {
        Some((address, zone)) if host.starts_with('[') => (address, zone),
        _ => (host, ""),
    };
    let high = address.match_indices('%').all(|(n, _)| {
        let first = address.as_bytes().get(n + 1);
        address[n..].starts_with("%25") || first.is_some_and(|b| *b > b'7')
    });
    high && escapes_are_valid(address) && escapes_are_valid(zone)
}

/// Returns whether every `%` is followed by two hexadecimal digits.
fn escapes_are_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |n: usize| bytes.get(n).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(n, b)| *b != b'%' || (digit(n + 1) && digit(n + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_and_lower_cased() {
        let cases = [
            ("https://a/b", "https"),
            ("HTTP://a", "http"),
            ("data:,x y", "data"),
            ("a/b", ""),
            ("s3://b/k?versionId=1", "s3"),
            ("http://[::1]:80/x", "http"),
            ("http://u:p@h:1/", "http"),
            ("http://[fe80::1%25en0]/", "http"),
            ("1x:", ""),
        ];
        for (text, scheme) in cases {
            match (text, parse(text)) {
                ("1x:", result) => assert!(result.is_err()),
                (_, result) => assert_eq!(result.unwrap().scheme, scheme, "{text}"),
            }
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        let cases = [
            "http://a/\x01",
            "http://[::1/x",
            "http://a b/",
            "http://a/%zz",
            "http://a:x/",
            "http://%41/",
            ":x",
            "http://u^@h/",
            "a:b%",
        ];
        for text in cases {
            let opaque = text == "a:b%";
            assert_eq!(parse(text).is_err(), !opaque, "{text}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let url = parse("s3://b/k?a=1&versionId=x%20y+z&b").unwrap();
        assert_eq!(url.query_value("versionId").as_deref(), Some("x y z"));
        assert_eq!(url.query_value("b").as_deref(), Some(""));
        assert_eq!(url.query_value("c"), None);
    }
}
