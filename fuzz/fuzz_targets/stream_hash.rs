//! Stream hashes: any text ends in a hash or an error, and whatever stream is read against it, only
//! bytes with the right digests come out.

#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use nestos_formats::stream_hash::StreamHash;

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|b| *b == 0).unwrap_or(input.len());
    let (text, stream) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(hash) = text.parse::<StreamHash>() else { return };
    assert_eq!(hash.to_string().parse::<StreamHash>().as_ref(), Ok(&hash));
    // Chunks of many megabytes only cost time here.
    if hash.chunk() > 1 << 20 {
        return;
    }
    let mut out = Vec::new();
    let read = hash.verify(stream).read_to_end(&mut out);
    assert!(stream.starts_with(&out));
    assert_eq!(read.is_ok(), out == stream && out.len().div_ceil(hash.chunk()) == hash.chunks());
    let own = StreamHash::of(stream).expect("memory can be read");
    let mut whole = Vec::new();
    own.verify(stream).read_to_end(&mut whole).expect("the digests are those of the stream");
    assert_eq!(whole, stream);
});
