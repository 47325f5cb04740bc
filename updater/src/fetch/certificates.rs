//! Certificate authorities and client certificates of one registry: containers-certs.d(5).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_host::term::WithHint;
use reqwest::{Certificate, Identity};

/// Where the directories of registries are; the first that exists counts.
const DIRECTORIES: [&str; 2] = ["etc/containers/certs.d", "etc/docker/certs.d"];

/// What a connection to one registry uses besides what the system trusts.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    pub(super) authorities: Vec<Certificate>,
    pub(super) identity: Option<Identity>,
}

impl Certificates {
    /// Reads the directory of a registry, `HOST` or `HOST:PORT`.
    pub(super) fn load(root: &Path, host: &str) -> Result<Self> {
        let mut found = Self::default();
        let directories = DIRECTORIES.map(|dir| root.join(dir).join(host));
        let Some(dir) = directories.iter().find(|dir| dir.is_dir()) else { return Ok(found) };
        for path in entries(dir)? {
            match path.extension().and_then(|e| e.to_str()) {
                Some("crt") => found.authorities.append(&mut authorities(&path)?),
                Some("cert") => found.identity = Some(identity(&path)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect()
    };
    let mut paths = read().with_context(|| format!("cannot read {}", dir.display()))?;
    paths.sort();
    Ok(paths)
}

fn authorities(path: &Path) -> Result<Vec<Certificate>> {
    let context = || format!("cannot use the certificate {}", path.display());
    let text = std::fs::read(path).with_context(context)?;
    let found = Certificate::from_pem_bundle(&text).with_context(context)?;
    if found.is_empty() {
        return Err(anyhow!("it holds no certificate in PEM format")).with_context(context);
    }
    Ok(found)
}

fn identity(path: &Path) -> Result<Identity> {
    let key = path.with_extension("key");
    let context = || format!("cannot use the client certificate {}", path.display());
    let mut text = std::fs::read(path).with_context(context)?;
    text.push(b'\n');
    let key_text = std::fs::read(&key)
        .with_context(|| format!("cannot read its key {}", key.display()))
        .hint("a client certificate NAME.cert needs its key in NAME.key beside it")
        .with_context(context)?;
    text.extend(key_text);
    Identity::from_pem(&text).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let of_host = dir.path().join("etc/docker/certs.d/h:5000");
        std::fs::create_dir_all(&of_host).unwrap();
        assert!(Certificates::load(dir.path(), "h").unwrap().authorities.is_empty());
        std::fs::write(of_host.join("ca.crt"), "no certificate").unwrap();
        let error = Certificates::load(dir.path(), "h:5000").unwrap_err();
        let expected = format!("cannot use the certificate {}/ca.crt", of_host.display());
        assert_eq!(error.to_string(), expected);
    }
}
