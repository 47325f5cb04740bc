//! ISO images of any bytes end in files or errors, and files lie inside the image. The input is the
//! image from its first descriptor on: the sectors before it mean nothing to the reader.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use nestos_installer::iso::volume::{Found, SECTOR, Volume};

fuzz_target!(|bytes: &[u8]| {
    let mut image = vec![0; 16 * SECTOR as usize];
    image.extend_from_slice(bytes);
    let length = image.len() as u64;
    let mut image = Cursor::new(image);
    let Ok(volume) = Volume::read(&mut image) else { return };
    let inside = |found: Found| match found {
        Found::File(extent) | Found::Directory(extent) => {
            assert!(extent.end().is_some_and(|end| end <= length));
        }
    };
    for listed in volume.walk(&mut image).unwrap_or_default() {
        inside(listed.found);
    }
    for path in ["nestos/igninfo.json", "EFI/openEuler/grub.cfg", "images/pxeboot"] {
        if let Ok(Some(found)) = volume.find(&mut image, path) {
            inside(found);
        }
    }
    for listed in volume.files(&mut image, "images/pxeboot").unwrap_or_default() {
        inside(listed.found);
    }
});
