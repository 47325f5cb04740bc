use super::*;

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    NoOptions,
    LosesPackets,
    Missing,
}

/// Serves `content` to every request on a loopback port until the test ends.
fn server(content: Vec<u8>, flaw: Flaw) -> u16 {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut packet = [0; 600];
        while let Ok((_, client)) = listener.recv_from(&mut packet) {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(client).unwrap();
            serve(&socket, &content, flaw);
        }
    });
    port
}

fn serve(socket: &UdpSocket, content: &[u8], flaw: Flaw) {
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    if flaw == Flaw::Missing {
        socket.send(b"\0\x05\0\x01File not found\0").unwrap();
        return;
    }
    let mut ack = [0; 4];
    let size = if flaw == Flaw::NoOptions { PLAIN_BLOCK } else { 1024 };
    if flaw != Flaw::NoOptions {
        let answer = format!("\0\x06blksize\x001024\0tsize\0{}\0", content.len());
        socket.send(answer.as_bytes()).unwrap();
        socket.recv(&mut ack).unwrap();
    }
    for (number, at) in (0..=content.len()).step_by(size).enumerate() {
        let end = content.len().min(at + size);
        let number = u16::try_from((number + 1) & 0xffff).unwrap().to_be_bytes();
        let data = [&[0, 3], &number[..], &content[at..end]].concat();
        // A lost packet is sent when the client asks again; one that comes twice is no harm.
        let lost = flaw == Flaw::LosesPackets && at == 2048;
        if !lost {
            socket.send(&data).unwrap();
        }
        if flaw == Flaw::LosesPackets && at == 1024 {
            socket.send(&data).unwrap();
        }
        while socket.recv(&mut ack).is_ok() && ack[2..] != number {
            socket.send(&data).unwrap();
        }
    }
}

fn fetched(port: u16) -> Result<(Option<u64>, Vec<u8>)> {
    let mut file = Tftp::open(&format!("tftp://127.0.0.1:{port}/dir/a.img"), |_| {})?;
    let length = file.length();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((length, bytes))
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn files_come_whole_with_and_without_options_and_when_packets_are_lost() {
    for (flaw, said) in [(Flaw::None, true), (Flaw::NoOptions, false), (Flaw::LosesPackets, true)] {
        for length in [0, 1, 512, 1024, 5000] {
            let expected = content(length);
            let (told, bytes) = fetched(server(expected.clone(), flaw)).unwrap();
            assert!(bytes == expected, "{length}");
            assert_eq!(told, said.then_some(length as u64));
        }
    }
}

#[test]
fn numbers_of_blocks_may_start_again() {
    let expected = content(65_540 * 1024);
    assert!(fetched(server(expected.clone(), Flaw::None)).unwrap().1 == expected);
}

#[test]
fn a_file_that_is_not_there_is_not_waited_for() {
    let err = fetched(server(Vec::new(), Flaw::Missing)).unwrap_err();
    assert!(format!("{err:#}").contains("the server answers: File not found"), "{err:#}");
}

#[test]
fn places_are_read_from_urls() {
    let place = |url| parse(url).map(|p| (p.host, p.port, p.path)).unwrap();
    assert_eq!(place("tftp://h/a/b.img"), ("h".to_owned(), 69, "a/b.img".to_owned()));
    assert_eq!(place("tftp://[::1]:70/a;mode=octet"), ("::1".to_owned(), 70, "a".to_owned()));
    assert_eq!(place("tftp://[::1]/a").1, 69);
    for wrong in ["tftp://h", "tftp://h/", "tftp:///a", "tftp://h:x/a", "http://h/a"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

/// Ends the server with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_real_server_gives_the_same_bytes() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let expected = content(3_000_001);
    std::fs::write(dir.path().join("a.img"), &expected).unwrap();
    let address = "127.0.0.69";
    let dnsmasq = nestos_host::cmd::Cmd::new("dnsmasq")
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--enable-tftp"])
        .args(["--bind-interfaces", "--pid-file=", "--user=root", "--listen-address", address])
        .arg(format!("--tftp-root={}", dir.path().display()));
    let bound = UdpSocket::bind((address, PORT)).map(drop);
    let started = bound
        .is_ok()
        .then(|| dnsmasq.spawn(Stdio::null(), Stdio::null(), Stdio::null()).ok().map(Server));
    let Some(Some(_server)) = started else {
        nestos_host::term::status(
            "SKIPPED a_real_server_gives_the_same_bytes: needs root, dnsmasq",
        );
        return;
    };
    // The first requests may come before it listens; they are repeated.
    let mut file = Tftp::open(&format!("tftp://{address}/a.img"), |_| {}).unwrap();
    assert_eq!(file.length(), Some(expected.len() as u64));
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert!(bytes == expected);
    let err = Tftp::open(&format!("tftp://{address}/b.img"), |_| {}).unwrap_err();
    assert!(format!("{err:#}").contains("not found"), "{err:#}");
}
