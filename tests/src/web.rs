//! A web server on the loopback with one file, or with those of a directory; a guest reaches it as
//! 10.0.2.2.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nestos_host::clock;

/// What goes wrong with a server before all is well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// For so long after the start it answers that it is not available.
    pub unavailable: Duration,
    /// So many bodies end in their middle.
    pub cut: u32,
}

/// A server that runs until it goes out of scope.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    path: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Serves `content` at `path`, everything else is not found.
    pub fn start(path: &str, content: Vec<u8>) -> Result<Self> {
        Self::serve(path, Served::File(path.to_owned(), content), Trouble::default())
    }

    /// Serves the files of a directory and of those in it.
    pub fn start_in(dir: PathBuf) -> Result<Self> {
        Self::start_troubled(dir, Trouble::default())
    }

    /// Serves the files of a directory, not without trouble.
    pub fn start_troubled(dir: PathBuf, trouble: Trouble) -> Result<Self> {
        Self::serve("/", Served::Directory(dir), trouble)
    }

    /// Serves the files of a directory at an address of this host.
    pub fn start_at(address: (&str, u16), dir: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind(address).context("cannot listen")?;
        Self::serve_on(listener, "/", Served::Directory(dir), Trouble::default())
    }

    /// Returns the URL as the host sees it.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    /// Returns the URL of the file as a guest on a user network sees it.
    pub fn guest_url(&self) -> String {
        format!("http://10.0.2.2:{}{}", self.address.port(), self.path)
    }

    /// Returns the first line of every request, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(path: &str, content: Served, trouble: Trouble) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        Self::serve_on(listener, path, content, trouble)
    }

    fn serve_on(
        listener: TcpListener,
        path: &str,
        content: Served,
        trouble: Trouble,
    ) -> Result<Self> {
        let address = listener.local_addr().context("cannot find the server's port")?;
        let shared = Arc::new(Shared {
            content,
            available: clock::instant() + trouble.unavailable,
            cuts_left: AtomicU32::new(trouble.cut),
            requests: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if of_thread.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // A client that hangs up has lost its own request only.
                std::thread::spawn(move || drop(connection.and_then(|s| answer(&s, &shared))));
            }
        });
        Ok(Self { address, path: path.to_owned(), shared, thread: Some(thread) })
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which ends then; if it is gone already, so much the better.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What the threads of a server share.
#[derive(Debug)]
struct Shared {
    content: Served,
    available: Instant,
    cuts_left: AtomicU32,
    requests: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// What a server has.
#[derive(Debug)]
enum Served {
    File(String, Vec<u8>),
    Directory(PathBuf),
}

impl Served {
    /// Returns the content at a path from byte `from` on, with the length of all of it.
    fn find(&self, path: &str, from: u64) -> Option<(u64, Box<dyn Read + '_>)> {
        match self {
            Self::File(name, content) => {
                let start = usize::try_from(from).ok()?.min(content.len());
                (name == path)
                    .then(|| (content.len() as u64, Box::new(&content[start..]) as Box<_>))
            }
            Self::Directory(dir) => {
                let name = path.strip_prefix('/')?;
                if name.split('/').any(|part| part == "..") {
                    return None;
                }
                let mut file = File::open(dir.join(name)).ok()?;
                let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
                file.seek(SeekFrom::Start(from)).ok()?;
                Some((meta.len(), Box::new(file)))
            }
        }
    }
}

fn answer(mut stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut from = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        let range = line.strip_prefix("range: bytes=").and_then(|r| r.strip_suffix('-'));
        from = from.or(range.and_then(|start| start.parse::<u64>().ok()));
    }
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let head = |status: &str, length: u64, more: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\n{more}\
             Connection: close\r\n\r\n"
        )
    };
    if clock::instant() < shared.available {
        return stream.write_all(head("503 Service Unavailable", 0, "").as_bytes());
    }
    let start = from.unwrap_or_default();
    let found = request.split(' ').nth(1).and_then(|path| shared.content.find(path, start));
    let Some((length, body)) = found else {
        return stream.write_all(head("404 Not Found", 0, "").as_bytes());
    };
    let rest = length.saturating_sub(start);
    let range = format!("Content-Range: bytes {start}-{}/{length}\r\n", length.saturating_sub(1));
    let answer = match from {
        Some(_) => head("206 Partial Content", rest, &range),
        None => head("200 OK", length, ""),
    };
    stream.write_all(answer.as_bytes())?;
    if request.starts_with("HEAD ") {
        return Ok(());
    }
    let left = &shared.cuts_left;
    let cut = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
    std::io::copy(&mut body.take(if cut { rest / 2 } else { rest }), &mut stream).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    #[test]
    fn the_file_is_served_and_nothing_else() {
        let server = WebServer::start("/a/b", b"content".to_vec()).unwrap();
        assert!(get(server.address, "/a/b").ends_with("\r\n\r\ncontent"));
        assert!(get(server.address, "/a").starts_with("HTTP/1.1 404 "));
        assert!(server.guest_url().starts_with("http://10.0.2.2:"));
    }

    #[test]
    fn a_directory_is_served_and_nothing_outside_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::fs::write(dir.path().join("secret"), "no").unwrap();
        std::fs::write(dir.path().join("in/a"), "content").unwrap();
        let server = WebServer::start_in(dir.path().join("in")).unwrap();
        assert!(get(server.address, "/a").ends_with("\r\n\r\ncontent"));
        for path in ["/../secret", "/..", "/", "/b"] {
            assert!(get(server.address, path).starts_with("HTTP/1.1 404 "), "{path}");
        }
    }

    #[test]
    fn a_troubled_server_refuses_cuts_and_lets_a_client_go_on() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "0123456789").unwrap();
        let server = |unavailable, cut| {
            let trouble = Trouble { unavailable: Duration::from_secs(unavailable), cut };
            WebServer::start_troubled(dir.path().to_owned(), trouble).unwrap()
        };
        let refusing = server(60, 0);
        assert!(get(refusing.address, "/a").starts_with("HTTP/1.1 503 "));
        let cutting = server(0, 1);
        assert!(get(cutting.address, "/a").ends_with("\r\n\r\n01234"));
        assert!(get(cutting.address, "/a").ends_with("\r\n\r\n0123456789"));
        let rest = get(cutting.address, "/a HTTP/1.1\r\nRange: bytes=7-\r\nX: ");
        assert!(rest.starts_with("HTTP/1.1 206 ") && rest.ends_with("\r\n\r\n789"), "{rest}");
        assert!(rest.contains("Content-Range: bytes 7-9/10\r\n"));
        assert_eq!(cutting.requests().len(), 3);
    }
}
