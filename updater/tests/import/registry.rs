//! A registry in memory, a slow way to it, and what was asked of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::server::{Answer, End, Request, Server, sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry with the repository `nestos`.
pub(crate) struct Registry {
    server: Server,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let version = ("/v2/".to_owned(), Answer::new(200, "{}"));
        let answers = Arc::new(Mutex::new(BTreeMap::from([version])));
        let shared = Arc::clone(&answers);
        let server = Server::start(move |request: &Request, _| {
            let Some(answer) = shared.lock().unwrap().get(&request.path).cloned() else {
                return Answer::new(404, "");
            };
            let Some(start) = request.range().filter(|start| *start < answer.body.len()) else {
                return answer;
            };
            let end = match answer.end {
                End::Whole => End::Whole,
                End::CutAfter(n) => End::CutAfter(n.saturating_sub(start)),
                End::StallAfter(n) => End::StallAfter(n.saturating_sub(start)),
            };
            Answer::part(&answer.body, start).end(end)
        });
        Self { server, answers }
    }

    pub(crate) fn host(&self) -> &str {
        &self.server.host
    }

    /// Returns what names a tag for the program.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("ostree-unverified-registry:{}/nestos:{tag}", self.host())
    }

    /// Stores a blob; returns its digest.
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.set(&format!("blobs/{digest}"), Answer::new(200, bytes));
        digest
    }

    /// Stores a manifest under a tag; returns its digest.
    pub(crate) fn manifest(&self, tag: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.set(&format!("manifests/{tag}"), Answer::manifest(bytes, MANIFEST));
        self.set(&format!("manifests/{digest}"), Answer::manifest(bytes, MANIFEST));
        digest
    }

    /// Answers with something else, or breaks off.
    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(format!("/v2/nestos/{path}"), answer);
    }

    /// Lets a blob come no further than its middle; returns what heals it.
    pub(crate) fn spoil(&self, digest: &str, end: impl Fn(usize) -> End) -> Answer {
        let path = format!("blobs/{digest}");
        let good = self.answers.lock().unwrap()[&format!("/v2/nestos/{path}")].clone();
        let end = end(good.body.len() / 2);
        self.set(&path, good.clone().end(end));
        good
    }

    /// Returns how many layers and configs were asked for since the last time.
    pub(crate) fn blobs_asked(&self, since: &mut usize) -> usize {
        let asked = self.server.asked();
        let new = asked[*since..].iter().filter(|r| r.contains("/blobs/")).count();
        *since = asked.len();
        new
    }
}

/// Puts a slow line before a host: so many bytes each second for each connection.
pub(crate) fn slow(host: &str, per_second: usize) -> String {
    const STEPS: usize = 50;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = host.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&host).unwrap());
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            // Either side may go away at any time: that is what these tests are about.
            thread::spawn(move || drop(std::io::copy(&mut up, &mut server)));
            thread::spawn(move || {
                let mut part = vec![0; per_second / STEPS];
                while let Ok(n @ 1..) = down.read(&mut part) {
                    if client.write_all(&part[..n]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_secs(1) / u32::try_from(STEPS).unwrap());
                }
                client.shutdown(std::net::Shutdown::Both).ok();
            });
        }
    });
    address
}
