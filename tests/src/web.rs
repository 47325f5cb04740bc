//! A web server on the loopback with one file; a guest reaches it as 10.0.2.2.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let address = listener.local_addr().context("cannot find the server's port")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, served) = (Arc::clone(&stop), path.to_owned());
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up has lost its own request only.
                drop(connection.and_then(|stream| answer(&stream, &served, &content)));
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

fn answer(mut stream: &TcpStream, path: &str, content: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let found = request.split(' ').nth(1) == Some(path);
    let (status, body) = if found { ("200 OK", content) } else { ("404 Not Found", &[][..]) };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

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
}
