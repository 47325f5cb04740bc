//! Manifests, indexes and their digests.

use super::server::{Answer, Node, Server, lines, sha256};
use nestos_updater::fetch::{self, FetchError};

const SINGLE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn manifest(arch: &str) -> Vec<u8> {
    format!(r#"{{"schemaVersion":2,"config":{{}},"layers":[],"x":"{arch}"}}"#).into_bytes()
}

fn index() -> Vec<u8> {
    let entry = |arch: &str| {
        let (digest, size) = (sha256(&manifest(arch)), manifest(arch).len());
        let platform = serde_json::json!({"os": "linux", "architecture": arch});
        serde_json::json!({"digest": digest, "size": size, "platform": platform})
    };
    let entries = [entry("amd64"), entry("arm64")];
    serde_json::json!({"schemaVersion": 2, "manifests": entries}).to_string().into_bytes()
}

/// A registry with one tag of an index, `all`, and one of a manifest, `one`.
fn registry() -> Server {
    Server::start(|request, _| {
        let all = [(index(), INDEX), (manifest("amd64"), SINGLE), (manifest("arm64"), SINGLE)];
        let reference = request.path.rsplit('/').next().unwrap();
        let wanted = match reference {
            "all" => sha256(&index()),
            "one" => sha256(&manifest("arm64")),
            digest => digest.to_owned(),
        };
        match all.iter().find(|(body, _)| sha256(body) == wanted) {
            Some((body, media_type)) => Answer::manifest(body, media_type),
            None => Answer::new(404, ""),
        }
    })
}

#[test]
fn an_index_is_resolved_to_this_architecture() {
    let server = registry();
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:all", server.host));
    let manifest = source.manifest().unwrap();
    assert_eq!(manifest.bytes, self::manifest("arm64"));
    assert_eq!(manifest.digest, sha256(&manifest.bytes));
    assert_eq!(source.digest().unwrap(), manifest.digest);
    assert!(server.requests()[0].header("accept").contains(INDEX));
}

#[test]
fn an_index_without_this_architecture_names_what_there_is() {
    let server = registry();
    let node = Node::insecure(&[&server]);
    let image = format!("registry:{}/nestos:all", server.host).parse().unwrap();
    let options = fetch::Options { arch: "riscv64".to_owned(), ..node.options() };
    let said = lines(fetch::open(&image, &options).unwrap().manifest());
    let said: Vec<_> = said.iter().map(|line| node.neutral(line, &server)).collect();
    assert_eq!(
        said,
        [
            "error: cannot use HOST/nestos:all",
            "  because: it has no image for linux/riscv64, only for linux/amd64, linux/arm64"
        ]
    );
}

#[test]
fn the_digest_of_a_manifest_costs_one_request_without_a_body() {
    let server = registry();
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:one", server.host));
    assert_eq!(source.digest().unwrap(), sha256(&manifest("arm64")));
    assert_eq!(server.asked(), ["HEAD /v2/nestos/manifests/one"]);
}

#[test]
fn servers_that_cannot_say_the_digest_are_asked_for_the_manifest() {
    for head in [Answer::new(405, ""), Answer::new(200, "").with("Content-Type", SINGLE)] {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "HEAD" => head.clone(),
            _ => Answer::new(200, manifest("arm64")),
        });
        let node = Node::insecure(&[&server]);
        let source = node.open(&format!("registry:{}/nestos:one", server.host));
        assert_eq!(source.digest().unwrap(), sha256(&manifest("arm64")));
    }
}

#[test]
fn a_digest_in_the_name_is_what_is_asked_for() {
    let server = registry();
    let node = Node::insecure(&[&server]);
    let digest = sha256(&manifest("amd64"));
    let image = format!("registry:{}/nestos:one", server.host).parse().unwrap();
    let source = fetch::open_pinned(&image, &digest, &node.options()).unwrap();
    assert_eq!(source.manifest().unwrap().digest, digest);
    assert_eq!(server.asked(), [format!("GET /v2/nestos/manifests/{digest}")]);
}

#[test]
fn a_manifest_with_another_digest_is_refused() {
    let liar = Server::start(|_, _| {
        Answer::new(200, manifest("arm64")).with("Docker-Content-Digest", sha256(b"other"))
    });
    let node = Node::insecure(&[&liar]);
    let (found, other) = (sha256(&manifest("arm64")), sha256(b"other"));
    let said = lines(node.open(&format!("registry:{}/nestos:v1", liar.host)).manifest());
    assert_eq!(
        said.iter().map(|line| node.neutral(line, &liar)).collect::<Vec<_>>(),
        [
            "error: cannot read tag nestos:v1 from HOST".to_owned(),
            format!("  because: it has the digest {found}, not {other}")
        ]
    );
    let asked = sha256(b"asked");
    let said = lines(node.open(&format!("registry:{}/nestos@{asked}", liar.host)).manifest());
    assert_eq!(said[1], format!("  because: it has the digest {found}, not {asked}"));
}

#[test]
fn what_is_not_there_is_named_with_its_host() {
    let server = registry();
    let node = Node::insecure(&[&server]);
    let digest = sha256(b"none");
    for (name, what) in [
        ("nestos:v9".to_owned(), "tag nestos:v9".to_owned()),
        ("nestos".to_owned(), "tag nestos:latest".to_owned()),
        (format!("nestos@{digest}"), format!("manifest nestos@{digest}")),
    ] {
        let source = node.open(&format!("registry:{}/{name}", server.host));
        for error in [source.manifest().unwrap_err(), source.digest().unwrap_err()] {
            let expected = FetchError::NotFound { what: what.clone(), host: server.host.clone() };
            assert_eq!(error.downcast_ref(), Some(&expected));
            assert_eq!(error.to_string(), format!("no such {what} on {}", server.host));
        }
    }
}

#[test]
fn an_endless_manifest_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Answer::new(200, vec![b' '; 5 << 20]));
    let node = Node::insecure(&[&server]);
    let said = lines(node.open(&format!("registry:{}/nestos:v1", server.host)).manifest());
    assert_eq!(said[1], "  because: it is larger than 4194304 bytes");
}

#[test]
fn a_manifest_that_is_cut_is_fetched_again() {
    let server = Server::start(|_, before| {
        let end =
            if before == 0 { super::server::End::CutAfter(5) } else { super::server::End::Whole };
        Answer::manifest(&manifest("arm64"), SINGLE).end(end)
    });
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:v1", server.host));
    assert_eq!(source.manifest().unwrap().bytes, manifest("arm64"));
}
