//! A web server on the loopback with one file, or with those of a directory; a guest reaches it as
//! 10.0.2.2.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// A server that runs until it goes out of scope.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    path: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Serves `content` at `path`, everything else is not found.
    pub fn start(path: &str, content: Vec<u8>) -> Result<Self> {
        Self::serve(path, Served::File(path.to_owned(), content))
    }

    /// Serves the files of a directory and of those in it.
    pub fn start_in(dir: PathBuf) -> Result<Self> {
        Self::serve("/", Served::Directory(dir))
    }

    /// Returns the URL as the host sees it.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    fn serve(path: &str, content: Served) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let address = listener.local_addr().context("cannot find the server's port")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up has lost its own request only.
                drop(connection.and_then(|stream| answer(&stream, &content)));
            }
        });
        Ok(Self { address, path: path.to_owned(), stop, thread: Some(thread) })
    }

    /// Returns the URL of the file as a guest on a user network sees it.
    pub fn guest_url(&self) -> String {
        format!("http://10.0.2.2:{}{}", self.address.port(), self.path)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which ends then; if it is gone already, so much the better.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What a server has.
enum Served {
    File(String, Vec<u8>),
    Directory(PathBuf),
}

impl Served {
    /// Returns the content at a path, with its length.
    fn find(&self, path: &str) -> Option<(u64, Box<dyn Read + '_>)> {
        match self {
            Self::File(name, content) => {
                (name == path).then(|| (content.len() as u64, Box::new(&content[..]) as Box<_>))
            }
            Self::Directory(dir) => {
                let name = path.strip_prefix('/')?;
                if name.split('/').any(|part| part == "..") {
                    return None;
                }
                let file = File::open(dir.join(name)).ok()?;
                let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
                Some((meta.len(), Box::new(file)))
            }
        }
    }
}

fn answer(mut stream: &TcpStream, content: &Served) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let found = request.split(' ').nth(1).and_then(|path| content.find(path));
    let (status, (length, mut body)) = match found {
        Some(found) => ("200 OK", found),
        None => ("404 Not Found", (0, Box::new(std::io::empty()) as Box<dyn Read>)),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    std::io::copy(&mut body, &mut stream).map(drop)
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
}
