//! A file over TFTP (RFC 1350) with larger blocks (RFC 2348), for networks where nothing else is
//! served. TFTP cannot go on in the middle: after a failure the file is read again, and what had
//! come already is dropped.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

const PORT: u16 = 69;
/// What fits into one Ethernet frame, tagged or not.
const BLOCK: usize = 1428;
/// The size of blocks when the server knows no options.
const PLAIN_BLOCK: usize = 512;
const SILENCE: Duration = Duration::from_secs(1);
/// Packets that are sent again before a transfer counts as broken.
const TRIES: u32 = 6;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

const RRQ: u16 = 1;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;
/// Errors that another try does not change: no such file, no access.
const FINAL: [u16; 2] = [1, 2];

/// A place on a TFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
    path: String,
}

/// A file that is being read; it tries for ever unless the server says that there is no such file.
#[derive(Debug)]
pub(super) struct Tftp {
    place: Place,
    tell: fn(&str),
    transfer: Option<Transfer>,
    at: u64,
    failures: u32,
}

impl Tftp {
    /// Starts reading `tftp://HOST[:PORT]/PATH`.
    pub(super) fn open(url: &str, tell: fn(&str)) -> Result<Self> {
        let place = parse(url).with_context(|| format!("{url} is no URL of a file"))?;
        let mut file = Self { place, tell, transfer: None, at: 0, failures: 0 };
        file.connect().with_context(|| format!("cannot fetch {url}"))?;
        Ok(file)
    }

    /// Returns the length of the file, if the server says it.
    pub(super) fn length(&self) -> Option<u64> {
        self.transfer.as_ref().and_then(|transfer| transfer.length)
    }

    fn connect(&mut self) -> io::Result<&mut Transfer> {
        while self.transfer.is_none() {
            match begin_at(&self.place, self.at) {
                Ok(transfer) => self.transfer = Some(transfer),
                Err(e) => self.pause(e)?,
            }
        }
        self.transfer.as_mut().ok_or_else(|| io::Error::other("no transfer"))
    }

    /// Waits before the next try, if one makes sense.
    fn pause(&mut self, error: io::Error) -> io::Result<()> {
        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let seconds = 2_u64.saturating_pow(self.failures.min(8));
        let pause = Duration::from_secs(seconds).min(LONGEST_PAUSE);
        (self.tell)(&format!(
            "tftp://{}/{}: {error}; trying again in {} s",
            self.place.host,
            self.place.path,
            pause.as_secs()
        ));
        thread::sleep(pause);
        Ok(())
    }
}

impl Read for Tftp {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connect()?.read(buf) {
                Ok(n) => {
                    self.at += n as u64;
                    self.failures = 0;
                    return Ok(n);
                }
                Err(e) => {
                    self.transfer = None;
                    self.pause(e)?;
                }
            }
        }
    }
}

/// One transfer, block by block.
#[derive(Debug)]
struct Transfer {
    socket: UdpSocket,
    length: Option<u64>,
    block_size: usize,
    /// Number of the last block that came.
    number: u16,
    block: Vec<u8>,
    taken: usize,
    last: bool,
}

fn begin_at(place: &Place, at: u64) -> io::Result<Transfer> {
    let server = (place.host.as_str(), place.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other(format!("{} has no address", place.host)))?;
    let mut transfer = Transfer::begin(server, &place.path)?;
    let skipped = io::copy(&mut (&mut transfer).take(at), &mut io::sink())?;
    if skipped == at { Ok(transfer) } else { Err(io::Error::other("the file became shorter")) }
}

impl Transfer {
    fn begin(server: SocketAddr, path: &str) -> io::Result<Self> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(SILENCE))?;
        let mut request = RRQ.to_be_bytes().to_vec();
        for text in [path, "octet", "blksize", &BLOCK.to_string(), "tsize", "0"] {
            request.extend_from_slice(text.as_bytes());
            request.push(0);
        }
        let mut packet = [0; 4 + BLOCK];
        for _ in 0..TRIES {
            socket.send_to(&request, server)?;
            let (length, from) = match socket.recv_from(&mut packet) {
                Ok(received) => received,
                Err(e) if is_silence(&e) => continue,
                Err(e) => return Err(e),
            };
            // The answer comes from a port that the server chose for this transfer.
            if from.ip() != server.ip() {
                continue;
            }
            socket.connect(from)?;
            return Self::answered(socket, &packet[..length]);
        }
        Err(silent())
    }

    fn answered(socket: UdpSocket, packet: &[u8]) -> io::Result<Self> {
        let mut transfer = Self {
            socket,
            length: None,
            block_size: PLAIN_BLOCK,
            number: 0,
            block: Vec::new(),
            taken: 0,
            last: false,
        };
        match opcode(packet) {
            Some((OACK, options)) => {
                for (name, value) in pairs(options) {
                    match (name.to_ascii_lowercase().as_str(), value.parse::<u64>()) {
                        ("blksize", Ok(size)) => transfer.block_size = block_size(size)?,
                        ("tsize", Ok(length)) => transfer.length = Some(length),
                        _ => {}
                    }
                }
                transfer.acknowledge()?;
            }
            Some((DATA, _)) => transfer.accept(packet)?,
            Some((ERROR, rest)) => return Err(refused(rest)),
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "an answer that is not TFTP")),
        }
        Ok(transfer)
    }

    fn acknowledge(&self) -> io::Result<()> {
        let [high, low] = self.number.to_be_bytes();
        let [op0, op1] = ACK.to_be_bytes();
        self.socket.send(&[op0, op1, high, low]).map(drop)
    }

    /// Takes the block that is due; others came late and are dropped.
    fn accept(&mut self, packet: &[u8]) -> io::Result<()> {
        let Some((DATA, [high, low, content @ ..])) = opcode(packet) else { return Ok(()) };
        let number = u16::from_be_bytes([*high, *low]);
        // Numbers of blocks start again after 65535.
        if number != self.number.wrapping_add(1) {
            return Ok(());
        }
        self.number = number;
        self.block = content.to_vec();
        self.taken = 0;
        self.last = content.len() < self.block_size;
        self.acknowledge()
    }

    fn next_block(&mut self) -> io::Result<()> {
        let (before, mut packet) = (self.number, [0; 4 + BLOCK]);
        let mut silences = 0;
        while self.number == before {
            match self.socket.recv(&mut packet) {
                Ok(length) => match opcode(&packet[..length]) {
                    Some((ERROR, rest)) => return Err(refused(rest)),
                    _ => self.accept(&packet[..length])?,
                },
                Err(e) if is_silence(&e) => {
                    silences += 1;
                    if silences == TRIES {
                        return Err(silent());
                    }
                    self.acknowledge()?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl Read for Transfer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.block.len() && !self.last {
            self.next_block()?;
        }
        let n = (&self.block[self.taken..]).read(buf)?;
        self.taken += n;
        Ok(n)
    }
}

fn opcode(packet: &[u8]) -> Option<(u16, &[u8])> {
    let (code, rest) = packet.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*code), rest))
}

fn pairs(options: &[u8]) -> impl Iterator<Item = (String, String)> {
    let texts = options.split(|byte| *byte == 0).map(|t| String::from_utf8_lossy(t).into_owned());
    let texts: Vec<String> = texts.collect();
    let pairs = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    pairs.collect::<Vec<_>>().into_iter()
}

fn block_size(size: u64) -> io::Result<usize> {
    usize::try_from(size).ok().filter(|size| (8..=BLOCK).contains(size)).ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidData, format!("the server wants blocks of {size} bytes"))
    })
}

fn refused(rest: &[u8]) -> io::Error {
    let (code, text) = opcode(rest).unwrap_or((0, b""));
    let text = String::from_utf8_lossy(text);
    let kind = if FINAL.contains(&code) { ErrorKind::NotFound } else { ErrorKind::Other };
    io::Error::new(kind, format!("the server answers: {}", text.trim_end_matches('\0')))
}

fn silent() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the server does not answer")
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn parse(url: &str) -> Result<Place> {
    let rest = url.strip_prefix("tftp://").context("it does not begin with tftp://")?;
    let (authority, path) = rest.split_once('/').context("it has no path")?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_e| anyhow!("{port:?} is no port"))?)
        }
        _ => (authority, PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let path = path.strip_suffix(";mode=octet").unwrap_or(path);
    if host.is_empty() || path.is_empty() {
        return Err(anyhow!("it names no host or no file"));
    }
    Ok(Place { host: host.to_owned(), port, path: path.to_owned() })
}

#[cfg(test)]
mod tests;
