//! Credential files: containers-auth.json(5). No secret is ever in an error or a `Debug` output.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nestos_formats::image_ref::RegistryName;
use serde::Deserialize;

use super::Options;

/// Where credentials are looked up when nobody names a file, the first first.
const FILES: [&str; 5] = [
    "etc/nestos/auth.json",
    "etc/ostree/auth.json",
    "run/ostree/auth.json",
    "usr/lib/ostree/auth.json",
    "run/containers/0/auth.json",
];

/// A proof of who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// A token to get other tokens with.
    Identity(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(hidden)",
            Self::Identity(_) => "Identity(hidden)",
        })
    }
}

/// The entry of a credential file that fits an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The file.
    pub file: PathBuf,
    /// Its key in the file, such as `registry.example.com/team`.
    pub key: String,
    /// What it holds.
    pub secret: Secret,
}

/// A credential file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthFile(BTreeMap<String, Secret>);

impl AuthFile {
    /// Reads the text of a file. Entries without a secret, as credential helpers leave them, are
    /// left out.
    pub fn parse(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Raw {
            #[serde(default)]
            auths: BTreeMap<String, Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            auth: Option<String>,
            identitytoken: Option<String>,
        }
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        // The message of the parser may quote what it found.
        let raw: Raw = serde_json::from_slice(text).map_err(|e| {
            anyhow!(
                "line {}, column {}: not as containers-auth.json(5) wants it",
                e.line(),
                e.column()
            )
        })?;
        let mut secrets = BTreeMap::new();
        for (key, entry) in raw.auths {
            let token = entry.identitytoken.filter(|t| !t.is_empty()).map(Secret::Identity);
            let secret = match (token, entry.auth.as_deref()) {
                (Some(token), _) => token,
                (None, None | Some("")) => continue,
                (None, Some(auth)) => {
                    password(auth).with_context(|| format!("the auth of {key:?}"))?
                }
            };
            secrets.insert(key, secret);
        }
        Ok(Self(secrets))
    }

    /// Returns the entry with the longest key that fits.
    pub fn find(&self, name: &RegistryName) -> Option<(&str, &Secret)> {
        let full = format!("{}/{}", name.host, name.repository);
        let prefixes = std::iter::successors(Some(full.as_str()), |p| Some(p.rsplit_once('/')?.0));
        let exact = prefixes.filter_map(|p| self.0.get_key_value(p)).next();
        // Docker's own files have URLs as keys.
        let host = if name.host == "docker.io" { "index.docker.io" } else { &name.host };
        let of_url = || self.0.iter().find(|(key, _)| host_of_url(key) == Some(host));
        exact.or_else(of_url).map(|(key, secret)| (key.as_str(), secret))
    }
}

/// What was found for an image, and where it was looked for.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) found: Option<Credential>,
    pub(super) files: Vec<PathBuf>,
}

/// Looks an image up in all files; the first that has an entry counts.
pub(super) fn look_up(name: &RegistryName, options: &Options) -> Result<Lookup> {
    let named = options.authfile.iter().chain(&options.environment_authfile).cloned();
    let files: Vec<PathBuf> = named.chain(FILES.map(|f| options.root.join(f))).collect();
    for file in &files {
        let Some(auth) = read(file)? else { continue };
        if let Some((key, secret)) = auth.find(name) {
            let (key, secret) = (key.to_owned(), secret.clone());
            let found = Some(Credential { file: file.clone(), key, secret });
            return Ok(Lookup { found, files });
        }
    }
    Ok(Lookup { found: None, files })
}

fn read(file: &Path) -> Result<Option<AuthFile>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    AuthFile::parse(&text).map(Some).with_context(|| format!("cannot read {}", file.display()))
}

fn password(auth: &str) -> Result<Secret> {
    let pair = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or_else(|| anyhow!("is not base64 of NAME:PASSWORD"))?;
    let (user, password) =
        pair.split_once(':').ok_or_else(|| anyhow!("is not base64 of NAME:PASSWORD"))?;
    // Docker pads the password with NUL bytes in some versions.
    let password = password.trim_end_matches('\0').to_owned();
    Ok(Secret::Password { user: user.to_owned(), password })
}

fn host_of_url(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"))?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(entries: &[(&str, &str)]) -> String {
        let auths: serde_json::Map<_, _> = entries
            .iter()
            .map(|(key, pair)| {
                ((*key).to_owned(), serde_json::json!({"auth": STANDARD.encode(pair)}))
            })
            .collect();
        serde_json::json!({ "auths": auths }).to_string()
    }

    #[test]
    fn the_longest_key_wins() {
        let text = file(&[
            ("h:5", "host:1"),
            ("h:5/a", "space:2"),
            ("h:5/a/b", "image:3"),
            ("https://index.docker.io/v1/", "hub:4"),
        ]);
        let auth = AuthFile::parse(text.as_bytes()).unwrap();
        for (image, key) in [
            ("h:5/a/b", Some("h:5/a/b")),
            ("h:5/a/b/c", Some("h:5/a/b")),
            ("h:5/a/bc", Some("h:5/a")),
            ("h:5/x:t", Some("h:5")),
            ("docker.io/library/x", Some("https://index.docker.io/v1/")),
            ("h/x", None),
        ] {
            let found = auth.find(&image.parse().unwrap());
            assert_eq!(found.map(|(key, _)| key), key, "{image}");
        }
    }

    #[test]
    fn the_first_file_with_an_entry_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, key: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file(&[(key, "a:b")])).unwrap();
        };
        write("etc/nestos/auth.json", "other");
        write("run/ostree/auth.json", "h");
        write("usr/lib/ostree/auth.json", "h");
        let options = Options {
            root: dir.path().to_owned(),
            authfile: Some(dir.path().join("none.json")),
            environment_authfile: None,
            ..Options::default()
        };
        let found = look_up(&"h/x:t".parse().unwrap(), &options).unwrap().found.unwrap();
        assert_eq!(found.file, dir.path().join("run/ostree/auth.json"));
    }

    #[test]
    fn errors_and_debug_output_hold_no_secret() {
        let bad = br#"{"auths":{"h":{"auth":["c2VjcmV0"]}}}"#;
        let error = format!("{:#}", AuthFile::parse(bad).unwrap_err());
        assert_eq!(error, "line 1, column 22: not as containers-auth.json(5) wants it");
        let error = AuthFile::parse(br#"{"auths":{"h":{"auth":"c2VjcmV0"}}}"#).unwrap_err();
        assert_eq!(format!("{error:#}"), "the auth of \"h\": is not base64 of NAME:PASSWORD");
        let fine = AuthFile::parse(file(&[("h", "user:secret")]).as_bytes()).unwrap();
        assert_eq!(format!("{fine:?}"), r#"AuthFile({"h": Password(hidden)})"#);
    }

    #[test]
    fn entries_of_credential_helpers_are_left_out() {
        for text in ["", " \n", "{}", r#"{"auths":{"h":{}},"credsStore":"x"}"#] {
            assert_eq!(AuthFile::parse(text.as_bytes()).unwrap(), AuthFile::default(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, auth: String) {
            drop(AuthFile::parse(&bytes));
            let text = serde_json::json!({"auths": {"h": {"auth": auth}}}).to_string();
            drop(AuthFile::parse(text.as_bytes()));
        }
    }
}
