//! Downloads that break, stall and go on, as the library sees them: with pauses of no time.

use std::io::Read;
use std::time::Duration;

use nestos_host::term;
use nestos_installer::fetch::{self, Download, Patience, Retries, Terms};

use crate::server::{Reply, Server};

/// Reads a download in the shortest time; what the server does is up to the test.
fn downloaded(url: &str, retries: u32) -> Result<Vec<u8>, String> {
    let patience = Patience {
        silence: Duration::from_millis(400),
        first_pause: Duration::ZERO,
        longest_pause: Duration::ZERO,
    };
    let url = fetch::parse_url(url).unwrap();
    let read = || -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        Download::begin(&url, Terms { patience, ..Terms::of(Retries::Finite(retries)) })?
            .read_to_end(&mut body)?;
        Ok(body)
    };
    read().map_err(|e| term::error_lines(&e).join("\n"))
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

#[test]
fn a_download_goes_on_after_silence_and_breaks() {
    let server = Server::start(|number, request| {
        let reply = Reply::ranged(request, LETTERS, "\"1\"");
        match number {
            0 => reply.cut(3),
            1 => reply.stall(5),
            2 => Reply::status(503),
            _ => reply,
        }
    });
    assert_eq!(downloaded(&server.url, 2).unwrap(), LETTERS);
    let places: Vec<_> =
        server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    let place = |at: &str| Some(format!("bytes={at}-"));
    assert_eq!(places, [None, place("3"), place("8"), place("8")]);
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let server = Server::start(|number, _| match number {
        0 => Reply::whole(LETTERS).cut(3),
        1 => Reply::whole(LETTERS).cut(2),
        2 => Reply::whole(LETTERS).cut(10),
        _ => Reply::whole(LETTERS),
    });
    assert_eq!(downloaded(&server.url, 2).unwrap(), LETTERS);
}

#[test]
fn a_file_that_changed_meanwhile_is_refused() {
    let longer = [LETTERS, b"!"].concat();
    for (then, reason) in [
        (Reply::whole(LETTERS).header("ETag", "\"2\""), "its tag was \"1\" and is \"2\" now"),
        (Reply::whole(&longer).header("ETag", "\"1\""), "had 26 bytes and has 27 now"),
        (Reply::whole(b"ab").header("ETag", "\"1\""), "had 26 bytes and has 2 now"),
        (Reply::status(416).header("Content-Range", "bytes */2"), "it has 2 bytes now, but 3"),
    ] {
        let server = Server::start(move |number, request| match number {
            0 => Reply::ranged(request, LETTERS, "\"1\"").cut(3),
            _ => then.clone(),
        });
        let error = downloaded(&server.url, 9).unwrap_err();
        assert!(error.contains("the file on the server changed"), "{error}");
        assert!(error.contains(reason), "no {reason:?} in: {error}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn a_download_that_never_ends_names_what_is_missing() {
    let server = Server::start(|_, request| Reply::ranged(request, LETTERS, "\"1\"").cut(0));
    let error = downloaded(&server.url, 2).unwrap_err();
    assert!(error.contains("breaks off after 0 of 26 bytes"), "{error}");
    assert!(error.contains("hint: check the URL and the network"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn tries_are_counted_from_the_last_new_byte() {
    let server = Server::start(|_, request| Reply::ranged(request, LETTERS, "\"1\"").cut(1));
    assert_eq!(downloaded(&server.url, 1).unwrap(), LETTERS);
}

#[test]
fn redirects_are_followed_and_loops_are_not() {
    let server = Server::start(|_, request| match request.path.as_str() {
        "/a" => Reply::status(302).header("Location", "/b?key=secret"),
        "/b?key=secret" => Reply::whole(LETTERS),
        _ => Reply::status(302).header("Location", "/loop"),
    });
    assert_eq!(downloaded(&format!("{}/a", server.url), 0).unwrap(), LETTERS);
    assert_eq!(server.requests()[1].header("referer"), None);
    let error = downloaded(&server.url, 9).unwrap_err();
    assert!(error.contains("redirects more than 10 times"), "{error}");
}

#[test]
fn a_login_page_is_no_file() {
    let server = Server::start(|_, _| Reply::whole(b"\n<!DOCTYPE html><title>Log in</title>"));
    let error = downloaded(&server.url, 0).unwrap_err();
    assert!(error.contains("answers with a web page"), "{error}");
    assert!(error.contains("not logged in"), "{error}");
}

#[test]
fn nothing_is_decoded_on_the_way() {
    let server = Server::start(|_, _| Reply::whole(LETTERS).header("Content-Encoding", "gzip"));
    assert_eq!(downloaded(&server.url, 0).unwrap(), LETTERS);
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn an_answer_that_is_no_http_is_explained() {
    let server = Server::start(|_, _| Reply::garbage());
    let error = downloaded(&format!("{}/a?key=secret", server.url), 0).unwrap_err();
    assert!(error.contains(&format!("cannot fetch {}/a?(hidden)", server.url)), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_small_file_may_be_missing_but_not_too_long() {
    let server = Server::start(|_, request| match request.path.as_str() {
        "/there" => Reply::whole(LETTERS),
        "/forbidden" => Reply::status(403),
        _ => Reply::status(404),
    });
    let get = |path: &str, limit| {
        let url = fetch::parse_url(&format!("{}{path}", server.url)).unwrap();
        fetch::bytes_if_there(&url, Retries::Infinite, limit).map_err(|e| format!("{e:#}"))
    };
    assert_eq!(get("/there", 26).unwrap().unwrap(), LETTERS);
    assert_eq!(get("/missing", 26).unwrap(), None);
    assert!(get("/forbidden", 26).unwrap_err().contains("403"));
    assert!(get("/there", 25).unwrap_err().contains("is longer than 25 bytes"));
}
