//! Streams that are whole, cut, damaged and too long.

use super::*;

fn small(stream: &[u8], chunk: usize) -> StreamHash {
    StreamHash { chunk, digests: stream.chunks(chunk).map(Checksum::of).collect() }
}

/// Returns what was handed on, and why no more was.
fn read(hash: &StreamHash, stream: &[u8]) -> (Vec<u8>, Option<Refused>) {
    let mut out = Vec::new();
    let mut verifier = hash.verify(stream);
    let end = verifier.read_to_end(&mut out);
    assert_eq!(verifier.read(&mut [0]).is_err(), end.is_err());
    (out, end.err().and_then(|e| refusal(&e)))
}

#[test]
fn what_was_hashed_is_verified_and_nothing_else() {
    for length in [0, 1, 3, 4, 5, 8, 11] {
        let stream: Vec<u8> = (1..=length).collect();
        let hash = small(&stream, 4);
        assert_eq!(read(&hash, &stream), (stream.clone(), None));
        let whole = stream.len() / 4 * 4;
        let longer = [&stream[..], &[99]].concat();
        let (out, why) = read(&hash, &longer);
        assert!(why.is_some() && stream.starts_with(&out) && out.len() >= whole, "{length}");
        for at in 0..stream.len() {
            let (out, why) = read(&hash, &stream[..at]);
            assert!(why.is_some() && out == stream[..at / 4 * 4], "{length}, cut at {at}");
            let mut damaged = stream.clone();
            damaged[at] ^= 0x80;
            let (out, why) = read(&hash, &damaged);
            assert_eq!(out, stream[..at / 4 * 4]);
            assert!(matches!(why, Some(Refused::Damaged { .. })), "{length}, at {at}");
        }
    }
}

#[test]
fn refusals_say_where() {
    let hash = small(b"0123456789", 4);
    for (stream, text) in [
        (&b"0123"[..], "the stream ends after 4 bytes, where the stream hash names more"),
        (b"012345", "the stream ends after 6 bytes, where the stream hash names more"),
        (b"0123x", "the stream ends after 5 bytes, where the stream hash names more"),
        (b"0123x567", "the 4 bytes from byte 4 on are not those that the stream hash names"),
        (b"012345678", "the 1 bytes from byte 8 on are not those that the stream hash names"),
    ] {
        assert_eq!(read(&hash, stream).1.unwrap().to_string(), text);
    }
    let (out, why) = read(&small(b"01234567", 4), b"01234567x");
    assert_eq!(out, b"01234567");
    let text = "the stream goes on after the 8 bytes that the stream hash names";
    assert_eq!(why.unwrap().to_string(), text);
}

#[test]
fn the_text_reads_back() {
    let stream = vec![7; CHUNK + 1];
    let hash = StreamHash::of(&stream[..]).unwrap();
    assert_eq!((hash.chunk(), hash.chunks()), (2_097_152, 2));
    let text = hash.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "stream-hash sha256 2097152");
    assert_eq!(lines[2], Checksum::of(&[7]).to_string());
    assert_eq!(text.parse::<StreamHash>().unwrap(), hash);
    let mut pieces = Hasher::new();
    stream.chunks(1_000_003).for_each(|piece| pieces.update(piece));
    assert_eq!(pieces.finish(), hash);
    assert_eq!(read(&hash, &stream), (stream, None));
}

#[test]
fn other_texts_are_refused() {
    let digest = "ab".repeat(32);
    for (text, why) in [
        (String::new(), "line 1"),
        ("stream-hash sha512 4\n".to_owned(), "line 1"),
        ("stream-hash sha256 0\n".to_owned(), "line 1"),
        ("stream-hash sha256 67108865\n".to_owned(), "line 1"),
        (format!("stream-hash sha256 4\n{digest}\n\n"), "line 3"),
        (format!("stream-hash sha256 4\n{digest}0\n"), "line 2"),
    ] {
        let error = text.parse::<StreamHash>().unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
    assert!(format!("stream-hash sha256 67108864\n{digest}").parse::<StreamHash>().is_ok());
}

#[test]
fn a_stream_that_fails_can_be_read_on() {
    struct Flaky<'a>(&'a [u8], bool);
    impl Read for Flaky<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::Error::other("line is down")) } else { self.0.read(&mut to[..1]) }
        }
    }
    let hash = small(b"0123456789", 4);
    let mut verifier = hash.verify(Flaky(b"0123456789", false));
    let (mut out, mut failures) = (Vec::new(), 0);
    while verifier.read_to_end(&mut out).is_err() {
        failures += 1;
    }
    assert_eq!((&out[..], failures), (&b"0123456789"[..], 12), "each byte, twice the end");
    assert_eq!(verifier.verified(), 10);
}
