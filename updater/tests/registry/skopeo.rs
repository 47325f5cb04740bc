//! What is not in a registry comes through skopeo, and is verified all the same.

use std::fs;
use std::io::Read;
use std::path::Path;

use nestos_host::cmd::Cmd;
use nestos_host::term::error_lines;
use nestos_updater::fetch::{self, FetchError, RawManifest};
use oci_spec::image::ImageManifest;

use super::server::{Node, content, descriptor, drain, have, layer, lines, sha256};

/// Writes an image in OCI layout, with two layers.
pub(crate) fn layout(dir: &Path) -> RawManifest {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let store = |bytes: &[u8], media_type: &str| {
        let digest = sha256(bytes);
        fs::write(blobs.join(&digest["sha256:".len()..]), bytes).unwrap();
        serde_json::json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    };
    let image = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let layers = [content(200_000), content(300)];
    let config = serde_json::json!({
        "architecture": "arm64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": layers.map(sha256) },
    });
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": image("manifest.v1+json"),
        "config": store(config.to_string().as_bytes(), &image("config.v1+json")),
        "layers": layers.map(|l| store(l, &image("layer.v1.tar+gzip"))),
    });
    let bytes = manifest.to_string().into_bytes();
    let index = serde_json::json!({
        "schemaVersion": 2, "manifests": [store(&bytes, &image("manifest.v1+json"))],
    });
    fs::write(dir.join("index.json"), index.to_string()).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    RawManifest { digest: sha256(&bytes), bytes }
}

/// Copies an image in OCI layout elsewhere, without changing it.
pub(crate) fn push(dir: &Path, to: &str) {
    Cmd::new("skopeo")
        .args(["copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"])
        .arg(format!("oci:{}", dir.display()))
        .arg(to)
        .run()
        .unwrap();
}

fn blob_path(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    dir.join("blobs/sha256").join(&sha256(bytes)["sha256:".len()..])
}

#[test]
fn images_outside_of_registries_are_read_whatever_the_transport() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source_dir = dir.path().join("image");
    let expected = layout(&source_dir);
    let node = Node::new("");
    for transport in ["oci", "oci-archive", "dir"] {
        let image = format!("{transport}:{}", dir.path().join(transport).display());
        push(&source_dir, &image);
        let source = node.open(&image);
        assert_eq!(source.manifest().unwrap(), expected, "{transport}");
        let manifest: ImageManifest = serde_json::from_slice(&expected.bytes).unwrap();
        for (layer, length) in manifest.layers().iter().zip([200_000, 300]) {
            assert_eq!(drain(&*source, layer).unwrap(), content(length), "{transport}");
        }
    }
}

#[test]
fn blobs_may_be_read_by_turns_and_left_in_the_middle() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path());
    let source = Node::new("").open(&format!("oci:{}", dir.path().display()));
    let open = |length| source.blob(&layer(content(length))).unwrap();
    let (mut a, mut b, mut c) = (open(200_000), open(300), open(200_000));
    let mut start = vec![0; 100_000];
    a.read_exact(&mut start).unwrap();
    c.read_exact(&mut [0; 10]).unwrap();
    drop(c);
    let mut whole = Vec::new();
    b.read_to_end(&mut whole).unwrap();
    assert!(whole == content(300));
    drop(source);
    a.read_to_end(&mut start).unwrap();
    assert!(start == content(200_000), "a reader outlives its source");
}

#[test]
fn blobs_are_read_by_several_threads_at_once() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path());
    let source = Node::new("").open(&format!("oci:{}", dir.path().display()));
    std::thread::scope(|scope| {
        for length in [200_000, 300, 200_000, 300] {
            let source = &*source;
            scope.spawn(move || {
                assert_eq!(drain(source, &layer(content(length))).unwrap(), content(length));
            });
        }
    });
}

#[test]
fn blobs_that_are_not_what_the_manifest_says_end_in_an_error() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path());
    let node = Node::new("");
    let image = format!("oci:{}", dir.path().display());
    let path = blob_path(dir.path(), content(300));
    let what = format!("blob {} of {image}", sha256(content(300)));
    let wrong = vec![0; 300];
    for (bytes, says) in [
        (&wrong[..], format!("has the digest {}", sha256(&wrong))),
        (content(301), "is longer than 300 bytes".to_owned()),
        (content(299), String::new()),
    ] {
        fs::write(&path, bytes).unwrap();
        let lines = drain(&*node.open(&image), &layer(content(300))).unwrap_err();
        assert!(lines[0].contains(&what), "{lines:?}");
        assert!(lines[0].contains(&says) || lines[0].contains("corrupted blob"), "{lines:?}");
    }
    fs::remove_file(&path).unwrap();
    let lines = drain(&*node.open(&image), &layer(content(300))).unwrap_err();
    assert!(lines[0].contains("no such file or directory"), "{lines:?}");
    let other = descriptor(&sha256(content(200_000)), 100);
    assert!(drain(&*node.open(&image), &other).is_err(), "the size is checked as well");
}

#[test]
fn a_pinned_image_must_have_its_digest() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let manifest = layout(dir.path());
    let (node, name) = (Node::new(""), format!("oci:{}", dir.path().display()));
    let image = name.parse().unwrap();
    let open = |digest: &str| fetch::open_pinned(&image, digest, &node.options()).unwrap();
    assert_eq!(open(&manifest.digest).digest().unwrap(), manifest.digest);
    let other = sha256(b"other");
    for error in [open(&other).manifest().unwrap_err(), open(&other).digest().unwrap_err()] {
        assert!(matches!(error.downcast_ref(), Some(FetchError::OtherDigest { .. })));
        assert_eq!(
            error_lines(&error),
            [format!("error: {name} has the digest {}, not {other}", manifest.digest)]
        );
    }
}

#[test]
fn an_image_that_is_not_there_is_named() {
    if !have("skopeo") {
        return;
    }
    let node = Node::new("");
    let image = "dir:/nonexistent/image".parse().unwrap();
    let opened = fetch::open(&image, &node.options()).and_then(|source| source.manifest());
    let said = lines(opened);
    assert!(said[0].contains("dir:/nonexistent/image"), "{said:?}");
    assert!(said[1].contains("no such file or directory"), "{said:?}");
}
