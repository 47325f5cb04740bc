//! Tables that are canonical, and tables that are not.

use super::*;

fn mapping(physical: u64, length: u64) -> Mapping {
    Mapping { physical, logical: 512, length, object: Checksum([7; 32]) }
}

fn partition(start: u64, end: u64, mappings: &[Mapping]) -> Partition {
    Partition { start, end, mappings: mappings.to_vec() }
}

fn osmet(partitions: Vec<Partition>) -> Result<Osmet, OsmetError> {
    let head = Head {
        app_version: "1.2".to_owned(),
        sector_size: 512,
        description: "NestOS 1".to_owned(),
        architecture: "x86_64".to_owned(),
    };
    Osmet::new(head, Image { partitions, digest: [9; 32], size: 100_000 })
}

fn good() -> Osmet {
    let boot = partition(1000, 2000, &[mapping(0, 10), mapping(10, 20), mapping(100, 900)]);
    osmet(vec![boot, partition(2000, 3000, &[]), partition(5000, 99_000, &[mapping(5, 300)])])
        .unwrap()
}

#[test]
fn the_bytes_are_those_of_the_format_and_read_back() {
    let only = osmet(vec![partition(300, 70_000, &[mapping(1, 2)])]).unwrap();
    let mut wanted = b"OSMET\0\0\0\x01\x031.2\xFB\0\x02\x08NestOS 1\x06x86_64".to_vec();
    wanted.extend(b"\x01\xFB\x2C\x01\xFC\x70\x11\x01\0\x01\xFB\0\x02\x01\x02");
    wanted.extend([7; 32]);
    wanted.extend([9; 32]);
    wanted.extend(b"\xFC\xA0\x86\x01\0");
    assert_eq!(only.to_bytes(), wanted);
    let bytes = [&good().to_bytes()[..], b"xz"].concat();
    let mut rest = &bytes[..];
    assert_eq!(Osmet::read(&mut rest).unwrap(), good());
    assert_eq!(rest, b"xz");
    assert_eq!(&Head::read(&bytes[..]).unwrap(), good().head());
}

#[test]
fn segments_cover_the_image() {
    let image = good().image().clone();
    let object = |physical, length| Segment::Object(mapping(physical, length));
    let wanted = [
        Segment::Packed(1000),
        object(0, 10),
        object(10, 20),
        Segment::Packed(70),
        object(100, 900),
        Segment::Packed(3005),
        object(5, 300),
        Segment::Packed(100_000 - 5305),
    ];
    assert_eq!(image.segments().collect::<Vec<_>>(), wanted);
    assert_eq!(image.segments().map(|s| s.length()).sum::<u64>(), 100_000);
    assert_eq!(image.mapped(), 1230);
    let none = osmet(vec![partition(0, 100_000, &[])]).unwrap();
    assert_eq!(none.image().segments().collect::<Vec<_>>(), [Segment::Packed(100_000)]);
}

#[test]
fn tables_that_are_not_canonical_are_refused() {
    let whole = |mappings: &[Mapping]| vec![partition(0, 100_000, mappings)];
    for partitions in [
        vec![],
        whole(&[mapping(10, 10), mapping(5, 1)]),
        whole(&[mapping(10, 10), mapping(19, 1)]),
        whole(&[mapping(99_999, 2)]),
        whole(&[mapping(1, u64::MAX)]),
        whole(&[Mapping { logical: u64::MAX, ..mapping(0, 1) }]),
        vec![partition(0, 100_001, &[])],
        vec![partition(10, 5, &[])],
        vec![partition(0, 10, &[]), partition(9, 20, &[])],
    ] {
        let error = osmet(partitions.clone()).unwrap_err().to_string();
        assert!(error.starts_with("the osmet file is damaged: "), "{partitions:?}: {error}");
    }
}

#[test]
fn other_bytes_are_refused() {
    let bytes = good().to_bytes();
    for at in 0..bytes.len() {
        assert!(Osmet::read(&bytes[..at]).is_err(), "cut at {at}");
    }
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Osmet::read(&bytes[..]).unwrap_err().to_string()
    };
    assert_eq!(with(0, b'o'), "it is no osmet file");
    assert_eq!(with(8, 2), "it has version 2 of the osmet format; only version 1 is known");
    let endless = [&bytes[..bytes.len() - 5], &[253; 9]].concat();
    assert!(Osmet::read(&endless[..]).is_err());
}
