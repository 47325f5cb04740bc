//! Numbers in little-endian order, and the checksum of tables.

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |c| u32::from_le_bytes(*c))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |c| u64::from_le_bytes(*c))
}

pub(super) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// CRC-32 as in ISO 3309, bit by bit: a table is 16 KiB.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

pub(super) fn without_checksum(header: &[u8]) -> Vec<u8> {
    let mut copy = header.to_vec();
    copy[16..20].fill(0);
    copy
}
