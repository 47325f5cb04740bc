//! The `WWW-Authenticate` header, which says how a registry wants to be asked
//! (<https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>).

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme in lower case, such as `bearer`.
    pub scheme: String,
    /// Its parameters; the names are in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Returns a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the value of a header. What follows something that is no challenge is left out.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, behind) = token(rest);
        if word.is_empty() {
            return challenges;
        }
        let word = word.to_ascii_lowercase();
        let value = behind.trim_start_matches([' ', '\t']).strip_prefix('=');
        match (value, challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let Some((value, behind)) = parameter(value) else { return challenges };
                challenge.parameters.push((word, value));
                rest = behind;
            }
            (Some(_), None) => return challenges,
            (None, _) => {
                challenges.push(Challenge { scheme: word, parameters: Vec::new() });
                rest = without_token68(behind);
            }
        }
    }
}

/// Splits a token off; it is empty when there is none.
fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Reads a parameter's value, quoted or not.
fn parameter(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

/// Skips the one value that stands behind schemes such as `Negotiate`, if it stands there.
fn without_token68(text: &str) -> &str {
    let value = text.trim_start_matches(' ');
    let end = value.find([',', ' ']).unwrap_or(value.len());
    let word = &value[..end];
    let bare = word.trim_end_matches('=');
    let is_token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let at_end = value[end..].trim_start().is_empty() || value[end..].trim_start().starts_with(',');
    if !bare.is_empty() && bare.chars().all(is_token68) && at_end { &value[end..] } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(header: &str) -> Vec<String> {
        let parameters = |c: &Challenge| -> Vec<String> {
            c.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        parse(header).iter().map(|c| format!("{} {}", c.scheme, parameters(c).join("|"))).collect()
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        for (header, expected) in [
            (
                r#"Bearer realm="https://auth.h/token",service="h",scope="repository:a/b:pull,push""#,
                vec!["bearer realm=https://auth.h/token|service=h|scope=repository:a/b:pull,push"],
            ),
            (r#"Basic realm="a \"b\""  "#, vec![r#"basic realm=a "b""#]),
            ("BASIC Realm=x", vec!["basic realm=x"]),
            (
                r#"Negotiate, Negotiate YWJj==, Bearer realm = "r" , service=s, Basic realm="x""#,
                vec!["negotiate ", "negotiate ", "bearer realm=r|service=s", "basic realm=x"],
            ),
        ] {
            assert_eq!(shown(header), expected, "{header}");
        }
    }

    #[test]
    fn what_is_no_challenge_ends_the_reading() {
        for header in ["", ",,", "=", "realm=\"x\"", "\"Bearer\"", "\u{e9}"] {
            assert_eq!(parse(header), [], "{header}");
        }
        assert_eq!(shown("Bearer realm=\"open"), ["bearer "]);
        assert_eq!(shown("Bearer realm=\"open\\"), ["bearer "]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(header in "(Bearer|[a-z]+)?[ -~\u{e9}]{0,60}") {
            let challenges = parse(&header);
            prop_assert!(challenges.iter().all(|c| !c.scheme.is_empty()));
        }

        #[test]
        fn quoted_values_come_back(value in "[ -~]{0,40}") {
            let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
            let challenges = parse(&format!("Bearer realm=\"{quoted}\",service=x"));
            prop_assert_eq!(challenges[0].get("realm"), Some(value.as_str()));
            prop_assert_eq!(challenges[0].get("service"), Some("x"));
        }
    }
}
