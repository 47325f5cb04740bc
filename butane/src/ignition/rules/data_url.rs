//! `data:` URLs (RFC 2397). Messages are those of the decoder that Ignition uses.

/// Checks that a data URL can be decoded.
pub(super) fn check(url: &str) -> Result<(), String> {
    let mut text = Cursor { rest: url.strip_prefix("data:").ok_or("missing data prefix")? };
    media_type(&mut text)?;
    let mut encoded = Encoding::Percent;
    while text.take(';') {
        encoded = parameter(&mut text)?;
    }
    if !text.take(',') {
        return Err(match text.rest.is_empty() {
            true => "missing comma before data".to_owned(),
            false => "expected semicolon or comma".to_owned(),
        });
    }
    match encoded {
        Encoding::Percent => percent(text.rest),
        Encoding::Base64 => base64(text.rest),
    }
}

enum Encoding {
    Percent,
    Base64,
}

struct Cursor<'t> {
    rest: &'t str,
}

impl Cursor<'_> {
    fn take(&mut self, c: char) -> bool {
        let found = self.rest.strip_prefix(c);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Takes the longest run of token characters.
    fn token(&mut self) -> &str {
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }
}

fn media_type(text: &mut Cursor<'_>) -> Result<(), &'static str> {
    if text.rest.starts_with([';', ',']) {
        return Ok(());
    }
    if text.rest.is_empty() {
        return Err("missing comma before data");
    }
    // The reader passes over what follows an x, to see whether it is a dash.
    let mut after_x = text.rest.strip_prefix(['x', 'X']).unwrap_or_default().chars();
    let skipped = after_x.next().filter(|c| *c != '-');
    if skipped.is_some() {
        text.rest = after_x.as_str();
    }
    let name = text.token().to_owned();
    if name.is_empty() && skipped.is_none() {
        return Err("invalid character after data prefix");
    }
    if !text.take('/') {
        let ended = text.rest.is_empty();
        return Err(if ended {
            "missing media type slash"
        } else {
            "invalid character for media type"
        });
    }
    const KNOWN: [&str; 7] =
        ["text", "image", "audio", "video", "application", "message", "multipart"];
    let extension = name.starts_with("x-") || name.starts_with("X-");
    if !extension && !KNOWN.iter().any(|known| name.starts_with(known)) {
        return Err("invalid media type");
    }
    text.token();
    match text.rest.chars().next() {
        Some(';' | ',') => Ok(()),
        None => Err("incomplete media type"),
        Some(_) => Err("invalid character for media subtype"),
    }
}

/// Reads `name=value` or the word `base64`, which must come last.
fn parameter(text: &mut Cursor<'_>) -> Result<Encoding, String> {
    if text.rest.is_empty() || text.rest.starts_with(['=', ',']) {
        return Err("unterminated parameter sequence".to_owned());
    }
    let name = text.token().to_owned();
    if text.take('=') {
        return value(text).map(|()| Encoding::Percent);
    }
    match text.rest.chars().next() {
        Some(',') if name == "base64" => Ok(Encoding::Base64),
        Some(',') => Err(format!("expected base64, got {name}")),
        None => Err("unterminated parameter sequence".to_owned()),
        Some(_) => Err("invalid character for parameter attribute".to_owned()),
    }
}

fn value(text: &mut Cursor<'_>) -> Result<(), String> {
    if text.take('"') {
        return quoted(text).map_err(str::to_owned);
    }
    let value = text.token().to_owned();
    match text.rest.chars().next() {
        Some(';' | ',') if !value.is_empty() => unescape(&value),
        None => Err("missing comma before data".to_owned()),
        Some(_) => Err("invalid character for parameter value".to_owned()),
    }
}

/// Reads the rest of a quoted value.
fn quoted(text: &mut Cursor<'_>) -> Result<(), &'static str> {
    let mut chars = text.rest.chars();
    loop {
        match chars.next() {
            None => return Err("unclosed quoted string"),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some(c) if !c.is_ascii() => return Err("invalid escaped character"),
                _ => {}
            },
            Some(c) if c.is_ascii() => {}
            Some(_) => return Err("invalid character for parameter value"),
        }
    }
    text.rest = chars.as_str();
    Ok(())
}

fn percent(data: &str) -> Result<(), String> {
    let refused = |c: char| !c.is_ascii() || c.is_ascii_control() || " <>#\"{}|\\^[]`".contains(c);
    if data.contains(refused) {
        return Err("invalid data character".to_owned());
    }
    unescape(data)
}

fn unescape(data: &str) -> Result<(), String> {
    for (n, _) in data.match_indices('%') {
        for digit in data.as_bytes().get(n + 1..).unwrap_or_default().iter().take(2) {
            if !digit.is_ascii_hexdigit() {
                return Err("rfc2396: invalid char 0x25 in unescape sequence".to_owned());
            }
        }
        if data.len() < n + 3 {
            return Err("rfc2396: unexpected end of unescape sequence".to_owned());
        }
    }
    Ok(())
}

fn base64(data: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    if !data.bytes().all(allowed) {
        return Err("invalid data character".to_owned());
    }
    match misplaced(data) {
        Some(at) => Err(format!("illegal base64 data at input byte {at}")),
        None => Ok(()),
    }
}

/// Returns where text of the base64 alphabet stops being base64, as the reader of the reference
/// counts: before digits that are too few, at padding that comes too early, after padding that is
/// too short, and at what follows padding.
fn misplaced(data: &str) -> Option<usize> {
    let digits = data.find('=').unwrap_or(data.len());
    let (padding, lone) = (&data[digits..], digits % 4);
    match (lone, padding.len()) {
        (0, 0) => None,
        (_, 0) => Some(digits - lone),
        (0 | 1, _) => Some(digits),
        (2, 1) => Some(data.len()),
        (2, _) if !padding.starts_with("==") => Some(digits),
        (2, 2) | (3, 1) => None,
        (2, _) => Some(digits + 2),
        (_, _) => Some(digits + 1),
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_data_urls_pass() {
        for url in [
            "data:,",
            "data:,a%20b",
            "data:;base64,YQ==",
            "data:text/plain;charset=utf-8,x",
            "data:text/plain;charset=\"a;b\";base64,YQ==",
            "data:x-a/b,x",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn bad_data_urls_are_refused_in_the_words_of_the_decoder() {
        let cases = [
            ("data:", "missing comma before data"),
            ("data:hello", "missing media type slash"),
            ("data:hello/x,", "invalid media type"),
            ("data:text/plain", "incomplete media type"),
            ("data:;", "unterminated parameter sequence"),
            ("data:;base64", "unterminated parameter sequence"),
            ("data:;base32,x", "expected base64, got base32"),
            ("data:,a b", "invalid data character"),
            ("data:,é", "invalid data character"),
            ("data:,%zz", "rfc2396: invalid char 0x25 in unescape sequence"),
            ("data:,%a", "rfc2396: unexpected end of unescape sequence"),
            ("data:;base64,*", "invalid data character"),
            ("data:;base64,YWJjYQ", "illegal base64 data at input byte 4"),
            ("data:;base64,YWJj=", "illegal base64 data at input byte 4"),
            ("data:;base64,YWJjY===", "illegal base64 data at input byte 5"),
            ("data:;base64,YQ=", "illegal base64 data at input byte 3"),
            ("data:;base64,YQ=a", "illegal base64 data at input byte 2"),
            ("data:;base64,YQ==YQ==", "illegal base64 data at input byte 4"),
            ("data:;base64,YWI==", "illegal base64 data at input byte 4"),
            ("data:;a=,x", "invalid character for parameter value"),
            ("data:;a=%zz,x", "rfc2396: invalid char 0x25 in unescape sequence"),
            ("data:;a=\"\\é\",x", "invalid escaped character"),
            ("data:;a=\"b\"c,x", "expected semicolon or comma"),
            ("data:x,y", "missing media type slash"),
            ("data:x/y,z", "invalid character for media type"),
            ("data:xy/z,", "invalid media type"),
        ];
        for (url, message) in cases {
            assert_eq!(check(url).unwrap_err(), message, "{url}");
        }
    }
}
