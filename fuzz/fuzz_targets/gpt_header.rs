//! Partition tables: what is read lies on the disk, and what is laid out for another disk reads
//! back. The first byte of the input says whether checksums are made right, or left as they are.
//! The same bytes are the table of an image, and that of a disk whose partitions are saved.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_host::gpt_disk::{HEAD, HEAD_LEN, SectorSize, Table};
use nestos_installer::saved::{Ends, Filter, Kept, Layout};

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
    save(*mode, &head);
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

/// Saves partitions of a disk with this head, and with these bytes at its end: the plan checks
/// itself, and what is saved lies beyond the image.
fn save(mode: u8, head: &[u8]) {
    let sector = if mode & 2 == 0 { SectorSize::S512 } else { SectorSize::S4096 };
    // The image is there only for its table: few partitions at the front of a small disk.
    let image = small_image(sector);
    let table = Table::parse(&image).expect("the table of the image");
    // The backup has its header last; its place in the table is what the input says.
    let mut tail = head.to_vec();
    tail.rotate_left(2 * sector.len());
    let size = 16 * HEAD + u64::from(mode >> 2) * u64::from(sector.bytes());
    let ends = Ends { head: head.to_vec(), tail, size };
    let filter = Filter::Index("1-".parse().expect("a range"));
    let Ok(kept) = Kept::from_ends(ends, sector, &[filter]) else { return };
    let Ok(layout) = Layout::plan(&table, &image, &kept, size) else { return };
    assert_eq!(layout.summary().kept.len(), kept.partitions().len());
    for kept in &layout.summary().kept {
        let p = &kept.partition;
        assert!(p.number > 1 && p.start >= 2 * HEAD && p.start + p.length < size, "{p:?}");
    }
}

/// An image with one partition, from 1 to 2 MiB, on 4 MiB.
fn small_image(sector: SectorSize) -> Vec<u8> {
    let (len, bytes) = (sector.len(), u64::from(sector.bytes()));
    let mut head = vec![0; HEAD_LEN];
    head[446 + 4] = 0xEE;
    head[510..512].copy_from_slice(&[0x55, 0xAA]);
    head[2 * len..2 * len + 32].fill(7);
    let mut put = |at: usize, value: u64| head[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(2 * len + 32, HEAD / bytes);
    put(2 * len + 40, 2 * HEAD / bytes - 1);
    put(len, u64::from_le_bytes(*b"EFI PART"));
    put(len + 8, 92 << 32 | 0x0001_0000);
    let last = 4 * HEAD / bytes - 1;
    for (at, value) in [(24, 1), (32, last), (40, HEAD / bytes), (48, 3 * HEAD / bytes), (72, 2)] {
        put(len + at, value);
    }
    put(len + 80, 128 << 32 | 128);
    seal(&mut head, len);
    head
}

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
