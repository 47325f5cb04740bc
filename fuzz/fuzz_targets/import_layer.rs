//! Layers of images: objects of a commit, and ordinary ones. Whatever they hold, they are read or
//! refused; what was read is complete, and laid over itself it stays the same.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use nestos_updater::import::trial::Trial;

/// So often a place is used before its objects are removed.
const USES: u32 = 500;

thread_local! {
    static PLACE: RefCell<Option<(Trial, u32)>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    let stream = with_checksums(bytes);
    PLACE.with_borrow_mut(|place| {
        let (trial, uses) = place.take().unwrap_or_else(|| (open(), 0));
        drop(trial.object_layer(&stream));
        if let Ok(changed) = trial.derived_layer(&stream) {
            assert!(!changed, "a layer over itself is another tree");
        }
        if uses < USES {
            *place = Some((trial, uses + 1));
        } else {
            trial.discard().expect("what is staged can be removed");
        }
    });
});

fn open() -> Trial {
    let dir = std::env::temp_dir().join(format!("fuzz-import-{}", std::process::id()));
    let dir = if std::path::Path::new("/dev/shm").is_dir() {
        std::path::Path::new("/dev/shm").join(dir.file_name().expect("it has a name"))
    } else {
        dir
    };
    std::fs::create_dir_all(&dir).expect("a folder can be made");
    Trial::open(&dir).expect("objects can be staged")
}

/// Gives every header of the stream the checksum that it needs to be read at all.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut stream = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = stream.get_mut(at..at + 512) {
        if header.iter().all(|b| *b == 0) {
            at += 512;
            continue;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&header[124..136]).unwrap_or_default();
        let size = size.trim_matches([' ', '\0']);
        let size = usize::from_str_radix(size, 8).unwrap_or(0).min(stream.len());
        at += 512 + size.next_multiple_of(512);
    }
    stream
}
