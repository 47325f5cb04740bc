//! URLs, read as strictly and as leniently as Ignition reads them (Go's `net/url`).

use percent_encoding::percent_decode_str;

/// What is said of a text that is not a URL.
pub(super) const UNPARSABLE: &str = "unable to parse url";

/// The parts of a URL that rules look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// In lower case; empty for a relative reference.
    pub scheme: String,
    /// What follows the scheme, if that does not begin with a slash.
    opaque: String,
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

/// Checks the ARN of an S3 object. Which bucket and which object it names is not looked at.
pub(super) fn check_s3_arn(url: &Url) -> Result<(), String> {
    let parts: Vec<&str> = url.opaque.splitn(5, ':').collect();
    let [_partition, "s3", _region, _account, resource] = parts.as_slice() else {
        return Err("invalid S3 ARN format".to_owned());
    };
    let least = if resource.starts_with("accesspoint/") { 2 } else { 1 };
    if url.opaque.matches('/').count() < least {
        return Err("invalid S3 ARN format".to_owned());
    }
    check_s3_version(url)
}

/// Checks that the version of an S3 object, if one is asked for, has a name.
pub(super) fn check_s3_version(url: &Url) -> Result<(), String> {
    match url.query_value("versionId").as_deref() {
        Some("") => Err("invalid S3 object VersionId".to_owned()),
        _ => Ok(()),
    }
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
    let opaque = if rest.starts_with('/') { "" } else { rest };
    let url = Url {
        scheme: scheme.to_ascii_lowercase(),
        opaque: opaque.to_owned(),
        query: query.to_owned(),
    };
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
    fn arns_of_s3_have_six_parts_and_a_slash() {
        let check = |text| check_s3_arn(&parse(text).unwrap()).err();
        let good = [
            "arn:aws:s3:::bucket/key",
            "ARN:aws:s3:::bucket/",
            "arn::s3:::/key",
            "arn:aws:s3:us-west-1:123:accesspoint/name/object",
            "arn:aws:s3:::bucket/key?versionId=x",
        ];
        for text in good {
            assert_eq!(check(text), None, "{text}");
        }
        for text in [
            "arn:aws:s3:::bucket",
            "arn:aws:iam:::bucket/key",
            "arn:aws:s3::bucket/key",
            "arn:/aws:s3:::bucket/key",
            "arn:aws:s3:us-west-1:123:accesspoint/name",
            "arn:aws:s3:::bucket?a/b",
        ] {
            assert_eq!(check(text).as_deref(), Some("invalid S3 ARN format"), "{text}");
        }
        let version = check("arn:aws:s3:::bucket/key?versionId=");
        assert_eq!(version.as_deref(), Some("invalid S3 object VersionId"));
    }

    #[test]
    fn query_values_are_decoded() {
        let url = parse("s3://b/k?a=1&versionId=x%20y+z&b").unwrap();
        assert_eq!(url.query_value("versionId").as_deref(), Some("x y z"));
        assert_eq!(url.query_value("b").as_deref(), Some(""));
        assert_eq!(url.query_value("c"), None);
    }
}
