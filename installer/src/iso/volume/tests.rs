use std::io::Cursor;

use proptest::prelude::{any, proptest};

use super::*;

/// An image of one file `A.TXT` with five bytes, made by hand after ECMA-119.
fn image() -> Vec<u8> {
    let mut bytes = vec![0; 22 * 2048];
    let mut put = |at: usize, with: &[u8]| bytes[at..at + with.len()].copy_from_slice(with);
    put(16 * 2048, b"\x01CD001\x01");
    put(16 * 2048 + 40, b"VOL");
    put(16 * 2048 + 80, &22_u32.to_le_bytes());
    put(16 * 2048 + 156, &record(b"\0", 20, 2048, 2));
    put(17 * 2048, b"\xffCD001\x01");
    let parts =
        [record(b"\0", 20, 2048, 2), record(b"\x01", 20, 2048, 2), record(b"A.TXT;1", 21, 5, 0)];
    put(20 * 2048, &parts.concat());
    put(21 * 2048, b"hello");
    bytes
}

fn record(name: &[u8], sector: u32, length: u32, flags: u8) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..6].copy_from_slice(&sector.to_le_bytes());
    bytes[10..14].copy_from_slice(&length.to_le_bytes());
    bytes[25] = flags;
    bytes[32] = u8::try_from(name.len()).unwrap();
    bytes.extend(name);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = u8::try_from(bytes.len()).unwrap();
    bytes
}

fn find(bytes: &[u8], path: &str) -> Result<Option<Extent>> {
    let mut image = Cursor::new(bytes);
    Volume::read(&mut image)?.find_file(&mut image, path)
}

#[test]
fn a_file_is_found_in_any_case() {
    for name in ["A.TXT", "a.txt", "/a.txt"] {
        let extent = find(&image(), name).unwrap().unwrap();
        assert_eq!(extent, Extent { offset: 21 * 2048, length: 5 });
    }
    assert_eq!(find(&image(), "b.txt").unwrap(), None);
    assert_eq!(find(&image(), "a.txt/b").unwrap(), None);
}

#[test]
fn images_that_are_not_whole_are_refused() {
    let text = |bytes: &[u8]| format!("{:#}", find(bytes, "a.txt").unwrap_err());
    assert!(text(&image()[..21 * 2048]).contains("ISO image is incomplete"));
    assert!(text(&image()[..16 * 2048]).contains("ends before its volume descriptors"));
    assert!(text(&vec![0; 40 * 2048]).contains("it is no ISO image"));
    let mut far = image();
    far[20 * 2048 + 2 * 34 + 2] = 200;
    assert!(text(&far).contains("A.TXT in the ISO image ends at byte"), "{}", text(&far));
}

#[test]
fn a_directory_inside_itself_ends_the_walk() {
    let mut bytes = image();
    let at = 20 * 2048 + 2 * 34;
    // As long as the record that it takes the place of.
    let inside = record(b"D\0\0\0\0\0\0", 20, 2048, 2);
    bytes[at..at + inside.len()].copy_from_slice(&inside);
    let mut cursor = Cursor::new(&bytes[..]);
    let volume = Volume::read(&mut cursor).unwrap();
    let text = volume.walk(&mut cursor).unwrap_err().to_string();
    assert!(text.ends_with(" of the ISO image is inside itself"), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in proptest::collection::vec(any::<u8>(), 1..200),
        at in 16_usize * 2048..22 * 2048 - 200
    ) {
        let mut bytes = image();
        bytes[at..at + noise.len()].copy_from_slice(&noise);
        let mut cursor = Cursor::new(&bytes[..]);
        if let Ok(volume) = Volume::read(&mut cursor) {
            drop(volume.find(&mut cursor, "a/b"));
            drop(volume.walk(&mut cursor));
        }
    }
}
