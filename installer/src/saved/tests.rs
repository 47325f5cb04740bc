//! Plans on tables made by the gpt crate, in memory.

use std::io::Cursor;
use std::sync::OnceLock;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

use super::*;

const MIB: u64 = HEAD;
const SIZE: u64 = 64 * MIB;
const ARRAY: usize = 128 * 128;

type Spec<'a> = (u32, &'a str, u64, u64);

/// Makes the ends of a disk; partitions are given in MiB.
fn ends(size: u64, sector: SectorSize, partitions: &[Spec<'_>]) -> Ends {
    let block = LogicalBlockSize::try_from(u64::from(sector.bytes())).unwrap();
    let mut device = Cursor::new(vec![0; usize::try_from(size).unwrap()]);
    let sectors = u32::try_from(size / block.as_u64() - 1).unwrap();
    ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut device).unwrap();
    let config = gpt::GptConfig::new().writable(true).logical_block_size(block);
    let mut table = config.create_from_device(device, None).unwrap();
    for (number, name, start, end) in partitions {
        let lba = |at: u64| at * MIB / block.as_u64();
        let kind = gpt::partition_types::LINUX_FS;
        let length = lba(end - start);
        table.add_partition_at(name, *number, lba(*start), length, kind, 7 << 48).unwrap();
    }
    let bytes = table.write().unwrap().into_inner();
    let tail = bytes.len() - HEAD_LEN;
    let (mut head, mut tail) = (bytes[..HEAD_LEN].to_vec(), bytes[tail..].to_vec());
    // The gpt crate numbers partitions as they come.
    let header = tail.len() - sector.len();
    for (bytes, header, at) in
        [(&mut head, sector.len(), 2 * sector.len()), (&mut tail, header, header - ARRAY)]
    {
        let packed = bytes[at..at + ARRAY].to_vec();
        bytes[at..at + ARRAY].fill(0);
        let mut numbers: Vec<usize> = partitions.iter().map(|p| p.0 as usize).collect();
        numbers.sort_unstable();
        for (raw, number) in packed.chunks(128).zip(numbers) {
            bytes[at + (number - 1) * 128..][..128].copy_from_slice(raw);
        }
        seal(bytes, header, at);
    }
    Ends { head, tail, size }
}

/// Makes the checksums of a table right.
fn seal(bytes: &mut [u8], header: usize, entries: usize) {
    let sum = crc(&bytes[entries..entries + ARRAY]);
    bytes[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
    bytes[header + 16..header + 20].fill(0);
    let sum = crc(&bytes[header..header + 92]);
    bytes[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
}

/// CRC-32 with the table of the gzip library.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Returns one image for each sector size: its GUIDs are random.
fn image(sector: SectorSize) -> Ends {
    static IMAGES: OnceLock<[Ends; 2]> = OnceLock::new();
    let partitions =
        [(1, "BIOS-BOOT", 1, 2), (2, "EFI-SYSTEM", 2, 3), (3, "boot", 3, 4), (4, "root", 4, 15)];
    let make = |sector| ends(16 * MIB, sector, &partitions);
    let images = IMAGES.get_or_init(|| [SectorSize::S512, SectorSize::S4096].map(make));
    images[usize::from(sector == SectorSize::S4096)].clone()
}

fn numbers(text: &str) -> Filter {
    Filter::Index(text.parse().unwrap())
}

fn labels(text: &str) -> Filter {
    Filter::Label(text.parse().unwrap())
}

fn plan_on(old: Ends, filters: &[Filter]) -> Result<Layout> {
    let image = image(SectorSize::S512);
    let table = Table::parse(&image.head).unwrap();
    let size = old.size;
    let kept = Kept::from_ends(old, SectorSize::S512, filters)?;
    Layout::plan(&table, &image.head, &kept, size)
}

fn plan(partitions: &[Spec<'_>], filters: &[Filter]) -> Result<Layout> {
    plan_on(ends(SIZE, SectorSize::S512, partitions), filters)
}

fn refused(result: Result<Layout>) -> String {
    format!("{:#}", result.unwrap_err())
}

/// Returns old and new numbers.
fn moves(layout: &Layout) -> Vec<(usize, usize)> {
    layout.summary().kept.iter().map(|k| (k.old_number, k.partition.number)).collect()
}

#[test]
fn a_partition_keeps_its_number_where_the_image_leaves_it_free() {
    for (old, expected) in [
        (&[5, 7][..], &[(5, 5), (7, 7)][..]),
        (&[2, 3], &[(2, 5), (3, 6)]),
        (&[4, 5], &[(4, 6), (5, 5)]),
        (&[1, 6, 128], &[(1, 5), (6, 6), (128, 128)]),
    ] {
        let specs: Vec<Spec<'_>> =
            (20..).zip(old).map(|(at, n)| (*n, "data", at, at + 1)).collect();
        let layout = plan(&specs, &[numbers("1-")]).unwrap();
        assert_eq!(moves(&layout), expected);
        assert_eq!(layout.limit(), Some(20 * MIB));
    }
}

#[test]
fn what_no_filter_keeps_is_lost() {
    let old = [(1, "a", 1, 2), (5, "data-1", 20, 30), (6, "swap", 30, 31), (7, "data-2", 31, 33)];
    let layout = plan(&old, &[labels("data-*"), numbers("40-"), numbers("7")]).unwrap();
    assert_eq!(moves(&layout), [(5, 5), (7, 7)]);
    let lost: Vec<&str> = layout.summary().lost.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(lost, ["a", "swap"]);
    let kept = Kept::from_ends(
        ends(SIZE, SectorSize::S512, &old),
        SectorSize::S512,
        &[labels("data-*"), numbers("40-")],
    );
    assert_eq!(kept.unwrap().idle(), [numbers("40-")]);
}

#[test]
fn without_a_match_the_disk_is_erased_as_without_filters() {
    let old = [(5, "data", 20, 30)];
    let plain = plan(&old, &[]).unwrap();
    let unmatched = plan(&old, &[labels("other"), numbers("6-")]).unwrap();
    assert_eq!(plain.begin, unmatched.begin);
    assert_eq!(plain.seal, unmatched.seal);
    assert_eq!((plain.limit(), plain.summary().lost.len()), (None, 1));
    assert!(plain.protected().is_empty());
}

#[test]
fn partitions_that_cannot_stay_are_refused_by_name() {
    let all = [numbers("1-")];
    for (old, texts) in [
        (
            (5, "data", 10, 20),
            &["partition 5 \"data\"", "starts at byte 10485760 (10 MiB)", "(15 MiB)"][..],
        ),
        ((5, "boot", 20, 30), &["partition 5 \"boot\"", "label of a partition of the image"]),
        ((5, "EFI-SYSTEM", 20, 30), &["label of a partition of the image"]),
    ] {
        let message = refused(plan(&[old], &all));
        for text in texts {
            assert!(message.contains(text), "{text}: {message}");
        }
    }
    // The image ends with its last partition, not with its backup table.
    assert!(plan(&[(5, "data", 15, 20)], &all).is_ok());
}

#[test]
fn a_partition_with_the_guid_of_one_of_the_image_is_refused() {
    let root = Table::parse(&image(SectorSize::S512).head).unwrap().entries()[3].guid();
    let mut old = ends(SIZE, SectorSize::S512, &[(5, "data", 20, 30)]);
    old.head[1024 + 4 * 128 + 16..][..16].copy_from_slice(&root);
    seal(&mut old.head, 512, 1024);
    let message = refused(plan_on(old, &[numbers("5")]));
    assert!(message.contains("has the GUID of partition 4 \"root\" of the image"), "{message}");
}

#[test]
fn a_partition_in_the_way_of_the_backup_table_is_refused() {
    let mut old = ends(SIZE, SectorSize::S512, &[(5, "data", 20, 63)]);
    for (size, fits) in [(63 * MIB + 33 * 512, true), (63 * MIB + 32 * 512, false)] {
        old.size = size;
        let message = plan_on(old.clone(), &[numbers("5")]).map(drop).map_err(|e| format!("{e:#}"));
        assert_eq!(message.is_ok(), fits, "{message:?}");
        if let Err(message) = message {
            assert!(message.contains("partition 5 \"data\""), "{message}");
        }
    }
}

#[test]
fn a_damaged_table_counts_only_when_partitions_are_saved() {
    let whole = ends(SIZE, SectorSize::S512, &[(5, "data", 20, 30)]);
    let (mut primary, mut both) = (whole.clone(), whole);
    primary.head[512 + 40] ^= 1;
    both.head[1024] ^= 1;
    let last = both.tail.len() - 1;
    both.tail[last - 500] ^= 1;
    let read = |ends: Ends, filters: &[Filter]| Kept::from_ends(ends, SectorSize::S512, filters);
    let kept = read(primary, &[labels("*")]).unwrap();
    assert!(kept.from_backup() && kept.partitions()[0].name == "data");
    assert!(read(both.clone(), &[]).unwrap().lost().is_empty());
    let message = format!("{:#}", read(both, &[labels("data")]).unwrap_err());
    assert!(message.contains("cannot be read") && message.contains("backup"), "{message}");
}

#[test]
fn tables_of_other_kinds_keep_nothing_or_are_refused() {
    let blank = Ends { head: vec![0; HEAD_LEN], tail: vec![0; HEAD_LEN], size: SIZE };
    let mut mbr = blank.clone();
    mbr.head[446 + 4] = 0x83;
    mbr.head[510..512].copy_from_slice(&[0x55, 0xAA]);
    let mut both = ends(SIZE, SectorSize::S512, &[(5, "data", 20, 30)]);
    both.head[446 + 4] = 0x83;
    let other = ends(SIZE, SectorSize::S4096, &[(5, "data", 20, 30)]);
    let mut erased = ends(SIZE, SectorSize::S512, &[(5, "data", 20, 30)]);
    erased.head[512..].fill(0);
    erased.tail.fill(0);
    for (ends, filter, expected) in [
        (&blank, labels("*"), None),
        (&blank, numbers("1-"), None),
        (&mbr, labels("*"), None),
        (&mbr, numbers("1-"), Some("saving partitions from an MBR disk is not supported")),
        (&both, labels("*"), Some("an MBR that knows nothing of it")),
        (&other, labels("*"), Some("made for sectors of 4096 bytes, but the image for")),
        (&erased, labels("*"), Some("cannot be read (it is missing)")),
    ] {
        let kept = Kept::from_ends(ends.clone(), SectorSize::S512, &[filter]);
        match expected {
            None => assert!(kept.unwrap().partitions().is_empty()),
            Some(text) => {
                let message = format!("{:#}", kept.unwrap_err());
                assert!(message.contains(text), "{message}");
            }
        }
    }
}

#[test]
fn entries_are_merged_bit_by_bit() {
    for sector in [SectorSize::S512, SectorSize::S4096] {
        let image = image(sector);
        let table = Table::parse(&image.head).unwrap();
        let old = ends(SIZE, sector, &[(2, "a", 20, 30), (9, "Daten \u{fc}", 30, 63)]);
        let before = Table::parse(&old.head).unwrap();
        let kept = Kept::from_ends(old, sector, &[numbers("1-")]).unwrap();
        let layout = Layout::plan(&table, &image.head, &kept, SIZE).unwrap();
        let mut head = vec![0; HEAD_LEN];
        for patch in layout.seal.iter().flatten() {
            if let Patch::Write { at, bytes } = patch
                && *at < HEAD
            {
                head[usize::try_from(*at).unwrap()..][..bytes.len()].copy_from_slice(bytes);
            }
        }
        let sealed = Table::parse(&head).unwrap();
        assert_eq!(&sealed.entries()[..4], table.entries());
        let raw = |t: &Table, i: usize| *t.entries()[i].raw();
        assert_eq!((raw(&sealed, 4), raw(&sealed, 5)), (raw(&before, 0), raw(&before, 1)));
        assert_eq!((sealed.disk_guid(), sealed.disk_size()), (table.disk_guid(), SIZE));
        assert_eq!(head[..446], image.head[..446]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_table_makes_a_plan_panic(
        at in 0_usize..1024 + 8 * 128,
        bytes in any::<[u8; 8]>(),
        resize in -3_i64..3,
        filter in 0_u32..12,
    ) {
        static OLD: OnceLock<Ends> = OnceLock::new();
        let specs = [(5, "data", 20, 30), (2, "x", 40, 63)];
        let mut old = OLD.get_or_init(|| ends(SIZE, SectorSize::S512, &specs)).clone();
        old.size = old.size.saturating_add_signed(resize * 300 * 1024 + resize);
        old.head[at..at + 8].copy_from_slice(&bytes);
        seal(&mut old.head, 512, 1024);
        let filter = numbers(&format!("{}-", filter + 1));
        if let Ok(layout) = plan_on(old, &[filter]) {
            for kept in &layout.summary().kept {
                prop_assert!(kept.partition.number > 4);
                prop_assert!(kept.partition.start >= 15 * MIB);
            }
            prop_assert_eq!(layout.limit().is_some(), !layout.summary().kept.is_empty());
        }
    }
}
