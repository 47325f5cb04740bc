//! Partition tables: what is read lies on the disk, and what is laid out for another disk reads
//! back. The first byte of the input says whether checksums are made right, or left as they are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_host::gpt_disk::{HEAD_LEN, Table};

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let mut head = vec![0; HEAD_LEN];
    // The code before the partition entries of the boot sector means nothing to the reader.
    let start = 446;
    let length = bytes.len().min(HEAD_LEN - start);
    head[start..start + length].copy_from_slice(&bytes[..length]);
    for sector in [512, 4096] {
        if mode & 1 == 1 {
            seal(&mut head, sector);
        }
    }
    let Ok(table) = Table::parse(&head) else { return };
    for p in table.partitions() {
        assert!(p.start + p.length <= table.body_end(), "{p:?}");
    }
    let size = table.disk_size();
    assert!(table.body_end() <= size);
    let extra = u64::from(*mode) << 12;
    for size in [size, size.saturating_add(extra + 77)] {
        let Ok(placed) = table.place(&head, size) else { continue };
        let again = Table::parse(&placed.head).expect("a placed table reads back");
        assert_eq!(again.partitions(), table.partitions());
        assert_eq!(again.body_end(), placed.backup_at);
        assert_eq!(placed.backup_at + placed.backup.len() as u64, again.disk_size());
        assert!(again.disk_size() <= size);
    }
});

/// Makes the checksums of a header and its entries right where there is one.
fn seal(head: &mut [u8], sector: usize) {
    if !head[sector..].starts_with(b"EFI PART") {
        return;
    }
    let number = |head: &[u8], at: usize| {
        u32::from_le_bytes(head[sector + at..sector + at + 4].try_into().expect("four bytes"))
            as usize
    };
    let (at, count) = (number(head, 72).saturating_mul(sector), number(head, 80));
    let entries = head.get(at..at.saturating_add(count.saturating_mul(128)));
    if let Some(sum) = entries.map(crc32) {
        head[sector + 88..sector + 92].copy_from_slice(&sum.to_le_bytes());
    }
    let length = number(head, 12);
    head[sector + 16..sector + 20].fill(0);
    if (92..=sector).contains(&length) {
        let sum = crc32(&head[sector..sector + length]);
        head[sector + 16..sector + 20].copy_from_slice(&sum.to_le_bytes());
    }
}

/// CRC-32 as in ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}
