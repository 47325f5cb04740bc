//! Descriptions of minimal ISO images: any bytes end in one or an error, and one is printed as it
//! was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::miniso::Miniso;

fuzz_target!(|bytes: &[u8]| {
    let Ok(miniso) = Miniso::parse(bytes) else { return };
    let again = miniso.to_bytes().expect("it is no longer than what was read");
    assert_eq!(Miniso::parse(&again).expect("what was printed is read"), miniso);
    assert!(miniso.table.segments().count() <= 2 * miniso.table.files().len());
});
