//! A web server whose every answer is up to the test, and which remembers what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).ok()? == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
        Some(Self { path, headers })
    }

    /// Returns a header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    head: String,
    announced: usize,
    body: Vec<u8>,
    silent: bool,
}

impl Reply {
    /// The whole of a file.
    pub(crate) fn whole(bytes: &[u8]) -> Self {
        Self {
            head: "HTTP/1.1 200 X\r\n".to_owned(),
            announced: bytes.len(),
            body: bytes.to_vec(),
            silent: false,
        }
    }

    /// A status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self { head: format!("HTTP/1.1 {status} X\r\n"), ..Self::whole(b"") }
    }

    /// What is no answer at all.
    pub(crate) fn garbage() -> Self {
        Self { head: "\0garbage\r\n".to_owned(), ..Self::whole(b"") }
    }

    /// The part of a file that was asked for.
    pub(crate) fn ranged(request: &Request, bytes: &[u8], tag: &str) -> Self {
        let range = request.header("range").and_then(|r| r.strip_prefix("bytes="));
        let start = range.and_then(|r| r.strip_suffix('-')?.parse::<usize>().ok());
        let start = start.filter(|_| request.header("if-range").is_none_or(|t| t == tag));
        let reply = match start {
            None => Self::whole(bytes),
            Some(start) if start >= bytes.len() => {
                Self::status(416).header("Content-Range", &format!("bytes */{}", bytes.len()))
            }
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                let part = Self::whole(&bytes[start..]);
                let head = "HTTP/1.1 206 X\r\n".to_owned();
                Self { head, ..part }.header("Content-Range", &range)
            }
        };
        reply.header("ETag", tag)
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Ends the connection after so many bytes of the body.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// Falls silent after so many bytes of the body.
    pub(crate) fn stall(self, bytes: usize) -> Self {
        Self { silent: true, ..self.cut(bytes) }
    }

    fn send(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (head, announced) = (&self.head, self.announced);
        write!(stream, "{head}Content-Length: {announced}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&self.body)?;
        if self.silent {
            // Until the other side gives up.
            stream.read_exact(&mut [0])?;
        }
        Ok(())
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is, without a slash at the end.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server; `answer` gets the number of the request, from 0, and the request.
    pub(crate) fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = Request::read(&mut stream) else { continue };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                let reply = answer(number, &request);
                thread::spawn(move || drop(reply.send(stream)));
            }
        });
        Self { url, requests }
    }

    /// Returns what it was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}
