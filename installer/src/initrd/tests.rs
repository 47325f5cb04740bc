use std::io::Write;

use proptest::prelude::{any, proptest};

use super::*;

fn archive(path: &str, content: &[u8]) -> Vec<u8> {
    cpio::archive([(path, 0o644, content)]).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Members> {
    Members::read(bytes, |_| true)
}

fn packed(path: &str, content: &[u8]) -> Vec<u8> {
    let mut members = Members::default();
    members.insert(path, content.to_vec());
    members.pack().unwrap()
}

#[test]
fn archives_of_all_kinds_may_follow_each_other() {
    let early = archive("kernel/microcode", b"m");
    let bytes = [
        early,
        vec![0; 512],
        gzip(&archive("a", b"1")),
        zstd::bulk::compress(&archive("b", b"2"), 1).unwrap(),
        vec![0; 3],
        packed("etc/c", b"3"),
        archive("a", b"4"),
        vec![0; 9],
    ]
    .concat();
    let members = read(&bytes).unwrap();
    let listed: Vec<(&str, &[u8])> = members.iter().collect();
    assert_eq!(
        listed,
        [("a", &b"4"[..]), ("b", b"2"), ("etc/c", b"3"), ("kernel/microcode", b"m")]
    );
}

#[test]
fn what_follows_an_archive_has_to_be_one() {
    let text = |bytes: &[u8]| format!("{:#}", read(bytes).unwrap_err());
    let inside = gzip(&[archive("a", b"1"), b"x".to_vec()].concat());
    assert!(text(&inside).contains("garbage follows the archive"), "{}", text(&inside));
    let behind = [archive("a", b"1"), b"xyz".to_vec()].concat();
    assert!(text(&behind).contains("neither a cpio archive nor gzip"), "{}", text(&behind));
    let lz4 = text(b"\x02\x21\x4C\x18aa");
    assert!(lz4.contains("from byte 0 on: it is compressed with lz4"), "{lz4}");
    let cut = packed("a", &[7; 999]);
    assert!(read(&cut[..cut.len() - 9]).is_err());
}

#[test]
fn members_are_packed_the_same_way_every_time_for_every_kernel() {
    let bytes = packed("etc/x/f", b"content");
    assert_eq!(bytes, packed("etc/x/f", b"content"));
    assert_eq!(&bytes[..8], b"\xFD7zXZ\0\0\x01", "xz, with CRC32");
}

#[test]
fn only_an_initramfs_with_a_stamp_is_that_of_a_live_system() {
    let text = format!("{:#}", LiveInitrd::read(&archive("a", b"")[..]).unwrap_err());
    assert_eq!(text, "not a NestOS live initramfs image: not a CoreOS live initramfs image");
    let live = [archive("etc/coreos-live-initramfs", b"38.1\n"), packed("config.ign", b"{}")];
    let live = LiveInitrd::read(&live.concat()[..]).unwrap();
    assert_eq!(
        (live.flavour, live.build.as_str()),
        (nestos_formats::live_media::Flavour::Coreos, "38.1")
    );
    assert!(live.is_customised());
}

#[test]
fn settings_that_would_not_fit_into_memory_are_refused() {
    let large = gzip(&archive("config.ign", &vec![0; 70 << 20]));
    let text = format!("{:#}", read(&large).unwrap_err());
    assert!(text.contains("config.ign and what is before it are too large"), "{text}");
    assert!(Members::read(&large[..], |_| false).unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in proptest::collection::vec(any::<u8>(), 0..60),
        at in 0_usize..300
    ) {
        for mut bytes in [archive("a", b"1"), gzip(&archive("a", b"1")), packed("a", b"1")] {
            let at = at.min(bytes.len());
            let end = (at + noise.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&noise[..end - at]);
            drop(read(&bytes));
        }
    }
}
