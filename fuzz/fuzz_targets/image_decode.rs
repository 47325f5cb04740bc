//! Any bytes, read as an image, end in an image or an error, soon and in bounded memory.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use nestos_installer::checked::CheckedReader;
use nestos_installer::trust::Trust;

/// More than this is a bomb, which is no fault: the size of the disk ends it.
const MOST: u64 = 64 * 1024 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let stored = Box::new(Cursor::new(bytes.to_vec()));
    let Ok(mut reader) = CheckedReader::new(stored, Trust::Insecure) else { return };
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    while let Ok(n) = reader.fill(&mut buffer) {
        read += n as u64;
        if n < buffer.len() || read > MOST {
            break;
        }
    }
});
