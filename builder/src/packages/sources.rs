//! deb822 source files (sources.list(5)): the `*.sources` beside a manifest. `URIs` may be left
//! out; the mirror that the host uses is taken then, so that a config names none.

use anyhow::{Result, bail};

/// One stanza, with its mirror known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Base addresses.
    pub(crate) uris: Vec<String>,
    /// Suites.
    pub(crate) suites: Vec<String>,
    /// Components.
    pub(crate) components: Vec<String>,
    /// Keyring that must have signed the repository.
    pub(crate) signed_by: Option<String>,
}

impl Source {
    /// Prints the stanza for apt.
    pub(crate) fn to_deb822(&self) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n",
            self.uris.join(" "),
            self.suites.join(" "),
            self.components.join(" ")
        );
        if let Some(keyring) = &self.signed_by {
            text.push_str(&format!("Signed-By: {keyring}\n"));
        }
        text
    }
}

/// Reads the enabled `deb` stanzas of a file.
pub(crate) fn parse(text: &str, mirror: impl Fn() -> Result<String>) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (line, fields) in stanzas(text)? {
        let get = |key: &str| {
            fields.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_str())
        };
        let words = |key: &str| -> Vec<String> {
            get(key).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        if get("Enabled").is_some_and(|v| v.eq_ignore_ascii_case("no")) {
            continue;
        }
        if !words("Types").contains(&"deb".to_owned()) {
            continue;
        }
        if get("Trusted").is_some() {
            bail!("line {line}: \"Trusted\" is not accepted: packages are taken only when signed");
        }
        let uris = if get("URIs").is_some() { words("URIs") } else { vec![mirror()?] };
        let source = Source {
            uris,
            suites: words("Suites"),
            components: words("Components"),
            signed_by: get("Signed-By").map(str::to_owned),
        };
        if source.suites.is_empty() || source.components.is_empty() {
            bail!("line {line}: a stanza needs \"Suites\" and \"Components\"");
        }
        sources.push(source);
    }
    if sources.is_empty() {
        bail!("no enabled stanza with \"Types: deb\"");
    }
    Ok(sources)
}

/// A stanza: the number of its first line, and its fields.
type Stanza = (usize, Vec<(String, String)>);

fn stanzas(text: &str) -> Result<Vec<Stanza>> {
    let mut all: Vec<Stanza> = Vec::new();
    let mut open = false;
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            open = false;
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        if !open {
            all.push((i + 1, Vec::new()));
            open = true;
        }
        let Some((_, fields)) = all.last_mut() else { continue };
        if line.starts_with([' ', '\t']) {
            let Some((_, value)) = fields.last_mut() else {
                bail!("line {}: a continuation line without a field", i + 1);
            };
            value.push('\n');
            value.push_str(line.trim());
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_owned(), value.trim().to_owned()));
        } else {
            bail!("line {}: expected \"Field: value\", found {line:?}", i + 1);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_stands_in_for_a_missing_uri_only() {
        let text = "# comment\nTypes: deb\nSuites: trixie\nComponents: main\nSigned-By: /k.gpg\n\n\
                    Types: deb\nURIs: http://a.example/x\nSuites: s\nComponents: c\n\n\
                    Types: deb-src\nSuites: trixie\nComponents: main\n\n\
                    Types: deb\nEnabled: no\nSuites: trixie\nComponents: main\n";
        let sources = parse(text, || Ok("http://m.example/debian".to_owned())).unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].uris, ["http://m.example/debian"]);
        assert_eq!(sources[0].signed_by.as_deref(), Some("/k.gpg"));
        assert_eq!(sources[1].uris, ["http://a.example/x"]);
        assert!(sources[0].to_deb822().contains("URIs: http://m.example/debian\n"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let mirror = || Ok(String::new());
        for (text, message) in [
            ("Types: deb\nnonsense\n", "line 2: expected"),
            ("Types: deb\nSuites: s\n", "line 1: a stanza needs"),
            ("Types: deb\nTrusted: yes\nSuites: s\nComponents: c\n", "taken only when signed"),
            ("", "no enabled stanza"),
        ] {
            let err = parse(text, mirror).unwrap_err().to_string();
            assert!(err.contains(message), "{err}");
        }
    }
}
