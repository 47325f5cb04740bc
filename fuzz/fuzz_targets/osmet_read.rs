//! Osmet files: any bytes end in a table or an error; a table is printed as it was read, and its
//! segments cover the image.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::osmet::{Head, Osmet};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let Ok(osmet) = Osmet::read(&mut rest) else { return };
    assert_eq!(Head::read(bytes).ok().as_ref(), Some(osmet.head()));
    let again = osmet.to_bytes();
    assert!(again.len() <= bytes.len() - rest.len());
    assert_eq!(Osmet::read(&again[..]).expect("what was printed is read"), osmet);
    let covered: u64 = osmet.image().segments().map(|segment| segment.length()).sum();
    assert_eq!(covered, osmet.image().size);
});
