use super::bytes::{crc32, put_u64, u32_at, u64_at, without_checksum};
use super::place::seal_header;
use super::*;
use proptest::prelude::{any, prop_assert, proptest};

const SIZE: u64 = 8 * HEAD;

/// A table with partitions 1 and 3, as bytes: written by hand from the specification.
fn head() -> Vec<u8> {
    let mut head = vec![0; HEAD_LEN];
    head[..4].copy_from_slice(b"boot");
    head[446 + 4] = PROTECTIVE;
    head[510..512].copy_from_slice(&[0x55, 0xAA]);
    for (index, first, last, name) in [(0, 2048, 4095, "a"), (2, 4096, 8191, "boot")] {
        let entry = &mut head[1024 + index * ENTRY_LEN..][..ENTRY_LEN];
        entry[..16].fill(7);
        put_u64(entry, 32, first);
        put_u64(entry, 40, last);
        for (i, unit) in name.encode_utf16().enumerate() {
            entry[56 + i * 2..58 + i * 2].copy_from_slice(&unit.to_le_bytes());
        }
    }
    let entries_sum = crc32(&head[1024..1024 + 128 * ENTRY_LEN]);
    let header = &mut head[512..1024];
    header[..8].copy_from_slice(SIGNATURE);
    header[10] = 1;
    header[12] = 92;
    for (at, value) in [(24, 1), (32, SIZE / 512 - 1), (40, 34), (48, SIZE / 512 - 34), (72, 2)] {
        put_u64(header, at, value);
    }
    header[80] = 128;
    header[84] = 128;
    header[88..92].copy_from_slice(&entries_sum.to_le_bytes());
    seal_header(header);
    head
}

#[test]
fn a_table_tells_sizes_and_partitions() {
    let table = Table::parse(&head()).unwrap();
    assert_eq!((table.sector_size(), table.disk_size()), (SectorSize::S512, SIZE));
    assert_eq!(table.body_end(), SIZE - 33 * 512);
    let boot = Partition { number: 3, name: "boot".into(), start: 2 * HEAD, length: 2 * HEAD };
    assert_eq!(table.partitions()[1], boot);
}

#[test]
fn a_placed_table_reads_back_for_the_new_size_with_everything_else_kept() {
    let (head, size) = (head(), 3 * SIZE + 512 + 100);
    let table = Table::parse(&head).unwrap();
    let placed = table.place(&head, size).unwrap();
    let moved = Table::parse(&placed.head).unwrap();
    assert_eq!(moved.disk_size(), size / 512 * 512);
    assert_eq!(moved.partitions(), table.partitions());
    assert_eq!(placed.backup_at, moved.body_end());
    assert_eq!(placed.backup_at + placed.backup.len() as u64, moved.disk_size());
    assert_eq!(placed.head[..446], head[..446]);
    assert_eq!(placed.head[1024..], head[1024..]);
    assert_eq!(placed.backup[..128 * ENTRY_LEN], head[1024..1024 + 128 * ENTRY_LEN]);
    // The backup header is a header in its own right that points back.
    let backup = &placed.backup[placed.backup.len() - 512..];
    assert_eq!(crc32(&without_checksum(&backup[..92])), u32_at(backup, 16));
    assert_eq!((u64_at(backup, 24), u64_at(backup, 32)), (size / 512 - 1, 1));
    assert_eq!(u64_at(backup, 72) * 512, placed.backup_at);
}

#[test]
fn a_disk_that_is_too_small_is_refused() {
    let table = Table::parse(&head()).unwrap();
    assert!(table.place(&head(), SIZE).is_ok());
    let too_small = GptError::TooSmall { disk: SIZE - 512, needed: SIZE };
    assert_eq!(table.place(&head(), SIZE - 512), Err(too_small));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let changed = |at: usize, value: u64| {
        let mut head = head();
        put_u64(&mut head, 512 + at, value);
        seal_header(&mut head[512..1024]);
        Table::parse(&head)
    };
    for (at, value) in [(24, 2), (32, 5), (32, u64::MAX), (40, u64::MAX), (48, 3000), (72, 1)] {
        assert!(matches!(changed(at, value), Err(GptError::Damaged(_))), "{at} = {value}");
    }
    assert_eq!(Table::parse(&vec![0; HEAD_LEN]), Err(GptError::Missing));
    assert_eq!(Table::parse(&[0; 512]), Err(GptError::Short(512)));
    let mut no_mbr = head();
    no_mbr[510] = 0;
    let table = Table::parse(&no_mbr).unwrap();
    assert_eq!(table.place(&no_mbr, SIZE), Err(GptError::NoProtectiveMbr));
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(at in 8_usize..92, value: u64, size in any::<u64>()) {
        let mut head = head();
        let keep = u32_at(&head, 512 + 12);
        put_u64(&mut head, 512 + at, value);
        head[512 + 12..512 + 16].copy_from_slice(&keep.to_le_bytes());
        seal_header(&mut head[512..1024]);
        if let Ok(table) = Table::parse(&head) {
            prop_assert!(table.partitions().iter().all(|p| p.start + p.length <= table.body_end()));
            if let Ok(placed) = table.place(&head, size) {
                prop_assert!(placed.backup_at >= table.body_end());
            }
        }
    }
}
