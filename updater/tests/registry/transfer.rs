//! Blobs on a bad line.

use std::io::Read;
use std::time::Duration;

use nestos_updater::fetch::{self, Options};

use super::server::{Answer, Body, End, Node, Server, content, descriptor, drain, layer, sha256};

const LENGTH: usize = 300_000;

/// A server with one blob whose answers break off as told; the last one is whole.
fn server(ends: &'static [End]) -> Server {
    Server::start(move |request, before| {
        let body = content(LENGTH);
        let end = ends.get(before).copied().unwrap_or(End::Whole);
        match request.range() {
            Some(start) => Answer::part(body, start).end(end),
            None => Answer::new(200, body).end(end),
        }
    })
}

fn fetched(server: &Server) -> Result<Body, Vec<String>> {
    let node = Node::insecure(&[server]);
    let source = node.open(&format!("registry:{}/nestos:v1", server.host));
    let read = drain(&*source, &layer(content(LENGTH)));
    read.map_err(|lines| lines.iter().map(|line| node.neutral(line, server)).collect())
}

fn path() -> String {
    format!("/v2/nestos/blobs/{}", sha256(content(LENGTH)))
}

#[test]
fn a_blob_that_is_cut_goes_on_where_it_stopped() {
    let server = server(&[End::CutAfter(100_000), End::CutAfter(50_000)]);
    assert_eq!(fetched(&server).unwrap(), content(LENGTH));
    let get = |range: &str| format!("GET {}{range}", path());
    assert_eq!(server.asked(), [get(""), get(" from 100000"), get(" from 150000")]);
}

#[test]
fn a_blob_that_stalls_goes_on_over_a_new_connection() {
    let server = server(&[End::StallAfter(100_000)]);
    let node = Node::insecure(&[&server]);
    let options = Options { stall: Duration::from_millis(500), ..node.options() };
    let image = format!("registry:{}/nestos:v1", server.host).parse().unwrap();
    let source = fetch::open(&image, &options).unwrap();
    assert_eq!(drain(&*source, &layer(content(LENGTH))).unwrap(), content(LENGTH));
    assert_eq!(server.asked()[1], format!("GET {} from 100000", path()));
}

#[test]
fn a_server_without_ranges_sends_all_again_and_nothing_is_read_twice() {
    let server = Server::start(|_, before| {
        let end = if before < 2 { End::CutAfter(100_000 + before) } else { End::Whole };
        Answer::new(200, content(LENGTH)).end(end)
    });
    assert_eq!(fetched(&server).unwrap(), content(LENGTH));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_blob_that_never_comes_names_blob_host_and_cause() {
    let server = server(&[End::CutAfter(0), End::CutAfter(9), End::CutAfter(0), End::CutAfter(0)]);
    let digest = sha256(content(LENGTH));
    assert_eq!(
        fetched(&server).unwrap_err(),
        [
            format!("error: cannot fetch blob {digest} of nestos from HOST"),
            "  because: end of file before message length reached after 9 of 300000 bytes, 4 times"
                .to_owned()
        ]
    );
}

#[test]
fn a_stall_that_never_ends_is_an_error() {
    let server = server(&[End::StallAfter(10), End::StallAfter(0)]);
    let node = Node::insecure(&[&server]);
    let stall = Duration::from_millis(500);
    let options = Options { retries: 1, stall, ..node.options() };
    let image = format!("registry:{}/nestos:v1", server.host).parse().unwrap();
    let source = fetch::open(&image, &options).unwrap();
    let lines = drain(&*source, &layer(content(LENGTH))).unwrap_err();
    assert_eq!(lines[1], "  because: no bytes come for 0.5 s after 10 of 300000 bytes, 2 times");
}

#[test]
fn other_bytes_are_an_error_at_the_end_and_not_an_end() {
    let server = Server::start(|_, _| Answer::new(200, vec![7; LENGTH]));
    assert_eq!(
        fetched(&server).unwrap_err(),
        [format!(
            "error: blob {} of HOST/nestos:v1 has the digest {}",
            sha256(content(LENGTH)),
            sha256(&vec![7; LENGTH])
        )]
    );
}

#[test]
fn another_size_is_refused_before_the_first_byte() {
    let server = Server::start(|_, _| Answer::new(200, content(LENGTH - 1)));
    assert_eq!(
        fetched(&server).unwrap_err(),
        [
            format!("error: blob {} of nestos", sha256(content(LENGTH))),
            "  because: HOST has 299999 bytes of it, and the manifest says 300000".to_owned()
        ]
    );
}

#[test]
fn a_blob_that_is_longer_than_the_manifest_says_is_not_read_to_its_end() {
    let server =
        Server::start(|_, _| Answer { length: None, ..Answer::new(200, content(LENGTH * 20)) });
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:v1", server.host));
    let mut blob = source.blob(&layer(content(LENGTH))).unwrap();
    let (mut seen, mut buf) = (0, vec![0; 100_000]);
    let error = loop {
        match blob.read(&mut buf) {
            Ok(n) => seen += n,
            Err(e) => break e.to_string(),
        }
    };
    assert!(error.ends_with("is longer than 300000 bytes"), "{error}");
    assert!(seen <= LENGTH, "{seen}");
    assert!(blob.read(&mut buf).is_err(), "it stays an error");
}

#[test]
fn a_blob_that_is_shorter_than_the_manifest_says_ends_in_an_error() {
    let server = Server::start(|request, _| match request.range() {
        Some(_) => Answer::new(416, ""),
        None => Answer { length: None, ..Answer::new(200, content(1000)) },
    });
    let lines = fetched(&server).unwrap_err();
    assert_eq!(lines[1], "  because: it ends after 1000 of 300000 bytes");
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let server = Server::start(|request, _| match request.range() {
        Some(start) => Answer::part(content(LENGTH), start + 1),
        None => Answer::new(200, content(LENGTH)).end(End::CutAfter(10)),
    });
    let lines = fetched(&server).unwrap_err();
    assert_eq!(lines[1], "  because: HOST sends byte 11 when asked for byte 10");
}

#[test]
fn servers_that_are_busy_are_asked_again() {
    let server = Server::start(|_, before| match before {
        0 => Answer::new(503, "").with("Retry-After", "0"),
        1 => Answer::new(429, ""),
        _ => Answer::new(200, content(LENGTH)),
    });
    assert_eq!(fetched(&server).unwrap(), content(LENGTH));
    let busy = Server::start(|_, _| {
        Answer::new(503, r#"{"errors":[{"code":"X","message":"come\nback"}]}"#)
    });
    assert_eq!(
        fetched(&busy).unwrap_err(),
        [format!(
            "error: HOST answers 503 Service Unavailable: come\\nback when asked for blob {} of nestos",
            sha256(content(LENGTH))
        )]
    );
    assert_eq!(busy.asked().len(), 4);
}

#[test]
fn several_blobs_come_at_once() {
    let server = server(&[]);
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:v1", server.host));
    let descriptor = layer(content(LENGTH));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(drain(&*source, &descriptor).unwrap(), content(LENGTH)));
        }
    });
}

#[test]
fn only_sha256_digests_are_taken() {
    let server = Server::start(|_, _| Answer::new(200, "x"));
    let node = Node::insecure(&[&server]);
    let source = node.open(&format!("registry:{}/nestos:v1", server.host));
    let other = descriptor(&format!("sha512:{}", "0".repeat(128)), 1);
    let lines = drain(&*source, &other).unwrap_err();
    assert!(lines[0].ends_with("only sha256 digests are supported"), "{lines:?}");
    assert_eq!(server.asked(), Vec::<String>::new());
}
