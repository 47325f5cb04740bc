use std::io::{Cursor, Read};

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

fn read(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>, CpioError> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while let Some(member) = reader.next_member()? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        all.push((member, content));
    }
    Ok(all)
}

#[test]
fn members_come_back_with_their_parents_first() {
    let mut writer = Writer::new(Vec::new());
    writer.file("etc/a/f", 0o600, b"one").unwrap();
    writer.directory("etc", 0o755).unwrap();
    writer.file("etc/g", 0o755, b"").unwrap();
    let bytes = writer.finish().unwrap();
    let members = read(&bytes).unwrap();
    let listed: Vec<(&str, u32, &[u8])> =
        members.iter().map(|(m, c)| (m.path.as_str(), m.mode, &c[..])).collect();
    assert_eq!(
        listed,
        [
            ("etc", 0o040_755, &b""[..]),
            ("etc/a", 0o040_755, b""),
            ("etc/a/f", 0o100_600, b"one"),
            ("etc/g", 0o100_755, b""),
        ]
    );
    assert_eq!(bytes.len() % 4, 0);
    assert!(members[2].0.is_file() && !members[0].0.is_file());
}

#[test]
fn the_content_of_a_first_member_root_squashfs_is_at_byte_124() {
    let mut writer = Writer::new(Vec::new());
    let squashfs = Content { length: 6, from: &b"hsqs..and more"[..] };
    writer.stream("root.squashfs", 0o600, squashfs).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(&bytes[124..130], b"hsqs..");
    assert_eq!(&bytes[130..132], [0, 0]);
    assert_eq!(&bytes[132..138], b"070701");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut writer = Writer::new(std::io::sink());
    let short = Content { length: 4, from: &b"abc"[..] };
    assert!(writer.stream("f", 0o600, short).is_err());
    let large = Content { length: 1 << 32, from: std::io::empty() };
    let text = writer.stream("f", 0o600, large).unwrap_err().to_string();
    assert!(text.contains("less than 4 GiB"), "{text}");
    for path in ["", "/etc", "a\0b"] {
        assert!(writer.file(path, 0o600, b"").is_err(), "{path:?}");
    }
}

#[test]
fn content_may_be_left_unread_and_the_stream_goes_on_after_the_trailer() {
    let mut bytes = archive([("a", 0o600, &b"12345"[..]), ("b", 0o644, b"6")]).unwrap();
    let end = bytes.len() as u64;
    bytes.extend(b"rest");
    let mut reader = Reader::new(Cursor::new(bytes));
    assert_eq!(reader.next_member().unwrap().unwrap().size, 5);
    assert_eq!(reader.next_member().unwrap().unwrap().path, "b");
    assert!(reader.next_member().unwrap().is_none());
    assert!(reader.next_member().unwrap().is_none());
    assert_eq!(reader.position(), end);
    let mut rest = String::new();
    reader.into_inner().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "rest");
}

#[test]
fn names_padded_with_zeros_and_leading_dots_are_read() {
    let mut bytes = archive([("names-of-x", 0o600, &b"1"[..])]).unwrap();
    bytes[110..120].copy_from_slice(b"./f\0\0\0\0\0\0\0");
    assert_eq!(read(&bytes).unwrap()[0].0.path, "f");
}

#[test]
fn damaged_archives_are_refused_with_the_place() {
    let good = archive([("a", 0o600, &b"12345"[..])]).unwrap();
    let broken = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        read(&bytes).unwrap_err().to_string()
    };
    assert_eq!(broken(0, b"0707X1"), "no cpio header of the format newc at byte 0 of the archive");
    assert_eq!(broken(8, b"+1"), "the header at byte 0 of the archive is damaged");
    assert!(broken(94, b"00001001").contains("has 4097 bytes"));
    assert!(broken(94, b"00000000").contains("has 0 bytes"));
    assert!(broken(110, b"\xff").contains("not UTF-8"));
    assert!(broken(54, b"7fffffff").contains("the archive ends at byte"));
    for cut in 0..good.len() {
        assert!(read(&good[..cut]).is_err(), "{cut}");
    }
}

proptest! {
    #[test]
    fn archives_read_back(
        files in proptest::collection::vec(("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..50)), 0..8)
    ) {
        let listed = files.iter().map(|(path, bytes)| (path.as_str(), 0o644, &bytes[..]));
        let bytes = archive(listed).unwrap();
        let back: Vec<(String, Vec<u8>)> =
            read(&bytes).unwrap().into_iter().map(|(m, c)| (m.path, c)).collect();
        prop_assert_eq!(back, files);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(read(&bytes));
        drop(read(&[b"070701".to_vec(), bytes].concat()));
    }
}
