//! Deployments for tests: an image is a letter.

use nestos_updater::sysroot::{Deployment, Deployments, Origin};

/// The reference that the machines of these tests follow.
pub(crate) const IMAGE: &str = "ostree-unverified-registry:registry.example.com/nestos:latest";

/// Returns the digest of an image.
pub(crate) fn digest(image: char) -> String {
    format!("sha256:{}", format!("{:02x}", u32::from(image) & 0xff).repeat(32))
}

/// Returns a deployment of an image, finalized and not booted.
pub(crate) fn deployment(image: char) -> Deployment {
    Deployment {
        checksum: format!("commit-{image}"),
        serial: 0,
        stateroot: "nestos".to_owned(),
        origin: Origin::Image(IMAGE.parse().expect("a good reference")),
        digest: Some(digest(image)),
        version: None,
        timestamp: 0,
        booted: false,
        staged: false,
        pinned: false,
    }
}

/// Returns deployments by their letters, in the order of the menu: `*` before one says that it is
/// booted, `+` that it is staged.
pub(crate) fn menu(text: &str) -> Deployments {
    let mut list = Vec::new();
    let (mut booted, mut staged) = (false, false);
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '*' => booted = true,
            '+' => staged = true,
            image => {
                list.push(Deployment { booted, staged, ..deployment(image) });
                (booted, staged) = (false, false);
            }
        }
    }
    Deployments(list)
}
