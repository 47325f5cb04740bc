//! What the decoders make of the output of zstd, xz and gzip, whole and damaged.

use std::io::{self, Read};

use nestos_host::cmd::Cmd;

use crate::checked::CheckedReader;
use crate::decode::Compression;
use crate::trust::Trust;

/// Delivers a few bytes at a time, as networks do.
struct Dribble(io::Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.1);
        self.1 = self.1 * 7 % 65_521 + 1;
        self.0.read(&mut buf[..n])
    }
}

fn decoded(stored: &[u8]) -> anyhow::Result<Vec<u8>> {
    let stored = Dribble(io::Cursor::new(stored.to_vec()), 1);
    let mut reader = CheckedReader::new(Box::new(stored), Trust::Insecure)?;
    let mut plain = vec![0; 1_000_003];
    let mut all = Vec::new();
    loop {
        let n = reader.fill(&mut plain)?;
        all.extend_from_slice(&plain[..n]);
        if n < plain.len() {
            reader.finish()?;
            return Ok(all);
        }
    }
}

fn error(stored: &[u8]) -> String {
    format!("{:#}", decoded(stored).expect_err("broken"))
}

/// Text, noise and zeros, the same every time (xorshift).
fn mixed(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        match (bytes.len() / 40_000) % 4 {
            0 => bytes.extend_from_slice(&state.to_le_bytes()),
            1 => bytes.extend_from_slice(b"some bytes of a disk, "),
            2 => bytes.extend_from_slice(&(state % 1000).to_string().into_bytes()),
            _ => bytes.extend_from_slice(&[0; 1000]),
        }
    }
    bytes.truncate(len);
    bytes
}

fn run(command: &str, plain: &[u8]) -> Vec<u8> {
    let mut words = command.split(' ');
    let program = words.next().unwrap();
    Cmd::new(program).args(words).input(plain).output_bytes().unwrap()
}

const SHAPES: [&str; 14] = [
    "zstd -qc",
    "zstd -qc --no-check -1",
    "zstd -qc -T2 -B524288",
    "zstd -qc --long=24",
    "zstd -qc --no-content-size",
    "zstd -qc -19",
    "xz -c",
    "xz -c -0 -T1",
    "xz -c -T2 --block-size=300000 --check=crc32",
    "xz -c -T2 --block-size=1MiB --check=sha256",
    "xz -c --block-list=100000,7,600000,0",
    "xz -c --check=none --lzma2=preset=1,dict=4KiB",
    "gzip -c",
    "gzip -1nc",
];

#[test]
fn every_shape_of_every_encoder_is_read() {
    let plain = mixed(3_400_001);
    for shape in SHAPES {
        let stored = run(shape, &plain);
        assert_eq!(decoded(&stored).unwrap(), plain, "{shape}");
        // Several frames, streams or members in a row are one image.
        let twice = [&stored[..], &stored[..]].concat();
        assert_eq!(decoded(&twice).unwrap(), [&plain[..], &plain[..]].concat(), "{shape} twice");
    }
    assert_eq!(decoded(&plain).unwrap(), plain);
    assert_eq!(decoded(b"").unwrap(), b"");
}

/// What the seekable format and pzstd write, too: frames with sizes between skippable ones.
fn frames(plain: &[u8], each: usize) -> Vec<u8> {
    let mut stored = b"\x5E\x2A\x4D\x18\x03\0\0\0abc".to_vec();
    for part in plain.chunks(each) {
        stored.extend(::zstd::bulk::compress(part, 1).unwrap());
        stored.extend(b"\x50\x2A\x4D\x18\0\0\0\0");
    }
    stored
}

#[test]
fn frames_of_all_sizes_come_out_in_order() {
    let plain = mixed(5_000_000);
    for each in [1000, 65_536, 999_999, 1 << 20, 2 << 20, 3_000_001] {
        assert_eq!(decoded(&frames(&plain, each)).unwrap(), plain, "frames of {each}");
    }
}

#[test]
fn a_frame_too_large_for_a_worker_is_read_step_by_step() {
    let plain = mixed(17 << 20);
    let stored = [::zstd::bulk::compress(&plain, 1).unwrap(), frames(&plain[..9], 5)].concat();
    assert_eq!(decoded(&stored).unwrap(), [&plain[..], &plain[..9]].concat());
}

#[test]
fn zeros_between_xz_streams_are_padding_when_they_come_in_fours() {
    let stored = run("xz -c", b"abc");
    let padded = [&stored[..], &[0; 8], &stored[..], &[0; 4]].concat();
    assert_eq!(decoded(&padded).unwrap(), b"abcabc");
    let text = error(&[&stored[..], &[0; 3]].concat());
    assert!(text.contains("padding"), "{text}");
}

#[test]
fn an_image_cut_off_anywhere_is_refused() {
    let plain = mixed(300_000);
    let several = frames(&plain, 70_000);
    for whole in SHAPES.map(|shape| run(shape, &plain)).iter().chain([&several]) {
        let step = (whole.len() / 40).max(1);
        let ends = (0..30).chain(whole.len() - 30..whole.len());
        for len in ends.chain((30..whole.len()).step_by(step)) {
            match decoded(&whole[..len]) {
                // What ends where a frame does is a whole image; its partition table tells.
                Ok(short) if whole == &several && plain.starts_with(&short) => {}
                // Too short to be known as compressed: a raw image, and a very small one.
                Ok(short) => assert!(len < 6 && short == whole[..len], "cut to {len}"),
                Err(e) => assert!(format!("{e:#}").contains("cut off"), "{e:#}"),
            }
        }
    }
}

#[test]
fn garbage_after_the_end_is_refused() {
    for shape in SHAPES {
        let stored = run(shape, b"some bytes of a disk");
        for garbage in [&b"garbage"[..], b"g", &[0xFF; 70_000]] {
            let text = error(&[&stored[..], garbage].concat());
            assert!(text.contains("has garbage"), "{shape}: {text}");
        }
    }
}

#[test]
fn a_flipped_byte_never_passes_for_the_image() {
    let plain = mixed(20_000);
    for shape in SHAPES.into_iter().filter(|s| !s.contains("no-check") && !s.contains("none")) {
        let whole = run(shape, &plain);
        let step = (whole.len() / 150).max(1);
        for at in (0..64.min(whole.len())).chain((64..whole.len()).step_by(step)) {
            let mut broken = whole.clone();
            broken[at] ^= 0x41;
            // Some header bytes mean nothing, such as the time in a gzip header.
            if let Ok(read) = decoded(&broken) {
                let raw = Compression::sniff(&broken) == Compression::Raw;
                assert!(raw || read == plain, "{shape}, byte {at}");
            }
        }
    }
}

/// A frame header with what follows it.
fn frame(descriptor: u8, fields: &[u8]) -> Vec<u8> {
    [b"\x28\xB5\x2F\xFD", &[descriptor][..], fields].concat()
}

#[test]
fn sizes_that_are_lies_cost_no_memory() {
    // 2^60 bytes of content in a window of 1 KiB.
    let text = error(&frame(0xC0, &[0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0]));
    assert!(text.contains("cannot decode the zstd image"), "{text}");
    // One segment of 2^60 bytes, and a window of 2 GiB.
    for hostile in [frame(0xE0, &[0, 0, 0, 0, 0, 0, 0, 0x10]), frame(0, &[21 << 3])] {
        let text = error(&hostile);
        assert!(text.contains("refers back"), "{text}");
    }
    // 16 MiB of content in a frame that never ends.
    let mut endless = frame(0xA0, &[0, 0, 0, 1]);
    endless.extend(b"\x02\0\0\0".repeat(6_000_000));
    let text = error(&endless);
    assert!(text.contains("cannot decode"), "{text}");
}

#[test]
fn a_frame_that_holds_less_than_it_says_is_refused() {
    let mut short = ::zstd::bulk::compress(&[7; 1000], 1).unwrap();
    assert_eq!(short[4] >> 6, 1, "two bytes of size");
    short[5] += 1;
    assert!(decoded(&short).is_err());
}

#[test]
fn xz_with_a_huge_dictionary_is_refused_with_advice() {
    let stored = run("xz -c --lzma2=preset=0,dict=512MiB", b"abc");
    let text = error(&stored);
    assert!(text.contains("dictionary") && text.contains("192 MiB"), "{text}");
}

#[test]
fn a_source_that_fails_is_not_called_damaged() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the cable was cut"));
            }
            let start = frame(0, &[0x58]);
            buf[..start.len()].copy_from_slice(&start);
            Ok(start.len())
        }
    }
    let mut reader = CheckedReader::new(Box::new(Failing(false)), Trust::Insecure).unwrap();
    let text = format!("{:#}", reader.fill(&mut [0]).unwrap_err());
    assert_eq!(text, "cannot read the image: the cable was cut");
}
