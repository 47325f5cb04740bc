//! A registry that misbehaves as told, and a node that asks it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use anyhow::Result;
use nestos_host::term::error_lines;
use nestos_updater::fetch::{self, ImageSource, Options};
use oci_spec::image::{Descriptor, Digest as OciDigest, MediaType};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The first byte that is wanted, and the header's absence as `None`.
    pub(crate) fn range(&self) -> Option<usize> {
        self.header("range").strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// How an answer's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    CutAfter(usize),
    StallAfter(usize),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    pub(crate) length: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = Some(body.len());
        Self { status, headers: Vec::new(), body, end: End::Whole, length }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// The part from `start` on, as asked for by a range.
    pub(crate) fn part(body: &[u8], start: usize) -> Self {
        let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
        Self::new(206, &body[start..]).with("Content-Range", range)
    }

    pub(crate) fn manifest(body: &[u8], media_type: &str) -> Self {
        Self::new(200, body)
            .with("Content-Type", media_type)
            .with("Docker-Content-Digest", sha256(body))
    }
}

/// A server on 127.0.0.1 that answers by a function, and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) host: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// The function gets the request, and how many with the same method and path came before.
    pub(crate) fn start(
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&log));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || serve(&mut stream.unwrap(), &*answer, &seen));
            }
        });
        Self { host, log }
    }

    /// What was asked: method and path, with the range if there was one.
    pub(crate) fn asked(&self) -> Vec<String> {
        let shown = |r: &Request| {
            let range = r.range().map(|start| format!(" from {start}")).unwrap_or_default();
            format!("{} {}{range}", r.method, r.path)
        };
        self.log.lock().unwrap().iter().map(shown).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(
    stream: &mut TcpStream,
    answer: &(dyn Fn(&Request, usize) -> Answer + Send + Sync),
    log: &Mutex<Vec<Request>>,
) {
    let Some(request) = read_request(stream) else { return };
    let answer = {
        let mut log = log.lock().unwrap();
        let same = |r: &&Request| r.method == request.method && r.path == request.path;
        let before = log.iter().filter(same).count();
        log.push(request.clone());
        drop(log);
        answer(&request, before)
    };
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", answer.status);
    if let Some(length) = answer.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let sent = match answer.end {
        End::Whole => answer.body.len(),
        End::CutAfter(n) | End::StallAfter(n) => n,
    };
    let body = if request.method == "HEAD" { &[][..] } else { &answer.body[..sent] };
    // A client that went away has seen enough.
    if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
        return;
    }
    if let End::StallAfter(_) = answer.end {
        // It ends when the client gives up.
        stream.read_exact(&mut [0]).ok();
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
        if text.len() == 5 && text[0] == 0x16 {
            return refuse_tls(stream, u16::from_be_bytes([text[3], text[4]]));
        }
    }
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let header = |l: &str| l.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned()));
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |l| l.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    // The body of a form is shown as if it were a query.
    let path = if body.is_empty() { path } else { path + "?" + str::from_utf8(&body).unwrap() };
    Some(Request { method, path, headers })
}

/// What a server without TLS says to one who starts with it.
fn refuse_tls(stream: &mut TcpStream, length: u16) -> Option<Request> {
    stream.read_exact(&mut vec![0; usize::from(length)]).ok()?;
    stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").ok()?;
    None
}

/// A node: a directory instead of `/`, and short patience.
pub(crate) struct Node {
    pub(crate) root: TempDir,
}

impl Node {
    pub(crate) fn new(registries_conf: &str) -> Self {
        let node = Self { root: tempfile::tempdir().unwrap() };
        node.write("etc/containers/registries.conf", registries_conf);
        node
    }

    /// A node that takes some hosts without TLS.
    pub(crate) fn insecure(hosts: &[&Server]) -> Self {
        let rule =
            |s: &&Server| format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", s.host);
        Self::new(&hosts.iter().map(rule).collect::<String>())
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes credentials `NAME:PASSWORD` for a host.
    pub(crate) fn log_in(&self, host: &str, pair: &str) {
        use base64::Engine;
        let auth = base64::engine::general_purpose::STANDARD.encode(pair);
        let text = serde_json::json!({ "auths": { host: { "auth": auth } } }).to_string();
        self.write("etc/nestos/auth.json", text);
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            root: self.root.path().to_owned(),
            arch: "arm64".to_owned(),
            authfile: None,
            environment_authfile: None,
            stall: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            retries: 3,
            backoff: Duration::from_millis(1),
        }
    }

    pub(crate) fn open(&self, image: &str) -> Box<dyn ImageSource> {
        fetch::open(&image.parse().unwrap(), &self.options()).unwrap()
    }

    /// Hides what differs from run to run.
    pub(crate) fn neutral(&self, text: &str, server: &Server) -> String {
        text.replace(&server.host, "HOST").replace(&self.root.path().display().to_string(), "")
    }
}

/// A blob that was read; its bytes are too many to be shown.
#[derive(PartialEq, Eq)]
pub(crate) struct Body(Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes with {}", self.0.len(), sha256(&self.0))
    }
}

impl PartialEq<&[u8]> for Body {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

/// The first bytes of some that have no pattern.
pub(crate) fn content(length: usize) -> &'static [u8] {
    static ALL: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(&mut next).take(6_000_000).collect()
    });
    &ALL[..length]
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

pub(crate) fn layer(bytes: &[u8]) -> Descriptor {
    descriptor(&sha256(bytes), bytes.len() as u64)
}

pub(crate) fn descriptor(digest: &str, size: u64) -> Descriptor {
    let digest = OciDigest::from_str(digest).unwrap();
    Descriptor::new(MediaType::ImageLayerGzip, size, digest)
}

/// Drains a blob. Errors come as the lines that a person sees.
pub(crate) fn drain(
    source: &dyn ImageSource,
    descriptor: &Descriptor,
) -> Result<Body, Vec<String>> {
    let mut out = Vec::new();
    let read = source.blob(descriptor).and_then(|mut blob| Ok(blob.read_to_end(&mut out)?));
    read.map(|_| Body(out)).map_err(|e| error_lines(&e))
}

/// Returns the lines that a person sees.
pub(crate) fn lines<T>(result: Result<T>) -> Vec<String> {
    error_lines(&result.err().expect("an error"))
}

/// Returns whether a program can be run; says loudly when it cannot.
pub(crate) fn have(program: &str) -> bool {
    let found = ["/usr/bin", "/usr/local/bin"].iter().any(|d| Path::new(d).join(program).exists());
    if !found {
        nestos_host::term::warning(format!("SKIPPED: {program} is missing"));
    }
    found
}
