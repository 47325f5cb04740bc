//! References to container images: the name in a registry
//! (<https://github.com/distribution/reference>), with its transport
//! (containers-transports(5)), and with how an ostree host verifies it, as in the
//! `container-image-reference` key of a deployment's origin.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Longest repository path, as registries limit it.
const MAX_REPOSITORY: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageRefError {
    /// No name of an image in a registry.
    #[error("{0:?} is no image name such as HOST/REPOSITORY:TAG: {1}")]
    Name(String, &'static str),
    /// Not `TRANSPORT:NAME`.
    #[error("{0:?} does not start with a transport such as registry:, oci: or oci-archive:")]
    Transport(String),
    /// Nothing behind the transport.
    #[error("{0:?} names no image")]
    Empty(String),
    /// Not one of the forms that an ostree host knows.
    #[error(
        "{0:?} does not start with ostree-unverified-registry:, ostree-unverified-image:, \
         ostree-image-signed: or ostree-remote-image:"
    )]
    Ostree(String),
}

/// An image in a registry: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryName {
    /// Host, with the port when one was given.
    pub host: String,
    /// Path of the repository on the host.
    pub repository: String,
    /// Tag, when one was given.
    pub tag: Option<String>,
    /// Digest `sha256:HEX`, when one was given.
    pub digest: Option<String>,
}

impl RegistryName {
    /// Returns what is asked of the registry: the digest, else the tag, else `latest`.
    pub fn reference(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

impl FromStr for RegistryName {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        let wrong = |why| ImageRefError::Name(text.to_owned(), why);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(wrong("behind @ belongs sha256: and 64 hexadecimal digits")),
            None => (text, None),
        };
        let (host, path) = rest.split_once('/').ok_or_else(|| wrong("there is no host"))?;
        if !is_host(host) {
            return Err(wrong("the part before the first / is no host"));
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some(_) => return Err(wrong("the tag has characters that no tag has")),
            None => (path, None),
        };
        if !is_repository(repository) {
            return Err(wrong("the repository has characters that no repository has"));
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// How an image is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A registry (`registry:`, `docker://`).
    Registry,
    /// A directory in OCI layout.
    Oci,
    /// The same in a tar archive.
    OciArchive,
    /// What `docker save` writes.
    DockerArchive,
    /// Local storage of podman.
    ContainersStorage,
    /// A directory with manifest and blobs.
    Dir,
}

impl Transport {
    const ALL: [(&'static str, Self); 7] = [
        ("docker://", Self::Registry),
        ("registry:", Self::Registry),
        ("oci-archive:", Self::OciArchive),
        ("oci:", Self::Oci),
        ("docker-archive:", Self::DockerArchive),
        ("containers-storage:", Self::ContainersStorage),
        ("dir:", Self::Dir),
    ];

    /// Returns the prefix that containers-transports(5) gives it.
    pub fn prefix(self) -> &'static str {
        Self::ALL.iter().find(|(_, t)| *t == self).map_or("", |(prefix, _)| prefix)
    }
}

/// An image and how it is reached: `TRANSPORT:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// The transport.
    pub transport: Transport,
    /// What follows the prefix.
    pub name: String,
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        let found = Transport::ALL.iter().find_map(|(p, t)| Some((*t, text.strip_prefix(p)?)));
        let (transport, name) = found.ok_or_else(|| ImageRefError::Transport(text.to_owned()))?;
        if transport == Transport::Registry {
            RegistryName::from_str(name)?;
        }
        if name.is_empty() || name.contains(char::is_control) {
            return Err(ImageRefError::Empty(text.to_owned()));
        }
        Ok(Self { transport, name: name.to_owned() })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.transport.prefix(), self.name)
    }
}

/// What must be verified about an image besides its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Nothing that policy.json does not demand.
    Unverified,
    /// A signature on the image, by policy.json.
    Signed,
    /// A signature on the commit, by the keys of an ostree remote.
    Remote(String),
}

/// An image as an ostree host follows it: `ostree-unverified-registry:HOST/REPOSITORY:TAG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OstreeImageRef {
    /// What must be verified.
    pub verification: Verification,
    /// The image.
    pub image: ImageRef,
}

impl FromStr for OstreeImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        let unknown = || ImageRefError::Ostree(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        let registry = |name: &str| format!("registry:{name}").parse::<ImageRef>();
        let (verification, image) = match scheme {
            "ostree-unverified-registry" => (Verification::Unverified, registry(rest)?),
            "ostree-unverified-image" => (Verification::Unverified, rest.parse()?),
            "ostree-image-signed" => (Verification::Signed, rest.parse()?),
            "ostree-remote-registry" | "ostree-remote-image" => {
                let (remote, rest) = rest.split_once(':').ok_or_else(unknown)?;
                let image = match scheme {
                    "ostree-remote-registry" => registry(rest)?,
                    _ => rest.parse()?,
                };
                (Verification::Remote(remote.to_owned()), image)
            }
            _ => return Err(unknown()),
        };
        Ok(Self { verification, image })
    }
}

impl fmt::Display for OstreeImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification, image } = self;
        match (verification, image.transport) {
            (Verification::Unverified, Transport::Registry) => {
                write!(f, "ostree-unverified-registry:{}", image.name)
            }
            (Verification::Unverified, _) => write!(f, "ostree-unverified-image:{image}"),
            (Verification::Signed, _) => write!(f, "ostree-image-signed:{image}"),
            (Verification::Remote(remote), Transport::Registry) => {
                write!(f, "ostree-remote-registry:{remote}:{}", image.name)
            }
            (Verification::Remote(remote), _) => {
                write!(f, "ostree-remote-image:{remote}:{image}")
            }
        }
    }
}

/// Returns whether `text` is `sha256:` and 64 lower-case hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Escapes a text into one that may be part of an ostree ref's name, the way ostree-ext does:
/// letters, digits and `-` stay, `/` stays behind a letter or digit (not at the end), `_` is
/// doubled, and every other character becomes `_HEX_`.
pub fn escape_for_ref(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut after_alphanumeric = false;
    while let Some(c) = chars.next() {
        let alphanumeric = c.is_ascii_alphanumeric();
        match c {
            _ if alphanumeric || c == '-' => out.push(c),
            '/' if after_alphanumeric && chars.peek().is_some() => out.push('/'),
            '_' => out.push_str("__"),
            _ => out.push_str(&format!("_{:02X}_", u32::from(c))),
        }
        after_alphanumeric = alphanumeric;
    }
    out
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let bracketed = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let fine = match bracketed {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        }
        None => {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        }
    };
    fine && port.is_none_or(|p| p.parse::<u16>().is_ok())
}

fn is_repository(path: &str) -> bool {
    let word = |w: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let all = w.bytes().all(|b| inner(b) || matches!(b, b'.' | b'_' | b'-'));
        all && w.bytes().next().is_some_and(inner) && w.bytes().last().is_some_and(inner)
    };
    path.len() <= MAX_REPOSITORY && path.split('/').all(word)
}

fn is_tag(tag: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(first)
        && tag.bytes().all(|b| first(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_ports_tags_and_digests_round_trip() {
        let hex = "ab".repeat(32);
        for (text, host, repository, reference) in [
            (
                "registry.example.com/nestos:1.0.20240903.0-x86_64",
                "registry.example.com",
                "nestos",
                "1.0.20240903.0-x86_64",
            ),
            ("10.0.2.2:5000/a/b_c", "10.0.2.2:5000", "a/b_c", "latest"),
            ("localhost:5000/x:t", "localhost:5000", "x", "t"),
            ("[::1]:5000/x:t", "[::1]:5000", "x", "t"),
            (&format!("h/x:t@sha256:{hex}"), "h", "x", &format!("sha256:{hex}")),
        ] {
            let name: RegistryName = text.parse().unwrap();
            assert_eq!((name.host.as_str(), name.repository.as_str()), (host, repository));
            assert_eq!(name.reference(), reference);
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn what_no_registry_takes_is_refused() {
        for text in
            ["", "nestos", "/x", "h/", "h/X", "h/x:", "h/x:a b", "h/x@sha256:12", "h:x/y", "h/x/"]
        {
            assert!(text.parse::<RegistryName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn references_of_hosts_round_trip_in_their_short_form() {
        for (text, shown) in [
            ("ostree-unverified-registry:h:5/x:t", "ostree-unverified-registry:h:5/x:t"),
            ("ostree-unverified-image:docker://h/x:t", "ostree-unverified-registry:h/x:t"),
            ("ostree-unverified-image:registry:h/x:t", "ostree-unverified-registry:h/x:t"),
            (
                "ostree-unverified-image:oci-archive:/a/b.ociarchive",
                "ostree-unverified-image:oci-archive:/a/b.ociarchive",
            ),
            ("ostree-image-signed:docker://h/x:t", "ostree-image-signed:docker://h/x:t"),
            ("ostree-remote-registry:r:h/x:t", "ostree-remote-registry:r:h/x:t"),
        ] {
            assert_eq!(text.parse::<OstreeImageRef>().unwrap().to_string(), shown);
        }
        for text in [
            "h/x:t",
            "registry:h/x",
            "ostree-unverified-image:h/x",
            "ostree-unverified-registry:",
            "ostree-unverified-image:oci:",
        ] {
            assert!(text.parse::<OstreeImageRef>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn refs_are_escaped_as_ostree_ext_does() {
        assert_eq!(escape_for_ref("sha256:ab"), "sha256_3A_ab");
        assert_eq!(
            escape_for_ref("docker://h:5000/a/b_c:t"),
            "docker_3A__2F__2F_h_3A_5000/a/b__c_3A_t"
        );
        assert_eq!(escape_for_ref("a/"), "a_2F_");
        assert_eq!(escape_for_ref("a-/b"), "a-_2F_b");
        assert_eq!(escape_for_ref("/a"), "_2F_a");
    }
}
