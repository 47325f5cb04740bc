//! Frame headers of any bytes end in an outline or an error, and the outline agrees with libzstd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_installer::decode::zstd_frames::{Kind, block, header, kind};

/// Walks over one frame of data and returns its length.
fn walk(bytes: &[u8]) -> Option<usize> {
    let header = header(bytes).ok()??;
    assert!(header.len >= 6 && header.len <= 18);
    let mut at = header.len;
    loop {
        let block = block(*bytes.get(at..)?.first_chunk()?).ok()?;
        at += 3 + block.len;
        if block.last {
            at += header.checksum_len;
            return (at <= bytes.len()).then_some(at);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(magic) = bytes.first_chunk() else { return };
    if kind(*magic) != Ok(Kind::Data) {
        return;
    }
    if let Ok(len) = zstd::zstd_safe::find_frame_compressed_size(bytes) {
        assert_eq!(walk(bytes), Some(len));
    }
});
